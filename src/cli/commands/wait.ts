import type { EngineStatus } from '../../engine/status.js';
import { EngineError } from '../../protocol/errors.js';
import type { ControlClient } from '../control-client.js';
import { EXIT } from '../errors.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { meaningOf } from '../output/text.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** In ms. */
const POLL_INTERVAL = 250;
/** The limits of one request, in ms. */
const MAX_REQUEST = 10_000;
const MIN_REQUEST = 100;

export const wait = defineCommand({
  name: 'wait',
  description: 'Wait until the engine is connected',
  progress: 'Waiting for the connection',
  notes: 'Exit codes: 0 connected, 1 not connected within --timeout, 5 no engine running within --timeout.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    timeout: { type: 'seconds', description: 'Longest wait in seconds', default: 'no limit' },
  },
  examples: [['wait --timeout 60', 'Wait at most a minute, also for an engine that still starts']],
  run: async ({ home, json, timeout }) => {
    const { connectToEngine, readStatus } = await import('../control-client.js');
    const deadline = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeout * 1000;
    // No single request may outlast the command.
    const left = (): number => Math.max(Math.min(deadline - performance.now(), MAX_REQUEST), MIN_REQUEST);
    let client: ControlClient | undefined;
    let last: EngineStatus | undefined;
    let problem: EngineError | undefined;
    try {
      for (;;) {
        try {
          // An engine that still starts, or that is busy, is waited for, too.
          client ??= await connectToEngine(home, left());
          last = await readStatus(client, left());
          problem = undefined;
          if (last.remoteControl.status === 'connected') return printConnected(last, json === true);
        } catch (error) {
          problem = passing(error);
          client?.close();
          client = undefined;
        }
        if (performance.now() >= deadline) throw notConnectedInTime(last, problem, timeout ?? 0);
        const pause = Math.min(POLL_INTERVAL, Math.max(deadline - performance.now(), 1));
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    } finally {
      client?.close();
    }
  },
});

/** An error that may be over at the next try. */
function passing(error: unknown): EngineError {
  if (error instanceof EngineError && PASSING.has(error.code)) return error;
  throw error;
}

const PASSING: ReadonlySet<string> = new Set(['notRunning', 'engineUnreachable', 'timeout']);

function printConnected({ remoteControl }: EngineStatus, json: boolean): number {
  const { status, state, environmentId } = remoteControl;
  if (json) printJson({ type: 'connected', status, state, environmentId });
  else stdout.print(`Connected as environment ${environmentId}`);
  return EXIT.ok;
}

function notConnectedInTime(
  last: EngineStatus | undefined,
  problem: EngineError | undefined,
  seconds: number,
): EngineError {
  if (problem?.code === 'notRunning') return problem;
  const link = last?.remoteControl;
  const detail =
    problem !== undefined || link === undefined
      ? (problem?.message ?? 'The engine did not answer.')
      : `${link.status}, ${link.state}: ${link.detail ?? meaningOf(link.reason)}`;
  const remediation = problem === undefined ? {} : { remediation: problem.remediation };
  const why = detail.replace(/\.$/, '');
  return new EngineError('timeout', `Not connected within ${seconds} s (${why}).`, remediation);
}
