/**
 * What an app server started outside of its process group: terminals, servers, all that has a session of its own.
 * WSA-59
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ProcessEntry,
  type ProcessTableReader,
  processEntry,
  startTime,
} from '../system/process-table.js';

/**
 * The environment variable that marks an app server and all processes below it. A process with another value, an empty
 * one too, is left alone.
 */
export const CHILD_MARK = 'RC_ENGINE_CHILD';

/** How often it is checked whether processes still run, ms. */
const POLL_INTERVAL = 40;
/** After SIGKILL, ms. */
const KILL_TIMEOUT = 500;

/** The descendants of one child that are not in its process group. On systems other than Linux none are found. */
export class Descendants {
  readonly #pid: number;
  readonly #mark: string;
  readonly #reader: ProcessTableReader;
  readonly #started: number | undefined;
  /** All that were found, with start times by pid; also those in the process group. */
  readonly #found = new Map<number, number>();
  readonly #signalled = new Map<number, ProcessEntry>();

  /**
   * @param pid The child, which has just been started; its group has the same number.
   * @param mark The value of `CHILD_MARK` in its environment.
   */
  constructor(pid: number, mark: string, reader: ProcessTableReader) {
    this.#pid = pid;
    this.#mark = mark;
    this.#reader = reader;
    this.#started = startTime(pid);
  }

  /**
   * Finds them: by the mark, also when their parent has ended, and without it by parent and session while the child
   * runs. Those that were found stay known.
   */
  async find(): Promise<void> {
    const started = this.#started;
    if (started === undefined) return;
    const { entries, values } = await this.#table(started);
    for (let grown = true; grown; ) {
      grown = false;
      for (const entry of entries.values()) {
        if (entry.started < started || this.#has(entry)) continue;
        const mark = values.get(entry.pid);
        const ours =
          mark === undefined
            ? [entry.parent, entry.group, entry.session].some((id) => this.#owns(id, entries))
            : mark === this.#mark;
        if (!ours) continue;
        this.#found.set(entry.pid, entry.started);
        grown = true;
      }
    }
  }

  /** Sends SIGTERM to those that were found, to each once: a second one may have another meaning. */
  terminate(): void {
    this.#signal('SIGTERM', (pid) => !this.#signalled.has(pid));
  }

  /**
   * Ends them: SIGTERM, and SIGKILL when the time is over. Resolves when none are left, or none can be ended.
   * @param timeout Between the two signals, ms.
   * @returns all that were sent a signal
   */
  async end(timeout: number): Promise<readonly ProcessEntry[]> {
    const begin = performance.now();
    for (let killing = false; ; ) {
      await this.find();
      if (this.#running().length === 0) break;
      if (killing) this.#signal('SIGKILL');
      else this.terminate();
      const deadline = begin + timeout + (killing ? KILL_TIMEOUT : 0);
      while (this.#running().length > 0 && performance.now() < deadline) await delay(POLL_INTERVAL);
      if (performance.now() < deadline) continue;
      if (killing) break;
      killing = true;
    }
    return [...this.#signalled.values()];
  }

  #signal(signal: NodeJS.Signals, which: (pid: number) => boolean = () => true): void {
    for (const entry of this.#running().filter(({ pid }) => which(pid))) {
      this.#signalled.set(entry.pid, entry);
      try {
        process.kill(entry.pid, signal);
      } catch {
        // It has ended, or runs as another user.
      }
    }
  }

  /** Those that still run, outside of the group of the child. */
  #running(): ProcessEntry[] {
    return [...this.#found.keys()]
      .map(processEntry)
      .filter((entry) => entry !== undefined)
      .filter((entry) => this.#has(entry) && entry.group !== this.#pid);
  }

  /** What started before the child is no descendant, so its environment is not read; the group is one anyway. */
  async #table(started: number) {
    const table = await this.#reader.read();
    const candidates = [...table.entries.values()].filter(
      (entry) => entry.started >= started && entry.group !== this.#pid,
    );
    return { entries: table.entries, values: await table.values(candidates.map(({ pid }) => pid)) };
  }

  /** Whether a process, a group or a session with this number is ours. The system reuses no number that is in use. */
  #owns(id: number, entries: ReadonlyMap<number, ProcessEntry>): boolean {
    const started = id === this.#pid ? this.#started : this.#found.get(id);
    if (started === undefined) return false;
    const entry = entries.get(id);
    return entry === undefined || entry.started === started;
  }

  #has({ pid, started }: ProcessEntry): boolean {
    return this.#found.get(pid) === started;
  }
}
