/** `node:fs` and `node:fs/promises` of a simulated process, on the disk of its machine. */
import type { Node } from '../world/disk.js';
import { SystemError } from '../world/disk.js';
import type { SimProcess } from '../world/process.js';
import { statsOf } from './stats.js';

/** Longest time of one operation on the disk, ms. */
const DISK_LATENCY = 1.5;

interface OpenFile {
  readonly fd: number;
  readonly node: Node;
  readonly path: string;
  readonly append: boolean;
  at: number;
}

type Encoding = BufferEncoding | { readonly encoding?: BufferEncoding | null } | null | undefined;
const encodingOf = (given: Encoding): BufferEncoding | undefined =>
  (typeof given === 'object' ? given?.encoding : given) ?? undefined;
const decoded = (data: Buffer, given: Encoding): string | Buffer => {
  const encoding = encodingOf(given);
  return encoding === undefined ? Buffer.from(data) : data.toString(encoding);
};

const constants = { F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2 };

/** The open files of one process, which other modules may need: `flock` gets a descriptor. */
export class Descriptors {
  readonly #open = new Map<number, OpenFile>();
  readonly onClose = new Map<number, () => void>();
  #next = 20;

  get size(): number {
    return this.#open.size;
  }

  add(node: Node, path: string, append: boolean): OpenFile {
    this.#next += 1;
    const file = { fd: this.#next, node, path, append, at: 0 };
    this.#open.set(file.fd, file);
    return file;
  }

  get(fd: number): OpenFile {
    const file = this.#open.get(fd);
    if (file === undefined) throw new SystemError('EBADF', 'read');
    return file;
  }

  close(fd: number): void {
    this.#open.delete(fd);
    this.onClose.get(fd)?.();
    this.onClose.delete(fd);
  }
}

export function createFs(process: SimProcess, descriptors: Descriptors) {
  const { disk } = process.machine;
  const random = process.random.fork('disk');

  /** Does `work` in one moment, a little later. */
  const later = <T>(work: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      process.after(random.float() * DISK_LATENCY, () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });

  function open(path: string, flags: string | number = 'r', mode = 0o666): OpenFile {
    if (path.startsWith('/proc/') || path.startsWith('/sys/')) throw new SystemError('ENOENT', 'open', path);
    const existing = disk.find(path);
    const creates = typeof flags === 'string' && /[wa]/.test(flags);
    if (existing === undefined && !creates) throw new SystemError('ENOENT', 'open', path);
    if (existing !== undefined && typeof flags === 'string' && flags.includes('x'))
      throw new SystemError('EEXIST', 'open', path);
    if (existing?.kind === 'directory' && flags !== 'r') throw new SystemError('EISDIR', 'open', path);
    const node = existing ?? disk.create(path, mode & ~process.umask);
    if (flags === 'w') disk.truncate(node, 0, path);
    return descriptors.add(node, path, typeof flags === 'string' && flags.startsWith('a'));
  }

  function write(file: OpenFile, bytes: Uint8Array, position: number | null): number {
    const at = file.append ? file.node.data.length : (position ?? file.at);
    const written = disk.write(file.node, bytes, at, file.path);
    if (position === null) file.at = at + written;
    return written;
  }

  function read(file: OpenFile, into: Uint8Array, offset: number, length: number, position: number | null) {
    const at = position ?? file.at;
    const part = disk.read(file.node, file.path).subarray(at, at + length);
    into.set(part, offset);
    if (position === null) file.at = at + part.length;
    return part.length;
  }

  function stat(path: string, followLast: boolean, bigint: boolean) {
    return statsOf(disk.get(path, followLast ? 'stat' : 'lstat', followLast), bigint);
  }

  function readFile(path: string, options?: Encoding) {
    const file = open(path);
    try {
      if (file.node.kind === 'directory') throw new SystemError('EISDIR', 'read', path);
      return decoded(disk.read(file.node, path), options);
    } finally {
      descriptors.close(file.fd);
    }
  }

  function rm(path: string, { force = false, recursive = false } = {}): void {
    const node = disk.find(path, false);
    if (node === undefined) {
      if (force) return;
      throw new SystemError('ENOENT', 'rm', path);
    }
    if (node.kind !== 'directory') disk.unlink(path);
    else {
      if (recursive) for (const name of [...node.entries.keys()]) rm(`${path}/${name}`, { recursive });
      disk.rmdir(path);
    }
  }

  function access(path: string, _mode = 0): void {
    disk.get(path, 'access');
  }

  function mkdir(path: string, options: number | { mode?: number; recursive?: boolean } = {}): void {
    const { mode = 0o777, recursive = false } = typeof options === 'number' ? { mode: options } : options;
    if (recursive) {
      if (disk.find(path) !== undefined) return;
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (parent !== '') mkdir(parent, { mode, recursive });
    }
    disk.mkdir(path, mode & ~process.umask);
  }

  function mkdtemp(prefix: string): string {
    const path = `${prefix}${random.int(100_000, 999_999)}`;
    disk.mkdir(path, 0o700);
    return path;
  }

  const readdir = (path: string): string[] => [...disk.directory(path, 'scandir').entries.keys()].sort();
  const chmod = (path: string, mode: number): void => {
    disk.get(path, 'chmod').mode = mode;
  };
  const realpath = (path: string): string => {
    const node = disk.get(path, 'realpath', false);
    return node.kind === 'link' ? realpath(node.target) : path;
  };
  const readlink = (path: string): string => {
    const node = disk.get(path, 'readlink', false);
    if (node.kind !== 'link') throw new SystemError('EINVAL', 'readlink', path);
    return node.target;
  };

  function handleOf(file: OpenFile) {
    let closed = false;
    const on = <T>(work: () => T): Promise<T> =>
      later(() => {
        if (closed) throw new SystemError('EBADF', 'write');
        return work();
      });
    return {
      fd: file.fd,
      write: (
        bytes: Uint8Array,
        offset = 0,
        length = bytes.length - offset,
        position: number | null = null,
      ) => on(() => ({ bytesWritten: write(file, bytes.subarray(offset, offset + length), position) })),
      read: (into: Uint8Array, offset = 0, length = into.length, position: number | null = null) =>
        on(() => ({ bytesRead: read(file, into, offset, length, position), buffer: into })),
      async writeFile(content: string | Uint8Array) {
        const bytes = Buffer.from(content);
        // In two pieces, so that a crash or a full disk can come between them.
        const half = bytes.length >> 1;
        for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) {
          for (let done = 0; done < part.length; ) {
            const rest = part.subarray(done);
            done += await on(() => write(file, rest, null));
          }
        }
      },
      appendFile: (content: string) => on(() => void write(file, Buffer.from(content), null)),
      readFile: (options?: Encoding) => on(() => decoded(disk.read(file.node, file.path), options)),
      sync: () => on(() => disk.sync(file.node, file.path)),
      datasync: () => on(() => disk.sync(file.node, file.path)),
      stat: () => on(() => statsOf(file.node, false)),
      truncate: (size = 0) => on(() => disk.truncate(file.node, size, file.path)),
      chmod: (mode: number) =>
        on(() => {
          file.node.mode = mode;
        }),
      close: () =>
        later(() => {
          if (closed) return;
          closed = true;
          descriptors.close(file.fd);
        }),
    };
  }

