import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

/** In the table of the kernel, a socket that accepts connections. */
const ACCEPTS = 0x10000;

/**
 * The process that listens on a unix socket; undefined where it cannot be found: on systems other than Linux, and when
 * it belongs to another user. For messages only, because it may have ended meanwhile.
 */
export function listenerOf(path: string): number | undefined {
  try {
    const inode = inodeOf(new Set([path, realpathSync(path)]));
    return inode === undefined ? undefined : holderOf(`socket:[${inode}]`);
  } catch {
    return undefined;
  }
}

/** The columns are: Num, RefCount, Protocol, Flags, Type, St, Inode, Path. */
function inodeOf(paths: ReadonlySet<string>): string | undefined {
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    const [, , , flags = '', , , inode, ...path] = line.trim().split(/ +/);
    if ((Number.parseInt(flags, 16) & ACCEPTS) !== 0 && paths.has(path.join(' '))) return inode;
  }
  return undefined;
}

function holderOf(socket: string): number | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const descriptors = readdirSync(`/proc/${pid}/fd`);
      if (descriptors.some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === socket)) return Number(pid);
    } catch {
      // It has ended, or belongs to another user.
    }
  }
  return undefined;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
