import type { ListeningInfo } from '../../listener/service.js';
import { paint } from './output.js';

const MODES = {
  queryToken: 'token of the connect URL',
  capability: 'capability token in Authorization: Bearer',
  signedBearer: 'signed token in Authorization: Bearer',
} as const;

/** What a person reads once when the listener is open: where, with what, and what to beware of. WSA-4, WSA-5 */
export function listeningBanner(info: ListeningInfo): string {
  const bold = paint(process.stdout);
  const { url, authMode, enforced, warnings } = info;
  const connectUrl = info.connectUrl.reveal();
  const rows: [string, string][] = [['Listening', url]];
  if (connectUrl !== url) rows.push(['Connect URL', bold(36, connectUrl)]);
  rows.push([
    'Authority',
    `${MODES[authMode]}, ${enforced ? 'enforced' : bold(33, 'NOT enforced (--no-token-check)')}`,
  ]);
  if (authMode === 'signedBearer') {
    rows.push([
      'Expiry',
      info.closeOnTokenExpiry ? 'closes open connections' : 'does not end open connections',
    ]);
  }
  const lines = rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}`);
  lines.push(...warnings.map((warning) => `  ${bold(33, 'Warning')}        ${warning}`));
  return `\n${lines.join('\n')}\n\n`;
}
