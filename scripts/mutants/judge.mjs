// Judges the mutants of a chart in worker threads.
import { Worker } from 'node:worker_threads';
import { bundleOf, withFault } from './bundle.mjs';

/**
 * A mutant whose tests do not end counts as noticed: they would time out. The limit grows with the time that the tests of the
 * chart need without a mistake, so that a busy machine is no reason.
 */
const LIMIT_MS = 60_000;
const LIMIT_FACTOR = 12;

/** The verdicts on a sample of the mutants, or on all. `pick` chooses them. */
export async function judge(chart, { jobs, seed, pick }) {
  const text = await bundleOf(chart);
  const bench = () => new Bench({ chart, text, seed });
  const first = bench();
  const { mutants, broken, took } = await first.ask({ ask: 'mutants' }, Number.POSITIVE_INFINITY);
  if (broken !== undefined) {
    await first.end();
    throw new Error(`The tests of ${chart} cannot judge mutants. ${broken}`);
  }
  const open = pick(mutants);
  const total = open.length;
  const verdicts = [];
  const work = async (worker) => {
    for (let mutant = open.shift(); mutant !== undefined; mutant = open.shift()) {
      const verdict = await worker.ask({ mutant }, LIMIT_MS + LIMIT_FACTOR * took);
      if (verdict.broken !== undefined) throw new Error(`${chart}, ${mutant.id}: ${verdict.broken}`);
      verdicts.push({ ...verdict, mutant });
    }
    await worker.end();
  };
  const benches = [first, ...Array.from({ length: Math.min(jobs, total) - 1 }, bench)];
  await Promise.all(benches.map(work));
  return verdicts;
}

/** The verdicts on faults of one chart, which are changes of its sources. */
export async function judgeFaults(chart, faults, { seed }) {
  const worker = new Bench({ chart, text: await bundleOf(chart), seed });
  const verdicts = [];
  try {
    const { broken, took } = await worker.ask({ ask: 'mutants' }, Number.POSITIVE_INFINITY);
    if (broken !== undefined) throw new Error(`The tests of ${chart} cannot judge faults. ${broken}`);
    for (const fault of faults) {
      const contents = await withFault(fault);
      if (contents === undefined) verdicts.push({ fault, isStale: true });
      else {
        const text = await bundleOf(chart, { file: fault.file, contents });
        verdicts.push({ ...(await worker.ask({ fault: text }, LIMIT_MS + LIMIT_FACTOR * took)), fault });
      }
    }
  } finally {
    await worker.end();
  }
  return verdicts;
}

/** A worker thread, which is started again after an endless mutant. */
class Bench {
  #data;
  #worker;

  constructor(data) {
    this.#data = data;
  }

  async ask(message, limit) {
    this.#worker ??= new Worker(new URL('worker.mjs', import.meta.url), { workerData: this.#data });
    const worker = this.#worker;
    worker.postMessage(message);
    const answer = await new Promise((resolve, reject) => {
      const timer = Number.isFinite(limit)
        ? setTimeout(() => done(resolve, { by: 'hand', how: 'the time limit' }), limit)
        : undefined;
      const onMessage = (found) => done(resolve, found);
      const onError = (error) => done(reject, error);
      const done = (settle, value) => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError);
        settle(value);
      };
      worker.on('message', onMessage).on('error', onError);
    });
    if (answer.how === 'the time limit') await this.end();
    return answer;
  }

  async end() {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }
}
