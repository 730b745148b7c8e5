/** The engine under test: a process of its machine, which a service manager starts again when it has ended. */
import type { Engine } from '../../../src/engine/engine.js';
import type { EngineOptions } from '../../../src/engine/options.js';
import type { Machine } from '../world/machine.js';
import type { SimProcess } from '../world/process.js';
import type { World } from '../world/world.js';
import { inside, startEngine } from './process-of.js';

export const HOME = '/home/user/.rc-engine';
export const AUTH_FILE = `${HOME}/auth.json`;
export const STORE_FILE = `${HOME}/rc-engine.sqlite`;
export const LOCAL_SOCKET = `${HOME}/agent.sock`;

/** A service manager starts the engine again after this time, ms. */
const RESTART = 3_000;

export interface EnginePlace {
  readonly baseUrl: string;
  readonly issuer: string;
  readonly appServer: string;
  readonly options?: Partial<EngineOptions>;
}

export class EnginePart {
  readonly machine: Machine;
  readonly name: string;
  /** Its service manager is on. */
  supervised = true;
  /** The state and reason of its last report. */
  report = { state: 'none', reason: 'none' };
  /** Everything that it has logged. */
  onOutput: (text: string) => void = () => {};
  onStarted: (process: SimProcess) => void = () => {};
  /** It has stopped by itself, and its process is about to end. */
  onStopped: (process: SimProcess) => void = () => {};
  readonly #world: World;
  readonly #place: EnginePlace;
  #process: SimProcess | undefined;
  #engine: Engine | undefined;
  #ready = false;
  #restarting = false;

  constructor(world: World, machine: Machine, place: EnginePlace, name = 'engine') {
    this.name = name;
    this.machine = machine;
    this.#world = world;
    this.#place = place;
  }

  /** Undefined: it does not run. */
  get process(): SimProcess | undefined {
    return this.#process?.alive === true ? this.#process : undefined;
  }

  /** Undefined: it does not run, or its start is not complete. */
  get engine(): Engine | undefined {
    return this.#ready && this.process !== undefined ? this.#engine : undefined;
  }

  get connected(): boolean {
    return this.engine?.status.status === 'connected';
  }

  start(): void {
    if (this.process !== undefined) return;
    const { process, code } = startEngine(this.#world, this.machine, this.name);
    this.#process = process;
    this.#ready = false;
    this.onStarted(process);
    process.events.once('end', () => {
      this.report = { state: 'ended', reason: 'none' };
      this.#restart();
    });
    inside(process, () => this.#begin(process, code)).catch((error: unknown) => {
      this.#say(`start failed: ${String(error)}`);
      process.end({ code: 1, signal: null });
    });
  }

  #restart(): void {
    if (!this.supervised || this.#restarting) return;
    this.#restarting = true;
    this.#world.scheduler.after(RESTART, () => {
      this.#restarting = false;
      if (this.supervised) this.start();
    });
  }

  async #begin(process: SimProcess, code: ReturnType<typeof startEngine>['code']): Promise<void> {
    const log = (level: string) => (fields: object, message: string) =>
      this.#say(`${level} ${message} ${JSON.stringify(fields)}`);
    const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
    const { baseUrl, issuer, appServer, options } = this.#place;
    const engine = code.createEngine({
      ...{ home: HOME, baseUrl, issuer, logger, authStartup: 'recoverable' },
      ...{ listen: `unix://${LOCAL_SOCKET}` },
      appServer: code.createAppServer({ kind: 'socket', url: appServer, bearer: undefined }, logger),
      ...options,
    });
    this.#engine = engine;
    engine.on('report', ({ state, reason }) => {
      this.report = { state, reason };
      this.#say(`${state}: ${reason}`);
    });
    engine.on('fault', (error) => this.#world.scheduler.fail(error));
    engine.on('stopped', (failure) => {
      this.#say(`stopped: ${failure?.reason ?? 'no failure'}`);
      process.after(1_000, () => {
        this.onStopped(process);
        process.end({ code: 0, signal: null });
      });
    });
    await engine.start();
    this.#ready = true;
    this.#say('ready');
  }

  /** A pairing code. */
  async pair(): Promise<string> {
    const { engine, process } = this;
    if (engine === undefined || process === undefined) throw new Error('the engine does not run');
    return inside(process, async () => (await engine.pair()).pairingCode);
  }

  /** As SIGTERM. Resolves when it has stopped. */
  async stop(): Promise<void> {
    const { engine, process } = this;
    if (engine !== undefined && process !== undefined) await inside(process, () => engine.stop());
  }

  kill(): void {
    this.process?.end({ code: null, signal: 'SIGKILL' });
  }

  #say(event: string): void {
    this.#world.trace.add(this.name, event);
    this.onOutput(event);
  }
}
