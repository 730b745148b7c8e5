/** The simulated world: machines, their processes, and the network between them. */
import type { Code } from '../compile.js';
import { Ports } from '../modules/net.js';
import { Disk, type Node } from './disk.js';
import { Machine } from './machine.js';
import { Network } from './network.js';
import { SimProcess } from './process.js';
import { Processes } from './processes.js';
import { Random } from './random.js';
import { Scheduler } from './scheduler.js';
import { Trace } from './trace.js';

/** What a program gets when the engine starts it. */
export interface Command {
  readonly args: readonly string[];
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export class World {
  readonly seed: number;
  /** The code under test. */
  readonly code: Code;
  readonly scheduler = new Scheduler();
  readonly random: Random;
  readonly network: Network;
  readonly ports = new Ports();
  readonly processes = new Processes();
  readonly trace: Trace;
  /** Programs that a process can start. */
  readonly programs = new Map<string, (process: SimProcess, command: Command) => void>();
  /** Locks on files, by file: those of flock and those of SQLite. */
  readonly #flocks = new Map<Node, SimProcess>();
  readonly databaseLocks = new Map<Node, { readonly process: SimProcess; readonly holder: object }>();

  constructor(seed: number, code: Code) {
    this.code = code;
    this.seed = seed;
    this.random = new Random(`seed ${seed}`);
    this.network = new Network(this.random.fork('network'));
    this.trace = new Trace(() => this.scheduler.now);
  }

  machine(name: string): Machine {
    const random = this.random.fork(`machine ${name}`);
    const disk = new Disk(random.fork('disk'), () => Math.floor(this.scheduler.now));
    return new Machine(name, this.scheduler, random, disk);
  }

  process(machine: Machine, name: string, env: Record<string, string> = {}): SimProcess {
    const pid = this.processes.nextPid();
    const random = this.random.fork(`process ${name} ${pid}`);
    const process = new SimProcess({ scheduler: this.scheduler, machine }, name, pid, random, env);
    this.processes.add(process);
    return process;
  }

  /** How many locks a process holds. */
  locksOf(process: SimProcess): number {
    let count = 0;
    for (const holder of this.#flocks.values()) if (holder === process) count += 1;
    for (const lock of this.databaseLocks.values()) if (lock.process === process) count += 1;
    return count;
  }

  takeFlock(process: SimProcess, node: Node): boolean {
    if (this.#flocks.has(node)) return false;
    this.#flocks.set(node, process);
    return true;
  }

  releaseFlock(process: SimProcess, node: Node): void {
    if (this.#flocks.get(node) === process) this.#flocks.delete(node);
  }
}
