/**
 * Watches one file that may not exist yet, whose directory may come, go, or be replaced. Of a symbolic link both the
 * link and its target are watched.
 */
import { type FSWatcher, statSync, watch as watchDirectory } from 'node:fs';
import { basename, dirname } from 'node:path';
import { linkTarget } from '../../system/link-target.js';

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
  /** By path of the watched file. */
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
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
    for (const path of [...this.#watchers.keys()]) this.#unwatch(path);
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

  #watch(): void {
    const { path } = this.#options;
    const paths = new Set([path, targetOf(path)]);
    for (const old of [...this.#watchers.keys()]) if (!paths.has(old)) this.#unwatch(old);
    for (const each of paths) this.#watchOne(each);
  }

  /** Watches the directory, not the file: a file that is replaced by rename takes its watch with it. */
  #watchOne(path: string): void {
    const directory = dirname(path);
    const name = basename(path);
    const identity = identityOf(directory);
    if (identity !== undefined && identity === this.#watchers.get(path)?.identity) return;
    this.#unwatch(path);
    if (identity === undefined) return;
    try {
      const watcher = watchDirectory(directory, { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name) this.checkSoon(DEBOUNCE);
      });
      this.#watchers.set(path, { watcher, identity });
      // Out of watches, or not supported here: polling continues.
      watcher.on('error', () => this.#unwatch(path));
    } catch {
      this.#unwatch(path);
    }
  }

  #unwatch(path: string): void {
    this.#watchers.get(path)?.watcher.close();
    this.#watchers.delete(path);
  }
}

function targetOf(path: string): string {
  try {
    return linkTarget(path);
  } catch {
    return path;
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
