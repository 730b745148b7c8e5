import { readFile } from 'node:fs/promises';

export const MIB = 1024 * 1024;

/** Memory of a process, bytes; null where it cannot be read. */
export async function rss(pid: number | undefined): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
  return kb === undefined ? null : Number(kb) * 1024;
}

/** Observes the memory of a process. `grown`: its peak above the start, bytes; 0 where it cannot be read. */
export class MemoryWatch {
  readonly #pid: number | undefined;
  readonly #before: number;
  #highest = 0;
  #ended = false;

  private constructor(pid: number | undefined, before: number) {
    this.#pid = pid;
    this.#before = before;
  }

  static async of(pid: number | undefined): Promise<MemoryWatch> {
    const watch = new MemoryWatch(pid, (await rss(pid)) ?? 0);
    void watch.#follow();
    return watch;
  }

  get grown(): number {
    return Math.max(0, this.#highest - this.#before);
  }

  end(): number {
    this.#ended = true;
    return this.grown;
  }

  async #follow(): Promise<void> {
    while (!this.#ended) {
      const now = await rss(this.#pid);
      if (now === null) return;
      this.#highest = Math.max(this.#highest, now);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
