import type { EngineStatus } from '../../engine/status.js';
import { isClockWrong } from '../../net/clock-watch.js';
import { isReason, needsPerson } from '../../protocol/reasons.js';
import { describeSignIn } from './account-rows.js';
import { clockText, setClockCommand } from './clock.js';
import { isContested } from './summary.js';
import { type Paint, text } from './terminal.js';
import {
  APP_SERVER_MODES,
  COLOURS,
  formatDuration,
  meaningOf,
  nextStepFor,
  type Row,
  STATUS_COLOURS,
} from './text.js';

const MAX_CLIENTS_SHOWN = 5;
const MAX_CONNECTIONS_SHOWN = 10;

/** The status of an engine for a person: what, since when, why, and what happens next. */
export function statusRows(status: EngineStatus, paint: Paint): Row[] {
  const { counters, now } = status;
  return [
    ...linkRows(status, paint),
    ...problemRows(status),
    ...clockRows(status),
    ...identityRows(status),
    ['virtual clients', virtualClients(status)],
    ...listenerRows(status),
    ...policyRows(status),
    ...appServerRows(status, paint),
    ...agentAccountRows(status),
    ['links opened', String(counters.linksOpened)],
    ['frames', `${counters.framesIn} in, ${counters.framesOut} out, ${counters.framesSkipped} skipped`],
    [
      'engine',
      `${status.version}, pid ${status.pid}, up ${formatDuration(now - status.startedAt)}, home ${status.home}`,
    ],
    ['charts', chartHashes(status)],
  ];
}

function clockRows({ clockDifference }: EngineStatus): Row[] {
  const difference = clockDifference ?? 0;
  if (!isClockWrong(difference)) return [];
  return [['clock', `${clockText(difference)}: set it, for example with ${setClockCommand()}`]];
}

/** Whether the agent uses the account of the engine. An engine of an earlier version does not say it. ACC-101 */
function agentAccountRows({ appServerAccount: agent }: EngineStatus): Row[] {
  return agent == null ? [] : [['agent account', `${agent.state}: ${agent.message}`]];
}

const ago = (time: number | null, now: number): string =>
  time === null ? 'never' : `${formatDuration(now - time)} ago`;

/** The link to the backend: its state, the reason, and the last failure. */
function linkRows({ remoteControl: link, now }: EngineStatus, paint: Paint): Row[] {
  const status = paint(STATUS_COLOURS[link.status], link.status);
  const rows: Row[] = [
    ['status', text`${status}, for ${formatDuration(now - link.since)}`],
    ['state', link.state],
    ['reason', `${link.reason}: ${link.detail ?? meaningOf(link.reason)}`],
    ...(link.decisionId == null ? [] : [['decision', link.decisionId] satisfies Row]),
  ];
  if (link.status !== 'connected') rows.push(['next step', nextStepOf(link)]);
  if (isContested(link)) {
    rows.push(
      ['warning', `duplicateInstallation: ${meaningOf('duplicateInstallation')}`],
      ['next step', nextStepFor('duplicateInstallation')],
    );
  }
  if (link.nextAttemptAt !== null) {
    rows.push(['next attempt', `in ${formatDuration(link.nextAttemptAt - now)}`]);
  }
  if (link.lastFailure !== null) {
    const { reason, at, message, httpStatus, requestId } = link.lastFailure;
    const facts = [
      httpStatus === undefined ? '' : `HTTP ${httpStatus}`,
      requestId ?? '',
      link.lastFailureId == null ? '' : `decision ${link.lastFailureId}`,
    ].filter(Boolean);
    const evidence = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
    rows.push(['last failure', `${reason}, ${ago(at, now)}: ${message}${evidence}`]);
  }
  return rows;
}

/** While an attempt is under way, what the last failure needs from a person stays the next step. */
function nextStepOf({ reason, lastFailure }: EngineStatus['remoteControl']): string {
  const needsNothing = isReason(reason) && !needsPerson(reason);
  return lastFailure !== null && needsNothing && needsPerson(lastFailure.reason)
    ? nextStepFor(lastFailure.reason)
    : nextStepFor(reason);
}

/** What is wrong with the account. */
function problemRows({ account, remoteControl: link }: EngineStatus): Row[] {
  const rows: Row[] = [];
  const problem = account?.problem ?? null;
  // The reason of the link has said it already.
  if (problem !== null && problem.reason !== link.reason) {
    rows.push(
      ['sign-in', `${problem.reason}: ${problem.message}`],
      ['next step', nextStepFor(problem.reason)],
    );
  }
  if (link.accountDiffersOnDisk) {
    rows.push([
      'account',
      'the account file holds another account; restart the engine or sign in again to switch to it',
    ]);
  }
  return rows;
}

function identityRows({ remoteControl: link, account, now }: EngineStatus): Row[] {
  const proxy = link.route === null || link.route === 'direct' ? '' : ` through ${link.route}`;
  return [
    ['server name', link.serverName],
    ['environment', link.environmentId ?? '-'],
    ...replacedRow(link.replacedIdentity, now),
    ['installation', link.installationId],
    ['signed in', describeSignIn(account)],
    ['account id', link.accountId ?? account?.accountId ?? '-'],
    ['backend', `${link.baseUrl || '-'}${proxy}`],
    [
      'token',
      link.tokenExpiresAt === null ? 'none' : `expires in ${formatDuration(link.tokenExpiresAt - now)}`,
    ],
    ['last pong', ago(link.lastPongAt, now)],
  ];
}

