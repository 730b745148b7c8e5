/** What a person wants to know of an engine, in plain words. `status` and the first screen of `start` show the same. */
import type { EngineStatus } from '../../engine/status.js';
import { isClockWrong } from '../../net/clock-watch.js';
import { peerText } from '../../observe/peer-text.js';
import { isReason, needsPerson } from '../../protocol/reasons.js';
import { commandsIn, suggested, withoutCommands } from '../suggested.js';
import { sourceText } from './account-rows.js';
import { waitsFor } from './attempt.js';
import { CLOCK_HARM, clockText, setClockCommand } from './clock.js';
import { command, type Line } from './layout.js';
import { APP_SERVER_MODES, formatDuration, meaningOf, nextStepFor } from './text.js';

export type Tone = 'good' | 'waiting' | 'bad' | 'off';

/** Whether this machine can be controlled, and why not. */
export interface Connection {
  readonly tone: Tone;
  /** `connected`, `connecting`, `not connected` or `off`. */
  readonly word: string;
  /** One sentence; empty where the word says everything. */
  readonly why: string;
  /** The code that explains it. */
  readonly reason: string;
}

/** True when a client that connects now is not expected to be served. RC-69 */
export function appServerFails({ appServerHealth }: Pick<EngineStatus, 'appServerHealth'>): boolean {
  // An older engine does not say.
  const health = appServerHealth ?? undefined;
  return health !== undefined && (!health.ready || health.state === 'failing');
}

/** The link is open, but not stable, and another engine took it before. RC-110 */
export const isContested = ({ status, reason, lastFailure }: EngineStatus['remoteControl']): boolean =>
  status === 'connected' && reason === 'connected' && lastFailure?.reason === 'duplicateInstallation';

/** The account was refused. What is wrong with it says more. */
const ACCOUNT_REFUSED: ReadonlySet<string> = new Set([
  'backendUnauthorized',
  'authRejected',
  'authRecoveryFailed',
]);

/** Why there is no link: of the account, where that is why the backend refuses it. */
export function reasonOf(status: EngineStatus): string {
  const reason = linkReasonOf(status);
  const problem = status.account?.problem?.reason;
  return problem !== undefined && needsPerson(problem) && ACCOUNT_REFUSED.has(reason) ? problem : reason;
}

/** While an attempt is under way, what the last failure needs from a person stays the reason. */
function linkReasonOf({ remoteControl: link }: EngineStatus): string {
  const { reason, lastFailure, status } = link;
  if (status !== 'connecting' && status !== 'errored') return reason;
  const says = isReason(reason) && needsPerson(reason);
  return lastFailure === null || says ? reason : lastFailure.reason;
}

export function connectionOf(status: EngineStatus): Connection {
  const { remoteControl: link } = status;
  const reason = reasonOf(status);
  switch (link.status) {
    case 'connected':
      return appServerFails(status)
        ? {
            tone: 'bad',
            word: 'connected',
            why: 'but the app server does not work, so nobody is served.',
            reason,
          }
        : isContested(link)
          ? {
              tone: 'waiting',
              word: 'connected',
              why: 'but another engine with the same identity takes the connection again and again.',
              reason: 'duplicateInstallation',
            }
          : { tone: 'good', word: 'connected', why: '', reason };
    case 'disabled':
      return {
        tone: 'off',
        word: link.state === 'stopped' ? 'stopped' : 'off',
        why: meaningOf(reason),
        reason,
      };
    default: {
      const failed = link.lastFailure !== null || link.status === 'errored' || needsHelp(reason);
      return failed
        ? { tone: 'bad', word: 'not connected', why: meaningOf(reason), reason }
        : { tone: 'waiting', word: 'connecting', why: waitingText(status), reason };
    }
  }
}

function waitingText(status: EngineStatus): string {
  const what = waitsFor(status);
  return what === undefined ? '' : `it ${what}.`;
}

const needsHelp = (reason: string): boolean => isReason(reason) && needsPerson(reason);

/**
 * What to do about a reason: the sentence, and each command that it names in the form that runs here. Empty when nothing
 * has to be done.
 */
