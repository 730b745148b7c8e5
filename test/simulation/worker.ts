/** A thread that runs seeds. The main thread sends the scripts once, and then requests. */
import { parentPort } from 'node:worker_threads';
import { type Code, compile, type Scripts } from './compile.js';
import { runSeed } from './run.js';

export interface RunRequest {
  readonly seed: number;
  /** Undefined: all steps of the seed. */
  readonly only?: readonly number[] | undefined;
  readonly trace?: boolean;
}

/** The result of one seed, without what cannot be sent between threads. */
export interface SeedReport {
  readonly seed: number;
  /** Null: every invariant holds. */
  readonly failure: { readonly message: string; readonly stack: string } | null;
  readonly steps: readonly {
    readonly index: number;
    readonly at: number;
    readonly kind: string;
    readonly text: string;
  }[];
  readonly events: number;
  readonly time: number;
  readonly digest: string;
  /** Empty unless it was requested. */
  readonly trace: string;
}

/** Thousands of errors are created as values: their stacks would cost more than the rest. */
const STACK = 0;
const LONG_STACK = 30;

let code: Code | undefined;

async function run(request: RunRequest): Promise<SeedReport> {
  if (code === undefined) throw new Error('no scripts yet');
  const { seed, only, trace = false } = request;
  Error.stackTraceLimit = trace ? LONG_STACK : STACK;
  const result = await runSeed({ seed, code, only: only === undefined ? undefined : new Set(only) });
  Error.stackTraceLimit = LONG_STACK;
  const { failure, steps, events, time, digest } = result;
  return {
    ...{ seed, events, time, digest },
    failure: failure === null ? null : { message: failure.message, stack: failure.stack ?? failure.message },
    steps: steps.map(({ index, at, kind, text }) => ({ index, at, kind, text })),
    trace: trace ? result.trace : '',
  };
}

parentPort?.on('message', (message: { readonly scripts: Scripts } | RunRequest) => {
  if ('scripts' in message) code = compile(message.scripts);
  else void run(message).then((report) => parentPort?.postMessage(report));
});
