/** `status` in one screen. `--verbose` shows status-rows.ts instead. RC-131 */
import type { EngineStatus } from '../../engine/status.js';
import { peerText } from '../../observe/peer-text.js';
import type { Controller } from '../../protocol/outcomes.js';
import { command } from '../suggested.js';
import { waitsFor } from './attempt.js';
import { type Disk, diskProblem } from './disk.js';
import { type Line, type Section, command as whole } from './layout.js';
import { policyRows } from './status-rows.js';
import {
  accountLines,
  adviceFor,
  adviceOf,
  appServerFails,
  appServerLines,
  clockLines,
  connectionOf,
  isContested,
  namesOf,
  type Tone,
} from './summary.js';
import { type Paint, text } from './terminal.js';
import { COLOURS, formatDuration } from './text.js';

export const TONE_COLOURS = {
  good: COLOURS.green,
  waiting: COLOURS.yellow,
  bad: COLOURS.red,
  off: COLOURS.grey,
} as const satisfies Record<Tone, number>;

/** Devices that are named; `rc-engine devices` has all. */
const MAX_DEVICES = 6;

/**
 * @param devices The paired devices; undefined: they are not known now.
 * @param disk The disk of the home; undefined: not known.
 */
export function statusSections(
  status: EngineStatus,
  paint: Paint,
  devices: readonly Controller[] | undefined,
  disk?: Disk,
): Section[] {
  const { remoteControl: link, version, pid, now, startedAt, home } = status;
  const { tone, word, why, reason } = connectionOf(status);
  // Each attempt is a state of its own: how long they go on is not known.
  const lasting = word !== 'not connected' || isWaiting(link.state);
  const since = lasting ? `, for ${formatDuration(now - (link.openedAt ?? link.since))}` : '';
  const said = why === '' ? '' : word === 'connected' ? `, ${why}` : `: ${why}`;
  // rc-engine explain knows it, and so do docs/errors.md and a search.
  const code = tone === 'bad' && word !== 'connected' ? text` ${paint(COLOURS.grey, `(${reason})`)}` : '';
  const target = link.environmentId === null || word !== 'connected' ? '' : ` as ${link.environmentId}`;
  const sections: Section[] = [
    ['status', [text`${paint(TONE_COLOURS[tone], word)}${target}${since}${said}${code}`]],
  ];
  if (tone === 'bad' && link.nextAttemptAt !== null && !isWaiting(link.state)) {
    sections.push(['next attempt', [`in ${formatDuration(link.nextAttemptAt - now)}`]]);
  }
  const steps = nextSteps(status, reason);
  if (steps.length > 0) sections.push(['next step', steps]);
  const clock = clockLines(status);
  if (clock.length > 0) sections.push(['clock', clock]);
  sections.push(
    ['account', accountLines(status, home)],
    ['app server', appServerLines(status, home)],
    ...deviceSections(status, devices),
    ['local clients', localLines(status)],
  );
  const failure = isWaiting(link.state) ? null : failureLine(status);
  if (failure !== null) sections.push(['last failure', [failure]]);
  const problem = disk === undefined ? undefined : diskProblem(home, disk);
  if (problem !== undefined) sections.push(['disk', [text`${paint(COLOURS.yellow, 'Warning:')} ${problem}`]]);
  const warning = status.listener?.certificate?.problem ?? status.listener?.certificate?.warning ?? null;
  if (warning !== null) sections.push(['certificate', [warning]]);
  for (const [name, value] of policyRows(status)) sections.push([name, [value]]);
  sections.push([
    'engine',
    [`${version} on ${link.serverName}, pid ${pid}, up ${formatDuration(now - startedAt)}, home ${home}`],
  ]);
  return sections;
}

/** It waits for a sign-in: the first line says so, and the account is checked each second. */
const isWaiting = (state: string): boolean => state.startsWith('active.awaitingAuth');

