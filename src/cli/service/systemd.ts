/** The systemd unit of an engine, and the commands that install it. RC-128 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ServiceDefinition } from './definition.js';

/** Marks the files that this program wrote and may replace or remove. */
export const MARK = 'Written by rc-engine service install';

export type Scope = 'user' | 'system';

/** Without a sign of life for this long, systemd restarts the engine. In seconds. */
const WATCHDOG_SECONDS = 120;

interface UnitOptions {
  readonly scope: Scope;
  /** The user of a system unit. */
  readonly user: string | undefined;
  /** `systemd-notify` is installed, so that the engine can report its state. */
  readonly notifies: boolean;
}

export function unitText(
  { description, command, environment }: ServiceDefinition,
  { scope, user, notifies }: UnitOptions,
): string {
  const system = scope === 'system';
  const lines = [
    `# ${MARK}. Change it with systemctl edit, or install it again.`,
    '[Unit]',
    `Description=${specifiers(description)}`,
    ...(system ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    '',
    '[Service]',
    ...(notifies
      ? [
          '# The engine reports READY, its status and signs of life with systemd-notify, which is a process of its own.',
          'Type=notify',
          'NotifyAccess=all',
          `WatchdogSec=${WATCHDOG_SECONDS}`,
        ]
      : ['Type=exec']),
    ...(system && user !== undefined ? [`User=${specifiers(user)}`, 'WorkingDirectory=~'] : []),
    `ExecStart=${command.map(word).join(' ')}`,
    ...Object.entries(environment).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    'Restart=on-failure',
    'RestartSec=5',
    '# 2 wrong settings, 3 sign-in needed, 4 another engine uses this home: a restart does not help.',
    'RestartPreventExitStatus=2 3 4',
    '# Only the engine gets SIGTERM; it ends its app servers itself.',
    'KillMode=mixed',
    'TimeoutStopSec=15',
    '# stdout is for programs that start the engine. The log is on stderr.',
    'StandardOutput=null',
    'UMask=0077',
    '',
    '[Install]',
    `WantedBy=${system ? 'multi-user.target' : 'default.target'}`,
    '',
  ];
  return lines.join('\n');
}

/** One word of ExecStart. systemd replaces $NAME there, but not in Environment. */
const word = (text: string): string => quoted(text.replaceAll('$', '$$$$'));

/** A word that systemd reads as it is. */
function quoted(text: string): string {
  const safe = specifiers(text);
  return /^[\w./:=@,+%-]+$/.test(safe)
    ? safe
    : `"${safe.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
}

const specifiers = (text: string): string => text.replaceAll('%', '%%');

export const unitName = (name: string): string => `${name}.service`;

export function unitPath(name: string, scope: Scope, env: NodeJS.ProcessEnv): string {
  if (scope === 'system') return join('/etc/systemd/system', unitName(name));
  const config =
    env.XDG_CONFIG_HOME?.startsWith('/') === true ? env.XDG_CONFIG_HOME : join(homedir(), '.config');
  return join(config, 'systemd/user', unitName(name));
}

export const systemctl = (scope: Scope, ...args: string[]): readonly [string, ...string[]] => [
  'systemctl',
  ...(scope === 'user' ? ['--user'] : []),
  ...args,
];
