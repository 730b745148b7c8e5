/** All processes of the world, by pid. */
import type { SimProcess } from './process.js';

export class Processes {
  readonly #byPid = new Map<number, SimProcess>();
  #next = 1_000;

  nextPid(): number {
    this.#next += 1;
    return this.#next;
  }

  add(process: SimProcess): void {
    this.#byPid.set(process.pid, process);
    process.events.once('end', () => this.#byPid.delete(process.pid));
  }

  /** False: there is no such process. A negative pid is a process group: here the process and nothing else. */
  signal(pid: number, signal: string | number): boolean {
    const process = this.#byPid.get(Math.abs(pid));
    if (process === undefined) return false;
    if (signal === 'SIGKILL' || signal === 9) process.end({ code: null, signal: 'SIGKILL' });
    else if (signal !== 0) process.end({ code: null, signal: String(signal) });
    return true;
  }

  get running(): readonly SimProcess[] {
    return [...this.#byPid.values()];
  }
}
