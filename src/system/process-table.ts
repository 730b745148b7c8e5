import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** One process of `/proc`. */
export interface ProcessEntry {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks between the boot and its start. It distinguishes a process from a later one with the same pid. */
  readonly started: number;
}

/** Entries that are read without a pause for other work. */
const SLICE = 50;
/** A process that hangs in the kernel can make its environment unreadable for long, ms. */
const ENVIRONMENT_TIMEOUT = 500;

/** The processes at one moment, except those that the reader skips. */
export class ProcessTable {
  readonly entries: ReadonlyMap<number, ProcessEntry>;
  readonly #variable: string;
  readonly #values = new Map<number, Promise<string | undefined>>();

  constructor(entries: ReadonlyMap<number, ProcessEntry>, variable: string) {
    this.entries = entries;
    this.#variable = variable;
  }

  /**
   * What the environment variable was when these processes started. One that has none, or whose environment cannot be
   * read, is left out.
   */
  async values(pids: Iterable<number>): Promise<ReadonlyMap<number, string>> {
    const values = new Map<number, string>();
    for (const pid of pids) this.#values.get(pid) ?? this.#values.set(pid, valueIn(pid, this.#variable));
    for (const pid of pids) {
      const value = await this.#values.get(pid);
      if (value !== undefined) values.set(pid, value);
    }
    return values;
  }
}

/** Reads the table of processes. Requests that come while it is being read share the next reading. Linux only. */
export class ProcessTableReader {
  readonly #variable: string;
  readonly #skipped: { has(pid: number): boolean };
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<ProcessTable> | undefined;

  /**
   * @param variable The environment variable that `ProcessTable.values` reads.
   * @param skipped Processes that are not read.
   */
  constructor(variable: string, skipped: { has(pid: number): boolean }) {
    this.#variable = variable;
    this.#skipped = skipped;
  }

  read(): Promise<ProcessTable> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const reading = this.#read();
      this.#running = reading;
      return reading;
    });
    return this.#next;
  }

  async #read(): Promise<ProcessTable> {
    const entries = new Map<number, ProcessEntry>();
    const pids = processIds().filter((pid) => !this.#skipped.has(pid));
    for (const [index, pid] of pids.entries()) {
      if (index % SLICE === SLICE - 1) await new Promise(setImmediate);
      const entry = processEntry(pid);
      if (entry !== undefined) entries.set(pid, entry);
    }
    return new ProcessTable(entries, this.#variable);
  }
}

function processIds(): number[] {
  if (process.platform !== 'linux') return [];
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** A process that runs; undefined where it has ended, also when its parent has not collected it. Linux only. */
export function processEntry(pid: number): ProcessEntry | undefined {
  const stat = statOf(pid);
  return stat === undefined || /^[ZX]/.test(stat.state) ? undefined : stat.entry;
}

/** When a process started, in the ticks of `ProcessEntry`, also one that its parent has not collected. Linux only. */
export const startTime = (pid: number): number | undefined => statOf(pid)?.entry.started;

function statOf(pid: number): { readonly state: string; readonly entry: ProcessEntry } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // Field 2, the name, is in parentheses and may contain anything. Field 22 is the start time.
  const end = stat.lastIndexOf(')');
  const name = stat.slice(stat.indexOf('(') + 1, end);
  const [state = '', parent, group, session, ...more] = stat.slice(end + 2).split(' ');
  const numbers = { parent: Number(parent), group: Number(group), session: Number(session) };
  return { state, entry: { pid, name, ...numbers, started: Number(more[15]) } };
}

async function valueIn(pid: number, variable: string): Promise<string | undefined> {
  const prefix = `${variable}=`;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(''), ENVIRONMENT_TIMEOUT);
  });
  try {
    const text = await Promise.race([readFile(`/proc/${pid}/environ`, 'latin1'), late]);
    const found = text.split('\0').find((line) => line.startsWith(prefix));
    return found?.slice(prefix.length);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
