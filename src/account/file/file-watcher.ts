/** Watches one file that may not exist yet, whose directory may come, go, or be replaced. */
import { type FSWatcher, statSync, watch as watchDirectory } from 'node:fs';
import { basename, dirname } from 'node:path';

/** A replacement comes as several events, ms. */
const DEBOUNCE = 20;

interface FileWatcherOptions {
  readonly path: string;
  /** Between two checks when the system reports no change, ms. */
  readonly pollMs: number;
  /** Called when the file may have changed; also when it has not. */
  readonly check: () => void;
}

export class FileWatcher {
  readonly #options: FileWatcherOptions;
  #watcher: FSWatcher | undefined;
  /** Identity of the watched directory. */
  #watched: string | undefined;
  #poll: NodeJS.Timeout | undefined;
  #pending: NodeJS.Timeout | undefined;

  constructor(options: FileWatcherOptions) {
    this.#options = options;
  }

  /** Also checks once soon. */
  start(): void {
    if (this.#poll !== undefined) return;
    this.#poll = setInterval(() => {
      this.#watch();
      this.#options.check();
    }, this.#options.pollMs);
    this.#poll.unref();
    this.#watch();
    this.checkSoon(DEBOUNCE);
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#pending);
    this.#poll = undefined;
    this.#pending = undefined;
    this.#unwatch();
  }

  /**
   * Checks after `delay` ms. A check that is planned already is not postponed: a busy writer could postpone it for
   * ever.
   */
  checkSoon(delay: number): void {
    if (this.#poll === undefined) return;
    this.#pending ??= setTimeout(() => {
      this.#pending = undefined;
      this.#options.check();
    }, delay).unref();
  }

  /** Watches the directory, not the file: a file that is replaced by rename takes its watch with it. */
  #watch(): void {
    const { path } = this.#options;
    const directory = dirname(path);
    const name = basename(path);
    const identity = identityOf(directory);
    if (identity === this.#watched && this.#watcher !== undefined) return;
    this.#unwatch();
    if (identity === undefined) return;
    try {
      this.#watcher = watchDirectory(directory, { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name) this.checkSoon(DEBOUNCE);
      });
      this.#watched = identity;
      // Out of watches, or not supported here: polling continues.
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      this.#unwatch();
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = undefined;
  }
}

function identityOf(directory: string): string | undefined {
  try {
    const { dev, ino } = statSync(directory);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
