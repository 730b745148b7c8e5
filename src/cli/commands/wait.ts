import type { EngineStatus } from '../../engine/status.js';
import { EngineError } from '../../protocol/errors.js';
import { type ControlClient, connectControl } from '../control-client.js';
import { EXIT, means, printJson } from '../output/output.js';

const LOOK_AGAIN = 250;

/** `rc-engine wait`: returns when connected; exit code 1 when that does not happen in time. */
export async function wait(args: {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly timeout?: number | undefined;
}): Promise<number> {
  if (args.timeout !== undefined && !(args.timeout >= 0)) {
    throw new EngineError('usage', '--timeout must be a number of seconds.');
  }
  const deadline = args.timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + args.timeout * 1000;
  let client: ControlClient | undefined;
  let last: EngineStatus | undefined;
  try {
    for (;;) {
      // The engine may still be starting: that it is not there yet is part of waiting.
      client ??= await connectControl(args.home).catch((error: unknown) => {
        if (error instanceof EngineError && error.code === 'notRunning' && Date.now() < deadline)
          return undefined;
        throw error;
      });
      if (client !== undefined) {
        last = (await client.request('engine/status/read', {}).catch((error: unknown) => {
          if (!(error instanceof EngineError && error.code === 'notRunning')) throw error;
          client = undefined;
          return last;
        })) as EngineStatus | undefined;
        if (client !== undefined && last?.remoteControl.status === 'connected')
          return done(last, args.json === true);
      }
      if (Date.now() >= deadline) throw tooLate(last, args.timeout ?? 0);
      await new Promise((resolve) =>
        setTimeout(resolve, Math.min(LOOK_AGAIN, Math.max(deadline - Date.now(), 1))),
      );
    }
  } finally {
    client?.close();
  }
}

function done(answer: EngineStatus, json: boolean): number {
  const { status, state, environmentId } = answer.remoteControl;
  if (json) printJson({ type: 'connected', status, state, environmentId });
  else process.stdout.write(`connected as ${environmentId}\n`);
  return EXIT.ok;
}

function tooLate(last: EngineStatus | undefined, seconds: number): EngineError {
  const at = last?.remoteControl;
  const why =
    at === undefined ? 'no engine runs there' : `${at.status}, ${at.state}: ${at.detail ?? means(at.reason)}`;
  return new EngineError('timeout', `Not connected within ${seconds} s (${why}).`);
}