  const promises = {
    constants,
    open: (path: string, flags?: string | number, mode?: number) =>
      later(() => handleOf(open(path, flags, mode))),
    readFile: (path: string, options?: Encoding) => later(() => readFile(path, options)),
    async writeFile(path: string, content: string | Uint8Array, options?: { mode?: number; flag?: string }) {
      const handle = await promises.open(path, options?.flag ?? 'w', options?.mode);
      try {
        await handle.writeFile(content);
      } finally {
        await handle.close();
      }
    },
    rm: (path: string, options?: { force?: boolean; recursive?: boolean }) => later(() => rm(path, options)),
    unlink: (path: string) => later(() => disk.unlink(path)),
    rename: (from: string, to: string) => later(() => disk.rename(from, to)),
    link: (from: string, to: string) => later(() => disk.link(from, to)),
    access: (path: string, mode?: number) => later(() => access(path, mode)),
    chmod: (path: string, mode: number) => later(() => chmod(path, mode)),
    stat: (path: string, options?: { bigint?: boolean }) =>
      later(() => stat(path, true, options?.bigint === true)),
    lstat: (path: string, options?: { bigint?: boolean }) =>
      later(() => stat(path, false, options?.bigint === true)),
    mkdir: (path: string, options?: { mode?: number; recursive?: boolean }) =>
      later(() => mkdir(path, options)),
    mkdtemp: (prefix: string) => later(() => mkdtemp(prefix)),
    readdir: (path: string) => later(() => readdir(path)),
    realpath: (path: string) => later(() => realpath(path)),
    readlink: (path: string) => later(() => readlink(path)),
  };

  const statSync = (path: string, options: { bigint?: boolean; throwIfNoEntry?: boolean } = {}) =>
    options.throwIfNoEntry === false && disk.find(path) === undefined
      ? undefined
      : stat(path, true, options.bigint === true);

  return {
    promises,
    constants,
    openSync: (path: string, flags?: string, mode?: number) => open(path, flags, mode).fd,
    closeSync: (fd: number) => descriptors.close(fd),
    readSync: (fd: number, into: Uint8Array, offset: number, length: number, position: number | null) =>
      read(descriptors.get(fd), into, offset, length, position),
    fstatSync: (fd: number) => statsOf(descriptors.get(fd).node, false),
    readFileSync: readFile,
    writeFileSync(path: string, content: string | Uint8Array, options?: { mode?: number }) {
      const file = open(path, 'w', options?.mode);
      write(file, Buffer.from(content), 0);
      descriptors.close(file.fd);
    },
    existsSync: (path: string) => disk.find(path) !== undefined,
    statSync,
    lstatSync: (path: string) => stat(path, false, false),
    accessSync: access,
    chmodSync: chmod,
    mkdirSync: mkdir,
    mkdtempSync: mkdtemp,
    readdirSync: readdir,
    readlinkSync: readlink,
    realpathSync: Object.assign(realpath, { native: realpath }),
    rmSync: rm,
    unlinkSync: (path: string) => disk.unlink(path),
    renameSync: (from: string, to: string) => disk.rename(from, to),
    watch(path: string, _options: object, listener: (event: string, name: string) => void) {
      const stop = disk.watch(path, (event, name) => process.after(0.1, () => listener(event, name)));
      const forget = process.own(stop);
      const watcher = {
        on: () => watcher,
        close: () => {
          forget();
          stop();
        },
      };
      return watcher;
    },
  };
}