function nextSteps(status: EngineStatus, reason: string): readonly Line[] {
  if (status.remoteControl.status !== 'connected') {
    const advice = adviceFor(reason, status.home);
    if (advice.length > 0) return advice;
    if (waitsFor(status) === undefined) return ['None is needed: the engine tries again.'];
    return adviceOf(
      'None is needed: each attempt has a time limit. To see what does not answer: rc-engine doctor',
      status.home,
    );
  }
  if (appServerFails(status)) return [];
  if (isContested(status.remoteControl)) return adviceFor('duplicateInstallation', status.home);
  const replaced = status.remoteControl.replacedIdentity;
  return replaced === null ? [] : adviceFor('identityReplaced', status.home);
}

/** Who is paired, and who is connected. */
function deviceSections(status: EngineStatus, devices: readonly Controller[] | undefined): Section[] {
  const { remoteClients, remoteControl: link, now, home } = status;
  const connected = new Map(remoteClients.map(({ clientId, name }) => [clientId, name]));
  const sections: Section[] = [];
  if (devices !== undefined && devices.length > 0) {
    const shown = devices.slice(0, MAX_DEVICES).map((device) => deviceLine(device, connected, now));
    const more = devices.length - shown.length;
    const hint = more > 0 ? [`and ${more} more:`] : ['To remove one that is lost:'];
    const words = more > 0 ? 'devices' : 'devices revoke NAME';
    sections.push(['devices', [...shown, ...hint, whole(command(words, home))]]);
  } else if (link.status === 'connected' && devices !== undefined && remoteClients.length === 0) {
    sections.push(['devices', ['none is paired. To pair one:', whole(command('pair', home))]]);
  }
  const known = new Set(devices?.map(({ clientId }) => clientId));
  const others = remoteClients.filter(({ clientId }) => !known.has(clientId));
  if (others.length > 0) {
    sections.push(['remote clients', [namesOf(others.map(({ name, clientId }) => name ?? clientId))]]);
  } else if (sections.length === 0) sections.push(['devices', ['none is connected']]);
  const replaced = link.replacedIdentity;
  if (replaced !== null) {
    const { from, to, at } = replaced;
    const ago = formatDuration(now - at);
    sections.push(['new identity', [`${to} replaced ${from}, ${ago} ago: pair each device again`]]);
  }
  return sections;
}

function deviceLine(
  { displayName, clientId, lastSeenAt, deviceModel }: Controller,
  /** What each connected client calls itself. */
  connected: ReadonlyMap<string, string | null>,
  now: number,
): string {
  const name = peerText(displayName ?? connected.get(clientId) ?? clientId);
  const model = deviceModel === null ? '' : ` (${peerText(deviceModel)})`;
  if (connected.has(clientId)) return `${name}${model}: connected`;
  if (lastSeenAt === null) return `${name}${model}: never connected`;
  return `${name}${model}: last seen ${formatDuration(now - lastSeenAt * 1000)} ago`;
}

function localLines({ connections, listener }: EngineStatus): Line[] {
  const degraded = connections.filter(({ outcome }) => outcome === 'degraded').length;
  const names = namesOf(connections.map(({ client }) => client));
  const who =
    connections.length === 0
      ? 'none'
      : `${connections.length}: ${names}${degraded > 0 ? `, ${degraded} of them without a token` : ''}`;
  if (listener === null) return [who];
  const unchecked = listener.enforced ? [] : ['The token is NOT enforced (--no-token-check).'];
  return [`${who}, on ${listener.url}`, ...unchecked];
}

function failureLine({ remoteControl: { lastFailure }, now }: EngineStatus): string | null {
  if (lastFailure === null) return null;
  const { at, message, httpStatus, requestId } = lastFailure;
  const facts = [httpStatus === undefined ? '' : `HTTP ${httpStatus}`, requestId ?? ''].filter(Boolean);
  return `${formatDuration(now - at)} ago: ${message}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`;
}
