import type { EngineStatus } from '../../engine/status.js';
import { connectControl } from '../control-client.js';
import { localRows } from '../output/listener-status.js';
import { duration, EXIT, means, paint, printJson, todo } from '../output/output.js';
import { signedIn } from './whoami.js';

const COLOURS = { connected: 32, connecting: 33, errored: 31, disabled: 90 } as const;

/** `rc-engine status`: 0 connected, 1 not, 5 no engine running. */
export async function status(args: {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
}): Promise<number> {
  const client = await connectControl(args.home);
  // The engine is this same program: its answer has the shape it was written with.
  const answer = (await client.request('engine/status/read', {})) as EngineStatus;
  client.close();
  if (args.json === true) printJson(answer);
  else process.stdout.write(`${describe(answer).join('\n')}\n`);
  return answer.remoteControl.status === 'connected' ? EXIT.ok : EXIT.failed;
}

/** The status as lines for a person: what, since when, why, and what happens next. */
export function describe(answer: EngineStatus): string[] {
  const { remoteControl: at, now } = answer;
  const colour = paint(process.stdout);
  const ago = (time: number | null) => (time === null ? 'never' : `${duration(now - time)} ago`);
  const rows: [string, string][] = [
    ['status', `${colour(COLOURS[at.status], at.status)}, for ${duration(now - at.since)}`],
    ['state', at.state],
    ['reason', `${at.reason}: ${at.detail ?? means(at.reason)}`],
  ];
  if (at.status !== 'connected') rows.push(['to do', todo(at.reason)]);
  if (at.nextAttemptAt !== null) rows.push(['next attempt', `in ${duration(at.nextAttemptAt - now)}`]);
  if (at.lastFailure !== null) {
    const { message, httpStatus, requestId } = at.lastFailure;
    const proof = [httpStatus === undefined ? '' : `HTTP ${httpStatus}`, requestId ?? '']
      .filter(Boolean)
      .join(', ');
    rows.push([
      'last failure',
      `${at.lastFailure.reason}, ${ago(at.lastFailure.at)}: ${message}${proof ? ` (${proof})` : ''}`,
    ]);
  }
  const problem = answer.account?.problem ?? null;
  if (problem !== null && problem.reason !== at.reason) {
    rows.push(['sign-in', `${problem.reason}: ${problem.message}`], ['to do', todo(problem.reason)]);
  }
  if (at.accountDiffersOnDisk) {
    rows.push(['account', 'another account is on disk; restart the engine or sign in through it to switch']);
  }
  rows.push(
    ['server name', at.serverName],
    ['environment', at.environmentId ?? '-'],
    ['installation', at.installationId],
    ['signed in', signedIn(answer.account)],
    ['account id', at.accountId ?? answer.account?.accountId ?? '-'],
    [
      'backend',
      `${at.baseUrl || '-'}${at.route === null || at.route === 'direct' ? '' : ` through ${at.route}`}`,
    ],
    ['token', at.tokenExpiresAt === null ? 'none' : `ends in ${duration(at.tokenExpiresAt - now)}`],
    ['last pong', ago(at.lastPongAt)],
    ['remote clients', clients(answer)],
    ...localRows(answer),
    ['app server', answer.appServer],
    ['links opened', String(answer.counters.linksOpened)],
    [
      'frames',
      `${answer.counters.framesIn} in, ${answer.counters.framesOut} out, ${answer.counters.framesSkipped} skipped`,
    ],
    [
      'engine',
      `${answer.version}, pid ${answer.pid}, up ${duration(now - answer.startedAt)}, home ${answer.home}`,
    ],
    ['charts', charts(answer)],
  );
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${colour(90, name.padEnd(width))}  ${value}`);
}

/** Each with the hash of what it does, so that a report names the behaviour that it saw. */
const charts = ({ charts }: EngineStatus): string =>
  Object.entries(charts)
    .map(([name, hash]) => `${name} ${hash}`)
    .join(', ');

function clients({ remoteClients }: EngineStatus): string {
  if (remoteClients.length === 0) return 'none';
  const names = remoteClients.slice(0, 5).map((client) => client.name ?? client.clientId);
  const more = remoteClients.length > names.length ? `, and ${remoteClients.length - names.length} more` : '';
  return `${remoteClients.length}: ${names.join(', ')}${more}`;
}
