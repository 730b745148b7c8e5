/** Runs the world of one seed: work and faults, then a healthy world in which everything must work again. */
import type { Code } from './compile.js';
import { invariantsOf } from './invariants/index.js';
import { Site } from './site.js';
import { type Step, stepsOf } from './steps.js';
import { Random } from './world/random.js';
import { Violation } from './world/violation.js';

/** From any state, a healthy world leads to a connection within this time, ms. */
const RECOVERY = 60_000;
/** Then clients connect again and get their answers, ms: a link that fell silent is noticed after its pong timeout. */
const CLIENT_RECOVERY = 180_000;
const STOP_LIMIT = 15_000;

export interface RunOptions {
  readonly seed: number;
  readonly code: Code;
  /** Only these steps of the seed happen; undefined: all. */
  readonly only?: ReadonlySet<number> | undefined;
}

export interface RunResult {
  readonly seed: number;
  /** Null: every invariant holds. */
  readonly failure: Error | null;
  readonly steps: readonly Step[];
  /** Events of the scheduler. */
  readonly events: number;
  /** Simulated ms. */
  readonly time: number;
  readonly digest: string;
  readonly trace: string;
}

export async function runSeed({ seed, code, only }: RunOptions): Promise<RunResult> {
  const { steps, end } = stepsOf(new Random(`steps ${seed}`));
  const taken = steps.filter(({ index }) => only === undefined || only.has(index));
  const site = new Site(seed, code);
  const { world } = site;
  const { scheduler, trace } = world;
  const onRejection = (error: unknown): void => scheduler.fail(error);
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onRejection);
  let failure: Error | null = null;
  try {
    const invariants = invariantsOf(site);
    const check = (): void => {
      for (const invariant of invariants) invariant.check();
    };
    site.start();
    for (const step of taken) {
      scheduler.after(step.at, () => {
        if (step.kind === 'fault') trace.add('fault', step.text);
        step.act(site);
      });
    }
    await scheduler.run(end, check);
    await recover(site, check);
    for (const invariant of invariants) invariant.atEnd?.();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    trace.add('world', `FAILED ${failure instanceof Violation ? failure.message : failure.stack}`);
  } finally {
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onRejection);
  }
  const { text, digest } = trace;
  return { seed, failure, steps: taken, events: scheduler.steps, time: scheduler.now, digest, trace: text };
}

async function recover(site: Site, check: () => void): Promise<void> {
  const { world, engine, host, clients } = site;
  const { scheduler } = world;
  // A sleeping machine is woken, and a stopped process continues, before the time counts.
  await scheduler.run(scheduler.now + host.asleepFor, check);
  site.heal();
  await scheduler.run(scheduler.now + RECOVERY, check, () => engine.connected);
  if (!engine.connected) {
    const { state, reason } = engine.report;
    throw new Violation(
      'a healthy world leads to a connection within 60 s',
      `the engine is in ${state} (${reason}) after ${RECOVERY / 1_000} s`,
    );
  }
  const before = clients.map(({ answered }) => answered);
  const done = (): boolean => clients.every(({ answered }, index) => answered >= (before[index] ?? 0) + 2);
  const speak = (): void => {
    for (const client of clients) client.conversation?.echo(client.nextValue());
    if (!done()) scheduler.after(5_000, speak);
  };
  scheduler.after(0, speak);
  await scheduler.run(scheduler.now + CLIENT_RECOVERY, check, done);
  const silent = clients.filter(({ answered }, index) => answered < (before[index] ?? 0) + 2);
  if (silent.length > 0) {
    throw new Violation(
      'each client gets an answer in a healthy world',
      `${silent.map(({ name, conversation }) => `${name} (${conversation === undefined ? 'not connected' : 'no answer'})`).join(', ')} after ${CLIENT_RECOVERY / 1_000} s`,
    );
  }
  await stopCleanly(site, check);
}

/** After a stop the process owns nothing: no timer, socket, lock or file. */
async function stopCleanly({ world, engine }: Site, check: () => void): Promise<void> {
  const { scheduler } = world;
  const { process } = engine;
  engine.supervised = false;
  let stopped = false;
  void engine.stop().then(() => {
    stopped = true;
  });
  await scheduler.run(scheduler.now + STOP_LIMIT, check, () => process?.alive !== true);
  if (process?.alive === true) {
    throw new Violation(
      'a stop ends the engine',
      `${stopped ? 'its process' : 'it'} still runs after ${STOP_LIMIT / 1_000} s`,
    );
  }
}
