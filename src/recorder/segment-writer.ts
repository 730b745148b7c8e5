import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lane, parseSegmentName, segmentName } from './format.js';

export interface SegmentWriterOptions {
  readonly directory: string;
  readonly lane: Lane;
  readonly boot: string;
  /** Bytes that all files of this lane may have together. */
  readonly limit: number;
  /** Older files are deleted, ms. */
  readonly maxAge: number;
  /** The first line of a file. */
  readonly head: (segment: number) => string;
  /** The lines that make a file independent of those before it. */
  readonly states: () => readonly string[];
  /** The line that says how many are missing. */
  readonly gap: (lost: number) => string;
  /** Writing failed; called once until it works again. */
  readonly onFailure: (error: unknown) => void;
  readonly now: () => number;
  readonly monotonic: () => number;
}

interface Batch {
  readonly segment: number;
  readonly lines: string[];
  /** How many of them are no lines of the writer itself. */
  records: number;
}

/** Bytes that wait for the disk; more is dropped and counted. */
const MAX_QUEUE = 1024 * 1024;
/** A line waits for others for so long, ms. */
const FLUSH_AFTER = 100;
/** After a failure nothing is written for so long, ms. */
const RETRY_AFTER = 30_000;
/** A ring has so many files, so that deleting the oldest one loses little. */
const FILES = 8;
const MIN_SEGMENT = 16 * 1024;
/** How long the last lines may take at the end, ms. */
const CLOSE_LIMIT = 1_000;

/**
 * Writes lines to a ring of files. Calls never wait and never throw: what the disk does not take in time is dropped, and a
 * line of the file says how much.
 */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #segmentLimit: number;
  #batches: Batch[] = [];
  #queued = 0;
  /** Number and bytes of the file that new lines belong to; 0: none yet. */
  #segment = 0;
  #bytes = 0;
  /** Lines that were dropped since the last gap line, and in all. */
  #lost = 0;
  #dropped = 0;
  #file: { readonly segment: number; readonly handle: FileHandle } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  /** Monotonic ms. */
  #failedAt: number | undefined;
  #reported = false;
  #closed = false;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#segmentLimit = Math.max(Math.floor(options.limit / FILES), MIN_SEGMENT);
  }

  /** Lines that were not written. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether the last write failed. */
  get failing(): boolean {
    return this.#reported;
  }

  append(line: string): void {
    if (this.#closed) return;
    if (this.#isPausing() || this.#queued + line.length > MAX_QUEUE) {
      this.#drop(1);
      return;
    }
    const lost = this.#lost;
    if (this.#segment === 0 || lost > 0) this.#beginSegment();
    this.#push(line, 1);
    // After a gap the state of each chart is written again: a replay continues from there. It includes this line.
    if (lost > 0) this.#pushStates();
    if (this.#bytes >= this.#segmentLimit) {
      this.#beginSegment();
      this.#pushStates();
    }
    this.#schedule();
  }

  /** Writes what waits, for at most a second, and closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    let limit: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, CLOSE_LIMIT);
    });
    await Promise.race([this.#flush().then(() => this.#closeFile()), late]);
    clearTimeout(limit);
  }

  #beginSegment(): void {
    this.#segment += 1;
    this.#bytes = 0;
    this.#push(this.#options.head(this.#segment));
    if (this.#lost > 0) this.#push(this.#options.gap(this.#lost));
    this.#lost = 0;
  }

  #pushStates(): void {
    for (const line of this.#options.states()) this.#push(line);
  }

  #push(line: string, records = 0): void {
    const size = Buffer.byteLength(line) + 1;
    this.#queued += size;
    this.#bytes += size;
    const last = this.#batches.at(-1);
    if (last?.segment !== this.#segment) {
      this.#batches.push({ segment: this.#segment, lines: [line], records });
      return;
    }
    last.lines.push(line);
    last.records += records;
  }

  #drop(lines: number): void {
    this.#lost += lines;
    this.#dropped += lines;
  }

  #isPausing(): boolean {
    if (this.#failedAt === undefined) return false;
    if (this.#options.monotonic() - this.#failedAt < RETRY_AFTER) return true;
    this.#failedAt = undefined;
    return false;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#flushing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#flush().then(() => {
        if (this.#queued > 0 && !this.#closed) this.#schedule();
      });
    }, FLUSH_AFTER);
    // A history does not keep a process alive.
    this.#timer.unref();
  }

  /** Never rejects. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #writeAll(): Promise<void> {
    while (this.#batches.length > 0) {
      const batches = this.#batches;
      this.#batches = [];
      this.#queued = 0;
      for (const [index, batch] of batches.entries()) {
        try {
          await this.#write(batch);
        } catch (error) {
          this.#fail(error, batches.slice(index));
          return;
        }
      }
    }
  }

  async #write({ segment, lines }: Batch): Promise<void> {
    if (this.#file !== undefined && this.#file.segment !== segment) await this.#closeFile();
    this.#file ??= { segment, handle: await this.#create(segment) };
    const { handle } = this.#file;
    await handle.appendFile(`${lines.join('\n')}\n`);
    // Somebody may have deleted the file or the directory: lines would go nowhere.
    if ((await handle.stat()).nlink === 0) throw new Error('the file was deleted');
    this.#reported = false;
  }

  async #create(segment: number): Promise<FileHandle> {
    const { directory, boot, lane } = this.#options;
    await mkdir(directory, { mode: 0o700, recursive: true });
    const handle = await open(join(directory, segmentName(boot, lane, segment)), 'ax', 0o600);
    await this.#removeOld(segment);
    return handle;
  }

  /** Deletes the oldest files of this lane, so that the new one has room. */
  async #removeOld(current: number): Promise<void> {
    const { directory, lane, limit, maxAge, boot, now } = this.#options;
    const names = (await readdir(directory)).filter((name) => parseSegmentName(name)?.lane === lane).sort();
    const keep = segmentName(boot, lane, current);
    let free = limit - this.#segmentLimit;
    for (const name of names.reverse()) {
      if (name === keep) continue;
      const path = join(directory, name);
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: now() }));
      free -= size;
      if (free < 0 || now() - mtimeMs > maxAge) await unlink(path).catch(() => {});
    }
  }

  #fail(error: unknown, batches: readonly Batch[]): void {
    // What waits belongs to the same file.
    this.#drop([...batches, ...this.#batches].reduce((sum, { records }) => sum + records, 0));
    this.#batches = [];
    this.#queued = 0;
    this.#failedAt = this.#options.monotonic();
    void this.#closeFile().catch(() => {});
    if (this.#reported) return;
    this.#reported = true;
    this.#options.onFailure(error);
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close().catch(() => {});
  }
}
