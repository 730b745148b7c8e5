/** Why a command cannot talk to the engine of its home. Each error names the engine and one next step. RC-100, RC-101 */
import type { RunningEngine } from '../home/running-engine.js';
import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { isStopped } from '../system/processes.js';

export const notRunning = (homeDir: string): EngineError =>
  new EngineError('notRunning', `No engine runs on ${homeDir}.`);

const nameOf = (pid: number | null): string => (pid === null ? 'An engine' : `The engine with pid ${pid}`);

export function socketGone({ pid, controlSocket }: RunningEngine, error: unknown): EngineError {
  if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM') {
    return new EngineError('homeUnusable', `${controlSocket} cannot be opened: ${errnoText(error)}.`, {
      cause: error,
      remediation: 'Run this as the user that the engine runs as.',
    });
  }
  if (pid !== null && isStopped(pid)) return stopped(pid, error);
  const stop = pid === null ? 'stop the engine' : `stop it with kill ${pid}`;
  // The queue of a socket is full when its process does not accept connections.
  const busy = errnoOf(error) === 'EAGAIN';
  const why = busy
    ? 'it accepts no connections'
    : `its socket ${controlSocket} is gone (${errnoOf(error) ?? 'no answer'})`;
  return new EngineError('engineUnreachable', `${nameOf(pid)} runs, but ${why}.`, {
    cause: error,
    remediation: `Try again in a few seconds; if that does not help, ${stop} and start it again.`,
  });
}

/** The engine accepts connections and closes them: its process has no file descriptors, for example. RC-68 */
export function unanswered({ pid }: RunningEngine, cause: unknown): EngineError {
  return new EngineError(
    'engineUnreachable',
    `${nameOf(pid)} runs, but it closed the connection before it answered.`,
    {
      cause,
      remediation:
        'It may have no file descriptors left: close some clients, or raise the limit of open files (ulimit -n).',
    },
  );
}

/** @param pid null: the request was answered in this process, or the pid is not known */
export function notAnswered(pid: number | null, method: string, timeoutMs: number): EngineError {
  if (pid !== null && isStopped(pid)) return stopped(pid);
  const who = pid === null ? 'The engine' : `The engine with pid ${pid}`;
  const seconds = Math.round(timeoutMs / 100) / 10;
  return new EngineError('timeout', `${who} did not answer ${method} within ${seconds} s.`, {
    ...(pid === null ? {} : { remediation: `It may be busy: try again, or stop it with kill ${pid}.` }),
  });
}

const stopped = (pid: number, cause?: unknown): EngineError =>
  new EngineError('engineUnreachable', `The engine with pid ${pid} is stopped, so it does not answer.`, {
    cause,
    remediation: `Run kill -CONT ${pid} to continue it.`,
  });