export function adviceFor(reason: string, home: string | undefined): Line[] {
  return needsHelp(reason) ? adviceOf(nextStepFor(reason), home) : [];
}

export function adviceOf(sentence: string, home: string | undefined): Line[] {
  const commands = commandsIn(sentence, home);
  if (commands.length === 0) return [sentence];
  return [withoutCommands(sentence), ...commands.map(command)];
}

/** The app server: what it is, how it is, and why. RC-69 */
export function appServerLines(
  { appServer, appServerHealth, now }: EngineStatus,
  home: string | undefined,
): Line[] {
  const health = appServerHealth ?? undefined;
  if (health === undefined) return [appServer];
  const { mode, state, reason, detail, since, failures } = health;
  if (mode === 'builtin') {
    return [
      'built in: it answers initialize only. To serve an agent, start with its command, for example:',
      command(suggested('rc-engine start -- codex app-server', home)),
    ];
  }
  if (appServerFails({ appServerHealth: health })) {
    const why = detail ?? meaningOf(reason);
    const again = failures > 1 ? ` ${failures} failures since the start.` : '';
    const first = `${appServer}: ${STATE_WORDS[state]}, for ${formatDuration(now - since)}. ${why}`;
    return [`${first}${again}`, ...adviceFor(reason, home)];
  }
  return [`${appServer}: ${STATE_WORDS[state]}, ${APP_SERVER_MODES[mode]}`];
}

const STATE_WORDS = {
  idle: 'starts with the first client',
  starting: 'starting',
  listening: 'ready',
  serving: 'ready',
  failing: 'failing',
  backingOff: 'failing, pausing before the next attempt',
  down: 'down',
} as const;

/** What to do about a wrong clock; empty where it is right, or not known. RC-135 */
export function clockLines({ clockDifference }: EngineStatus): Line[] {
  // An older engine does not say.
  const difference = clockDifference ?? 0;
  if (!isClockWrong(difference)) return [];
  const what = clockText(difference);
  return [`Wrong: ${what}. ${CLOCK_HARM} Set it, for example with:`, command(setClockCommand())];
}

/** Who is signed in, and what is wrong with it unless the connection says that already. */
export function accountLines(status: EngineStatus, home: string): Line[] {
  const { account, remoteControl: link } = status;
  if (account === null) return ['provided by the program that embeds the engine'];
  const lines: Line[] = [signInOf(account)];
  const { problem } = account;
  // That nobody is signed in is said already, and is no problem while remote control is off.
  const known = problem?.reason === 'authMissing' || problem?.reason === reasonOf(status);
  if (problem !== null && !known) {
    lines.push(meaningOf(problem.reason), ...adviceFor(problem.reason, home));
  }
  if (link.accountDiffersOnDisk) {
    lines.push(
      'The account file holds another account: restart the engine or sign in again to switch to it.',
    );
  }
  return lines;
}

function signInOf({ mode, login, email, plan, source, file }: NonNullable<EngineStatus['account']>): string {
  if (mode === null) {
    const where = file === null ? '' : ` (${file})`;
    return login === null ? `nobody is signed in${where}` : 'a sign-in is in progress';
  }
  if (mode === 'apikey') return 'an API key, which is for the app server: remote control needs ChatGPT';
  const who = [
    email === null ? 'ChatGPT' : `ChatGPT, ${peerText(email)}`,
    ...(plan === null || plan === 'unknown' ? [] : [`plan ${plan}`]),
  ];
  const from =
    source === 'file' && file !== null
      ? file
      : source === null || source === 'file'
        ? null
        : sourceText(source);
  return from === null ? who.join(', ') : `${who.join(', ')} (${from})`;
}

/** The names of the clients that are connected, each once. */
export function namesOf(names: readonly (string | null)[], limit = 5): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const shown = name === null || name === '' ? 'without a name' : peerText(name);
    counts.set(shown, (counts.get(shown) ?? 0) + 1);
  }
  const shown = [...counts].slice(0, limit).map(([name, count]) => (count > 1 ? `${name} (${count})` : name));
  const more = counts.size - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
