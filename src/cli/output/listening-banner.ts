import type { ListeningInfo } from '../../listener/service.js';
import { COLOURS, paintFor, type Row } from './text.js';

const AUTHORITY = {
  queryToken: 'token in the connect URL',
  capability: 'capability token in Authorization: Bearer',
  signedBearer: 'signed token in Authorization: Bearer',
} as const;

/** What a person needs once when the listener is open: its address, its authority, and warnings. WSA-4, WSA-5 */
export function listeningBanner(info: ListeningInfo): string {
  const paint = paintFor(process.stdout);
  const { url, authMode, enforced, warnings } = info;
  const connectUrl = info.connectUrl.reveal();
  const rows: Row[] = [['Listening', url]];
  if (connectUrl !== url) rows.push(['Connect URL', paint(COLOURS.cyan, connectUrl)]);
  const check = enforced ? 'enforced' : paint(COLOURS.yellow, 'NOT enforced (--no-token-check)');
  rows.push(['Authority', `${AUTHORITY[authMode]}, ${check}`]);
  if (authMode === 'signedBearer') {
    rows.push([
      'Token expiry',
      info.closeOnTokenExpiry ? 'closes open connections' : 'does not close open connections',
    ]);
  }
  const lines = rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}`);
  lines.push(...warnings.map((warning) => `  ${paint(COLOURS.yellow, 'Warning')}        ${warning}`));
  return `\n${lines.join('\n')}\n\n`;
}
