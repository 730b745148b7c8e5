/** Threads that run seeds, one seed at a time each. */
import { Worker } from 'node:worker_threads';
import type { Scripts } from './compile.js';
import type { RunRequest, SeedReport } from './worker.js';

/** A world is garbage after its seed: a large young generation saves most of the collections. MB */
const YOUNG_GENERATION = 96;

export class Pool {
  readonly #workers: readonly Worker[];
  readonly #free: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];

  /** @param source the script of worker.ts, bundled */
  constructor(source: string, jobs: number) {
    this.#workers = Array.from(
      { length: jobs },
      () =>
        new Worker(source, { eval: true, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION } }),
    );
    this.#free.push(...this.#workers);
  }

  /** The code that the next seeds run. Call it while none runs. */
  load(scripts: Scripts): void {
    for (const worker of this.#workers) worker.postMessage({ scripts });
  }

  async run(request: RunRequest): Promise<SeedReport> {
    const worker = this.#free.pop() ?? (await new Promise<Worker>((resolve) => this.#waiting.push(resolve)));
    try {
      return await new Promise<SeedReport>((resolve, reject) => {
        const end = (): void => {
          worker.off('message', onMessage);
          worker.off('error', onError);
        };
        const onMessage = (report: SeedReport): void => {
          end();
          resolve(report);
        };
        const onError = (error: unknown): void => {
          end();
          reject(new Error(`seed ${request.seed} has ended its thread: ${String(error)}`, { cause: error }));
        };
        worker.on('message', onMessage);
        worker.on('error', onError);
        worker.postMessage(request);
      });
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(worker);
      else next(worker);
    }
  }

  /**
   * Runs the seeds from `first` on, in parallel. Stops when `onReport` returns false. Reports come in the order in which
   * the seeds end.
   */
  async runAll(first: number, count: number, onReport: (report: SeedReport) => boolean): Promise<void> {
    let next = first;
    let going = true;
    const line = async (): Promise<void> => {
      while (going && next < first + count) {
        const seed = next;
        next += 1;
        if (!onReport(await this.run({ seed }))) going = false;
      }
    };
    await Promise.all(this.#workers.map(line));
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
