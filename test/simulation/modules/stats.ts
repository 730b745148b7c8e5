import type { Node } from '../world/disk.js';

/** The user of every process in the world. */
export const UID = 1000;

/** What `stat` returns. */
export function statsOf(node: Node, bigint: boolean) {
  const number = (value: number): number | bigint => (bigint ? BigInt(Math.trunc(value)) : value);
  const type = { file: 0o100000, directory: 0o040000, socket: 0o140000, link: 0o120000 }[node.kind];
  return {
    dev: number(1),
    ino: number(node.ino),
    mode: number(type | node.mode),
    nlink: number(node.links),
    uid: number(UID),
    gid: number(UID),
    size: number(node.data.length),
    mtimeMs: number(node.mtime),
    ctimeMs: number(node.mtime),
    birthtimeMs: number(node.mtime),
    isFile: () => node.kind === 'file',
    isDirectory: () => node.kind === 'directory',
    isSymbolicLink: () => node.kind === 'link',
    isSocket: () => node.kind === 'socket',
    isFIFO: () => false,
    isCharacterDevice: () => false,
    isBlockDevice: () => false,
  };
}