/** Controllers are paired with an environment: a person must hear that it changed. RC-20a */
function replacedRow(replaced: EngineStatus['remoteControl']['replacedIdentity'], now: number): Row[] {
  if (replaced === null) return [];
  const { from, to, at } = replaced;
  return [['replaced', `${to} replaced ${from}, ${ago(at, now)}: pair each controller again`]];
}

function virtualClients({ remoteClients }: EngineStatus): string {
  if (remoteClients.length === 0) return 'none';
  const names = remoteClients.slice(0, MAX_CLIENTS_SHOWN).map((client) => client.name ?? client.clientId);
  const more = remoteClients.length > names.length ? `, and ${remoteClients.length - names.length} more` : '';
  return `${remoteClients.length}: ${names.join(', ')}${more}`;
}

/** The app server: how it is, since when, why, and how clients share it. RC-69 */
function appServerRows({ appServer, appServerHealth: health, now }: EngineStatus, paint: Paint): Row[] {
  if (health === null || health === undefined) return [['app server', appServer]];
  if (health.mode === 'builtin') return [['app server', `${appServer}, ${APP_SERVER_MODES.builtin}`]];
  const { state, reason, detail, since, mode, modeReason, children, exits, failures } = health;
  const failing = !health.ready || state === 'failing';
  const cause = `${reason}: ${detail ?? meaningOf(reason)}`;
  const counts = [
    ...(mode === 'socket' ? [] : [`${children} ${children === 1 ? 'process' : 'processes'}`]),
    ...(failures === 0
      ? []
      : [`${failures} ${failures === 1 ? 'failure' : 'failures'}, ${exits} of them exits`]),
  ];
  return [
    [
      'app server',
      text`${failing ? paint(COLOURS.red, state) : state}, for ${formatDuration(now - since)}, ${APP_SERVER_MODES[mode]}: ${cause}`,
    ],
    ...(failing ? [['  next step', nextStepFor(reason)] satisfies Row] : []),
    ['  command', [appServer, ...counts].join(', ')],
    ['  mode', modeReason],
  ];
}

/** What was changed about who may call what; none: docs/authority.md holds as it is. */
export function policyRows({ policy }: EngineStatus): Row[] {
  const { remoteAuthority, degradedAuthority, allowMethods = [], denyMethods = [] } = policy;
  const changes = [
    ...(remoteAuthority === 'full' ? ['controllers may do everything (--remote-authority full)'] : []),
    ...(degradedAuthority === 'full'
      ? ['degraded connections may do everything (--degraded-authority full)']
      : []),
    ...allowMethods.map((pattern) => `--allow-method ${pattern}`),
    ...denyMethods.map((pattern) => `--deny-method ${pattern}`),
  ];
  return changes.length === 0 ? [] : [['permissions', changes.join(', ')]];
}

/** The local listener: the authority it requires, who is connected and why, and who was rejected. */
function listenerRows({ listener, connections, now }: EngineStatus): Row[] {
  const rows: Row[] = [];
  if (listener !== null) {
    const { url, authMode, enforced } = listener;
    const check = enforced ? 'enforced' : 'NOT enforced: connections may be degraded';
    rows.push(['listener', `${url}, ${authMode}, ${check}`]);
    if (listener.certificate != null) rows.push(...certificateRows(listener.certificate, now));
  }
  if (listener !== null || connections.length > 0) {
    const limit = listener === null ? '' : ` of at most ${listener.maxConnections}`;
    rows.push(['local clients', `${connections.length}${limit}`]);
  }
  for (const connection of connections.slice(0, MAX_CONNECTIONS_SHOWN)) {
    const facts = [
      `${connection.outcome} (${connection.mode}: ${connection.reason})`,
      connection.held ? `${connection.state}, paused because its app server is busy` : connection.state,
      `for ${formatDuration(now - connection.since)}`,
      `${connection.bytesIn} bytes in, ${connection.bytesOut} out`,
      `from ${connection.peer}`,
      ...(connection.client === null ? [] : [connection.client]),
    ];
    rows.push([`  ${connection.id}`, facts.join(', ')]);
  }
  if (connections.length > MAX_CONNECTIONS_SHOWN) {
    rows.push(['', `and ${connections.length - MAX_CONNECTIONS_SHOWN} more`]);
  }
  if (listener !== null) rows.push(...rejectionRows(listener, now));
  return rows;
}

type Certificate = NonNullable<NonNullable<EngineStatus['listener']>['certificate']>;

function certificateRows({ validTo, warning, problem }: Certificate, now: number): Row[] {
  const end = new Date(validTo).toISOString().replace('.000Z', 'Z');
  const rows: Row[] = [['certificate', warning ?? `ends ${end}, in ${formatDuration(validTo - now)}`]];
  if (problem !== null) {
    rows.push(['', `the changed files are not used, the previous certificate stays: ${problem}`]);
  }
  return rows;
}

function rejectionRows(
  { decisions, lastRejections }: NonNullable<EngineStatus['listener']>,
  now: number,
): Row[] {
  const rows: Row[] = [];
  const rejected = decisions.filter(({ outcome }) => outcome === 'rejected');
  if (rejected.length > 0) {
    rows.push(['rejected', rejected.map(({ reason, count }) => `${reason} ${count}`).join(', ')]);
  }
  const last = lastRejections.at(-1);
  if (last !== undefined) {
    const detail = last.detail === null ? '' : `: ${last.detail}`;
    rows.push([
      'last rejection',
      `${last.reason}, ${ago(Date.parse(last.time), now)}, from ${last.peer}${detail}`,
    ]);
  }
  return rows;
}

/** The hash of each statechart, so that a report names the behaviour that it saw. */
const chartHashes = ({ charts }: EngineStatus): string =>
  Object.entries(charts)
    .map(([name, hash]) => `${name} ${hash}`)
    .join(', ');
