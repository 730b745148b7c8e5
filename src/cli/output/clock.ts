/** A wrong clock, in words. RC-135 */
import { formatDuration } from './text.js';

/** A sentence without its full stop. @param difference ms that this machine is ahead of the server */
export const clockText = (difference: number): string =>
  `the clock of this machine is ${formatDuration(Math.abs(difference))} ${difference > 0 ? 'ahead of' : 'behind'} the server`;

/** The command that sets the clock from the network. */
export function setClockCommand(platform: NodeJS.Platform = process.platform): string {
  if (platform === 'darwin') return 'sudo sntp -sS time.apple.com';
  return platform === 'win32' ? 'w32tm /resync' : 'sudo timedatectl set-ntp true';
}

export const CLOCK_HARM =
  'Until it is set, tokens expire at the wrong time and certificates may look invalid.';
