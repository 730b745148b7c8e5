/**
 * A simulated disk: a tree of directories, files and sockets, with what survives a power cut. What a process has
 * written is seen by all at once. It survives a power cut only when it was synced; otherwise the old content, the new one
 * or a part of the new one may be found. A killed process loses nothing that it has written.
 */
import type { Random } from './random.js';

export type Kind = 'file' | 'directory' | 'socket' | 'link';

export interface Node {
  readonly kind: Kind;
  readonly ino: number;
  mode: number;
  data: Buffer;
  /** The content that survives a power cut; null: the file itself would be gone. */
  synced: Buffer | null;
  target: string;
  mtime: number;
  links: number;
  /** Of a directory. */
  readonly entries: Map<string, Node>;
}

/** A system error as Node creates it. */
export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;

  constructor(code: string, syscall: string, path?: string) {
    const [errno, text] = ERRNO[code] ?? [-1, 'unknown error'];
    super(`${code}: ${text}, ${syscall}${path === undefined ? '' : ` '${path}'`}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    this.path = path;
  }
}

const ERRNO: Readonly<Record<string, readonly [number, string]>> = {
  ENOENT: [-2, 'no such file or directory'],
  EIO: [-5, 'i/o error'],
  EBADF: [-9, 'bad file descriptor'],
  EACCES: [-13, 'permission denied'],
  EEXIST: [-17, 'file already exists'],
  ENOTDIR: [-20, 'not a directory'],
  EISDIR: [-21, 'illegal operation on a directory'],
  EINVAL: [-22, 'invalid argument'],
  ENOSPC: [-28, 'no space left on device'],
  EROFS: [-30, 'read-only file system'],
  ENOTEMPTY: [-39, 'directory not empty'],
  EADDRINUSE: [-98, 'address already in use'],
  ECONNREFUSED: [-111, 'connection refused'],
  ECONNRESET: [-104, 'connection reset by peer'],
  ETIMEDOUT: [-110, 'connection timed out'],
  EPIPE: [-32, 'broken pipe'],
  ESRCH: [-3, 'no such process'],
  ENETUNREACH: [-101, 'network is unreachable'],
};

type Change = { readonly undo: () => void; readonly at: number };

/** The system writes the names at this interval without a request, and contents after a longer one, ms. */
const COMMIT_INTERVAL = 5_000;
const WRITEBACK = 30_000;

export class Disk {
  /** No write that needs space succeeds. */
  full = false;
  /** The next operations of this kind fail with EIO. */
  readonly broken = { read: 0, write: 0, sync: 0 };
  readonly root: Node;
  /** Changes with each write and each new name. */
  version = 0;
  readonly #random: Random;
  readonly #now: () => number;
  #ino = 100;
  /** Names that were made, removed or changed since the last sync, in order. */
  #journal: Change[] = [];
  readonly #dirty = new Set<Node>();
  readonly #watches = new Map<string, Set<(event: string, name: string) => void>>();

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.root = this.#node('directory', 0o755);
    this.mkdir('/tmp', 0o1777);
  }

  #node(kind: Kind, mode: number): Node {
    this.#ino += 1;
    return {
      ...{ kind, ino: this.#ino, mode, data: Buffer.alloc(0), synced: null, target: '' },
      ...{ mtime: this.#now(), links: 1, entries: new Map<string, Node>() },
    };
  }

  /** The node at an absolute path; undefined: there is none. */
  find(path: string, followLast = true): Node | undefined {
    let node: Node | undefined = this.root;
    const names = partsOf(path);
    for (const [index, name] of names.entries()) {
      node = node?.entries.get(name);
      if (node?.kind === 'link' && (followLast || index < names.length - 1)) node = this.find(node.target);
    }
    return node;
  }

  get(path: string, syscall: string, followLast = true): Node {
    const node = this.find(path, followLast);
    if (node === undefined) throw new SystemError('ENOENT', syscall, path);
    return node;
  }

  directory(path: string, syscall: string): Node {
    const node = this.get(path, syscall);
    if (node.kind !== 'directory') throw new SystemError('ENOTDIR', syscall, path);
    return node;
  }

  #parent(path: string, syscall: string): { readonly parent: Node; readonly name: string } {
    const names = partsOf(path);
    const name = names.pop() ?? '';
    return { parent: this.directory(`/${names.join('/')}`, syscall), name };
  }

  mkdir(path: string, mode: number): void {
    this.#add(path, this.#node('directory', mode), 'mkdir');
  }

  /** A new empty file. */
  create(path: string, mode: number): Node {
    this.#needSpace('open', path);
    const node = this.#node('file', mode);
    this.#add(path, node, 'open');
    return node;
  }

  socket(path: string, mode: number): void {
    this.#add(path, this.#node('socket', mode), 'listen');
  }

  symlink(target: string, path: string): void {
    const node = this.#node('link', 0o777);
    node.target = target;
    this.#add(path, node, 'symlink');
  }

  link(from: string, to: string): void {
    const node = this.get(from, 'link');
    this.#add(to, node, 'link');
    node.links += 1;
  }

  #add(path: string, node: Node, syscall: string): void {
    const { parent, name } = this.#parent(path, syscall);
    if (parent.entries.has(name)) throw new SystemError('EEXIST', syscall, path);
    parent.entries.set(name, node);
    this.#changed(() => parent.entries.delete(name));
    this.#report(path, 'rename');
  }

  unlink(path: string): void {
    const { parent, name } = this.#parent(path, 'unlink');
    const node = parent.entries.get(name);
    if (node === undefined) throw new SystemError('ENOENT', 'unlink', path);
    if (node.kind === 'directory') throw new SystemError('EISDIR', 'unlink', path);
    parent.entries.delete(name);
    node.links -= 1;
    this.#changed(() => parent.entries.set(name, node));
    this.#report(path, 'rename');
  }

  rmdir(path: string): void {
    const { parent, name } = this.#parent(path, 'rmdir');
    const node = this.directory(path, 'rmdir');
    if (node.entries.size > 0) throw new SystemError('ENOTEMPTY', 'rmdir', path);
    parent.entries.delete(name);
    this.#changed(() => parent.entries.set(name, node));
    this.#report(path, 'rename');
  }

  rename(from: string, to: string): void {
    const source = this.#parent(from, 'rename');
    const target = this.#parent(to, 'rename');
    const node = source.parent.entries.get(source.name);
    if (node === undefined) throw new SystemError('ENOENT', 'rename', from);
    const replaced = target.parent.entries.get(target.name);
    source.parent.entries.delete(source.name);
    target.parent.entries.set(target.name, node);
    this.#changed(() => {
      source.parent.entries.set(source.name, node);
      if (replaced === undefined) target.parent.entries.delete(target.name);
      else target.parent.entries.set(target.name, replaced);
    });
    this.#report(from, 'rename');
    this.#report(to, 'rename');
  }

  /** Writes at a position. On a full disk a part may be written before the error. */
  write(node: Node, bytes: Uint8Array, at: number, path: string): number {
    this.#mayBreak('write', 'write', path);
    const end = at + bytes.length;
    if (this.full && end > node.data.length) {
      const room = Math.min(bytes.length, Math.max(0, node.data.length - at));
      if (room === 0) throw new SystemError('ENOSPC', 'write', path);
      return this.#put(node, bytes.subarray(0, room), at, path);
    }
    return this.#put(node, bytes, at, path);
  }

  #put(node: Node, bytes: Uint8Array, at: number, path: string): number {
    const data = Buffer.alloc(Math.max(node.data.length, at + bytes.length));
    node.data.copy(data);
    data.set(bytes, at);
    node.data = data;
    node.mtime = this.#now();
    this.#dirty.add(node);
    this.#report(path, 'change');
    return bytes.length;
  }

  truncate(node: Node, size: number, path: string): void {
    if (size > node.data.length) this.#needSpace('ftruncate', path);
    const data = Buffer.alloc(size);
    node.data.copy(data, 0, 0, size);
    node.data = data;
    node.mtime = this.#now();
    this.#dirty.add(node);
    this.#report(path, 'change');
  }

  read(node: Node, path: string): Buffer {
    this.#mayBreak('read', 'read', path);
    return node.data;
  }

  /** The content of a file survives a power cut from now on. The journal of names is written with it, as on ext4. */
  sync(node: Node, path: string): void {
    this.#mayBreak('sync', 'fsync', path);
    if (node.kind === 'file') {
      node.synced = node.data;
      this.#dirty.delete(node);
    }
    this.#journal = [];
  }

  /** Does something that must not fail: no fault of the disk applies to it. */
  untroubled(work: () => void): void {
    const { full } = this;
    const broken = { ...this.broken };
    this.full = false;
    Object.assign(this.broken, { read: 0, write: 0, sync: 0 });
    work();
    this.full = full;
    Object.assign(this.broken, broken);
  }

  /** Loses what was not synced: some of the last names, and contents that are old, new or torn. */
  powerCut(): void {
    const now = this.#now();
    const written = this.#journal.findLastIndex(({ at }) => now - at >= COMMIT_INTERVAL) + 1;
    const kept = this.#random.int(written, this.#journal.length);
    for (const { undo } of this.#journal.splice(kept).reverse()) undo();
    this.#journal = [];
    for (const node of this.#dirty) {
      if (now - node.mtime >= WRITEBACK) continue;
      const fate = this.#random.int(0, 2);
      if (fate === 0) node.data = node.synced ?? Buffer.alloc(0);
      if (fate === 1) node.data = node.data.subarray(0, this.#random.int(0, node.data.length));
      node.synced = node.data;
    }
    this.#dirty.clear();
    this.#watches.clear();
  }

  watch(path: string, listener: (event: string, name: string) => void): () => void {
    this.directory(path, 'watch');
    const listeners = this.#watches.get(path) ?? new Set();
    this.#watches.set(path, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Every file, with its path. */
  *files(node: Node = this.root, path = ''): Generator<readonly [path: string, node: Node]> {
    for (const [name, child] of node.entries) {
      if (child.kind === 'directory') yield* this.files(child, `${path}/${name}`);
      else if (child.kind === 'file') yield [`${path}/${name}`, child];
    }
  }

  #changed(undo: () => void): void {
    this.#journal.push({ undo, at: this.#now() });
  }

  #report(path: string, event: string): void {
    this.version += 1;
    const at = path.lastIndexOf('/');
    for (const listener of this.#watches.get(path.slice(0, at) || '/') ?? [])
      listener(event, path.slice(at + 1));
  }

  #needSpace(syscall: string, path: string): void {
    if (this.full) throw new SystemError('ENOSPC', syscall, path);
  }

  #mayBreak(kind: keyof Disk['broken'], syscall: string, path: string): void {
    if (this.broken[kind] === 0) return;
    this.broken[kind] -= 1;
    throw new SystemError('EIO', syscall, path);
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');
