/** Fails a test that leaves a socket, server, timer, watcher or child behind. */
import { type AsyncHook, createHook } from 'node:async_hooks';
import { afterEach, beforeEach, expect } from 'vitest';

/** Resources that stay until they are closed. Timers count whether or not they keep the process alive. */
const KINDS = new Set([
  'TCPWRAP',
  'TCPSERVERWRAP',
  'PIPEWRAP',
  'PIPESERVERWRAP',
  'PROCESSWRAP',
  'FSEVENTWRAP',
  'STATWATCHER',
  'TTYWRAP',
  'UDPWRAP',
  'Timeout',
]);
/** Closing takes a few turns of the event loop, and for a socket one round trip. */
const PATIENCE = 1_500;
/** Created by the test runner. */
const FOREIGN = /node_modules\/(?:@vitest|vitest|tinypool|vite)\//;
/**
 * Created by Node: the cached date for the headers of its HTTP servers, and the timers of AbortSignal.timeout, which end
 * with their signal.
 */
const SHARED = /node:internal\/(?:http|abort_controller):/;
const OURS = /\/(?:src|machines|test)\//;

interface Resource {
  readonly kind: string;
  readonly stack: string;
}

class Watch {
  readonly #alive = new Map<number, Resource>();
  readonly #hook: AsyncHook;
  #counting = true;

  constructor() {
    this.#hook = createHook({
      init: (id, kind) => {
        if (this.#counting && KINDS.has(kind)) this.#alive.set(id, { kind, stack: longStack() });
      },
      destroy: (id) => this.#alive.delete(id),
    }).enable();
  }

  /** Nothing new counts from now on: the runner creates resources at the end of a test. */
  settle(): void {
    this.#counting = false;
  }

  get left(): string[] {
    return [...this.#alive.values()]
      .filter(({ stack }) => !SHARED.test(stack) && (OURS.test(stack) || !FOREIGN.test(stack)))
      .map(({ kind, stack }) => `${kind} made at ${whereOf(stack)}`);
  }

  end(): void {
    this.#hook.disable();
  }
}

/** Functions of Node fill most of the usual ten lines. */
function longStack(): string {
  const usual = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = usual;
  // Without the message and the lines of this file.
  const lines = stack.split('\n').slice(1);
  return lines.filter((line) => !line.includes('support/leftovers.ts')).join('\n');
}

/** The nearest line of this repository. */
function whereOf(stack: string): string {
  const lines = stack.split('\n');
  const own = lines.filter((line) => OURS.test(line));
  return (own.length > 0 ? own : lines)
    .slice(0, 3)
    .map((line) => line.trim())
    .join(' < ');
}

/** Resources that were created during `work` and still exist shortly after it. */
export async function leftoversOf(work: () => Promise<unknown>): Promise<string[]> {
  const watch = new Watch();
  try {
    await work();
    watch.settle();
    return await leftIn(watch);
  } finally {
    watch.end();
  }
}

async function leftIn(watch: Watch): Promise<string[]> {
  const limit = performance.now() + PATIENCE;
  while (watch.left.length > 0 && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return watch.left;
}

/** Call it once at the top of a test file, before hooks that create resources: those hooks run first at the end. */
export function checkLeftovers(): void {
  let watch: Watch | undefined;
  beforeEach(() => {
    watch = new Watch();
  });
  afterEach(async () => {
    if (watch === undefined) return;
    watch.settle();
    const left = await leftIn(watch);
    watch.end();
    watch = undefined;
    expect(left, 'left behind').toEqual([]);
  });
}
