import type { AccountSummary } from '../../account/view.js';
import { suggested } from '../suggested.js';
import { nextStepFor, type Row } from './text.js';

const TOKEN_SOURCES = {
  file: 'the account file',
  memory: 'memory only, until the engine stops',
  environment: 'RC_ENGINE_ACCESS_TOKEN',
  hub: 'hubs.json (rc-engine login --hub)',
  parent: 'a parent app, in memory only',
} as const;

/** How somebody is signed in, as the end of "Signed in …". Null: the account belongs to an embedding program. */
export function describeSignIn(summary: AccountSummary | null): string {
  if (summary === null) return 'by the program that embeds the engine';
  const { mode, email, plan, source, accountId } = summary;
  if (mode === null) return summary.login === null ? 'nobody' : 'nobody yet, a sign-in is in progress';
  if (mode === 'apikey') return 'with an API key';
  if (source === 'hub') return `with the key of a hub${accountId === null ? '' : `, account ${accountId}`}`;
  const subscribed = plan === null || plan === 'unknown' ? '' : `, plan ${plan}`;
  return `with ChatGPT${email === null ? '' : ` as ${email}`}${subscribed}`;
}

/** The engine may be of another version, with a source that this program does not know. */
export function sourceText(source: string): string {
  const known: Readonly<Record<string, string>> = TOKEN_SOURCES;
  return known[source] ?? source;
}

export function accountRows(summary: AccountSummary, home: string): Row[] {
  const rows: Row[] = [['signed in', describeSignIn(summary)]];
  if (summary.accountId !== null) rows.push(['account id', summary.accountId]);
  if (summary.userId !== null) rows.push(['user id', summary.userId]);
  if (summary.source !== null) rows.push(['tokens from', sourceText(summary.source)]);
  const { problem } = summary;
  if (problem !== null) {
    rows.push(['problem', `${problem.reason}: ${problem.message}`]);
    rows.push(['next step', suggested(nextStepFor(problem.reason), home)]);
  }
  return rows;
}
