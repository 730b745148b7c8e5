/** An engine in this process, on the home and backend of a lab, with short delays. Fails when it leaves anything behind. */
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/engine.js';
import type { EngineOptions } from '../../src/engine/options.js';
import type { EngineStatus } from '../../src/engine/status.js';
import type { Timing } from '../../src/protocol/timing.js';
import type { PublicStatus, TimedReport } from '../../src/remote-control/status.js';
import { Lab } from './lab.js';
import { place } from './leaks.js';
import { leftoversOf } from './leftovers.js';

/** The default delays, shortened for tests in the same proportions. */
export const FAST: Partial<Timing> = {
  backoffBase: 20,
  backoffCap: 100,
  quickRetryMin: 1,
  quickRetryMax: 5,
  handoverFirst: 10,
  handoverSecond: 20,
  refreshDeferralMin: 100,
  refreshDeferralMax: 120,
  retryAfterSpread: 10,
  authPoll: 20,
  requestTimeout: 400,
  handshakeTimeout: 400,
  closeTimeout: 200,
};

const LOOK_AGAIN = 20;

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export class Rig {
  readonly lab: Lab;
  readonly reports: TimedReport[] = [];
  readonly statuses: PublicStatus[] = [];
  readonly log: LogLine[] = [];
  readonly faults: unknown[] = [];
  readonly #engines: Engine[] = [];
  readonly #news = new EventEmitter();

  private constructor(lab: Lab) {
    this.lab = lab;
    this.#news.setMaxListeners(0);
  }

  static async open(): Promise<Rig> {
    return new Rig(await Lab.open());
  }

  /** Creates an engine. Default: the backend of the lab, and short delays. */
  async create(options: EngineOptions = {}): Promise<Engine> {
    const note = (level: string) => (fields: object, message: string) => {
      this.log.push({ level, fields, message });
      this.#news.emit('news');
    };
    const engine = createEngine({
      home: this.lab.home,
      baseUrl: options.baseUrl ?? (await this.lab.baseUrl()),
      listen: 'off',
      logger: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      ...options,
      timing: { ...FAST, ...options.timing },
    });
    engine.on('report', (report) => {
      this.reports.push(report);
      this.#news.emit('news');
    });
    engine.on('status', (status) => this.statuses.push(status));
    engine.on('fault', (error) => this.faults.push(error));
    this.#engines.push(engine);
    return engine;
  }

  async start(options: EngineOptions = {}): Promise<Engine> {
    const engine = await this.create(options);
    await engine.start();
    return engine;
  }

  /** Signed in, started and connected. */
  async connected(options: EngineOptions = {}): Promise<Engine> {
    if (this.lab.account === undefined) await this.lab.signIn();
    const engine = await this.start(options);
    await this.reached(engine, ({ status }) => status === 'connected', 'connected');
    return engine;
  }

  /** Waits until the current report matches. Short-lived reports are in `reports`. */
  async reached(
    engine: Engine,
    holds: (report: EngineStatus['remoteControl']) => boolean,
    what: string,
    limitMs = 5_000,
  ): Promise<EngineStatus['remoteControl']> {
    await this.until(() => holds(engine.fullStatus.remoteControl), what, limitMs);
    return engine.fullStatus.remoteControl;
  }

  /** Waits for a condition. It is checked after each report and log line, and a few times per second. */
  async until(holds: () => boolean, what: string, limitMs = 5_000): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (holds()) end(resolve);
      };
      const end = (then: () => void) => {
        clearTimeout(timer);
        clearInterval(looks);
        this.#news.off('news', look);
        then();
      };
      const timer = setTimeout(() => {
        const states = this.reports.slice(-20).map(({ state, reason }) => `${state} (${reason})`);
        end(() => reject(new Error(`no ${what} within ${limitMs} ms; was: ${states.join(', ')}`)));
      }, limitMs);
      const looks = setInterval(look, LOOK_AGAIN);
      this.#news.on('news', look);
    });
  }

  get states(): string[] {
    return this.reports.map(({ state }) => state);
  }

  async end(): Promise<void> {
    for (const engine of this.#engines) await engine.stop();
    const shown = { reports: this.reports, statuses: this.statuses, log: this.log };
    await this.lab.end([place('what the engine told', JSON.stringify(shown))]);
    expect(this.faults).toEqual([]);
  }
}

/** A test with its own rig. */
export const it = test.extend<{ rig: Rig }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the names of the fixtures from this pattern
  rig: async ({}, use) => {
    const left = await leftoversOf(async () => {
      const rig = await Rig.open();
      try {
        await use(rig);
      } finally {
        await rig.end();
      }
    });
    expect(left, 'left behind').toEqual([]);
  },
});
