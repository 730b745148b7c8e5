import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SocketPlatform {
  readonly platform: NodeJS.Platform;
  readonly tmpdir: string;
}

/**
 * Where the control socket of a home folder is: in it, or, where its path is longer than the platform allows
 * for a socket, in a folder of its own in the folder for temporary files; a named pipe on Windows.
 * @param realDir `dir` with symbolic links resolved, so that every path to a home leads to the same socket.
 */
export function controlSocketPath(
  dir: string,
  realDir: string,
  { platform, tmpdir: temporary }: SocketPlatform = { platform: process.platform, tmpdir: tmpdir() },
): string {
  const hash = createHash('sha256').update(realDir).digest('hex').slice(0, 16);
  if (platform === 'win32') return `\\\\.\\pipe\\rc-engine-${hash}`;
  const inside = join(dir, 'control.sock');
  return Buffer.byteLength(inside) <= longest(platform)
    ? inside
    : join(temporary, `rc-engine-${hash}`, 'control.sock');
}

/** Bytes in `sun_path` without the closing zero. */
function longest(platform: NodeJS.Platform): number {
  return platform === 'linux' || platform === 'android' ? 107 : 103;
}
