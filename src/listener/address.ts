import { unlinkSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import net from 'node:net';
import { resolve } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { errnoOf } from '../system/errno.js';

/** Where local clients connect. WSA-15 */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly secure: boolean }
  /** Absolute. */
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'stdio' }
  | { readonly kind: 'off' };

const TCP = /^(wss?):\/\/(\[[0-9a-fA-F:.%]+\]|[^/:?#@[\]]+):(\d{1,5})\/?$/;
/** Bytes in `sun_path` without the closing zero. */
const LONGEST_PATH = process.platform === 'linux' || process.platform === 'android' ? 107 : 103;

export const LISTEN_FORMS = 'ws://IP:PORT, wss://IP:PORT, unix://PATH, stdio:// or off';

/** The address that a URL names, or what is wrong with it. */
export function parseListenUrl(url: string): ListenAddress | { readonly fault: string } {
  if (url === 'off') return { kind: 'off' };
  if (url === 'stdio://') return { kind: 'stdio' };
  if (url.startsWith('unix://')) return parseUnixPath(url.slice('unix://'.length));
  const [, scheme, hostText = '', portText] = TCP.exec(url) ?? [];
  if (scheme === undefined) return { fault: `must be ${LISTEN_FORMS}` };
  const host = hostText === 'localhost' ? '127.0.0.1' : hostText.replace(/^\[|\]$/g, '');
  const port = Number(portText);
  if (net.isIP(host) === 0) return { fault: 'must name an IP address (or localhost), not a host name' };
  if (port > 65_535) return { fault: 'must name a port of at most 65535' };
  return { kind: 'tcp', host, port, secure: scheme === 'wss' };
}

function parseUnixPath(given: string): ListenAddress | { readonly fault: string } {
  if (given === '' || given.includes('\0')) return { fault: 'must name a path after unix://' };
  const path = resolve(given);
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_PATH) {
    return { fault: `names a path of ${bytes} bytes; a socket's path has at most ${LONGEST_PATH}` };
  }
  return { kind: 'unix', path };
}

export function isLoopback(host: string): boolean {
  return host === '::1' || /^127\./.test(host) || /^::ffff:127\./i.test(host);
}

/**
 * Makes room for a unix socket: a file whose socket nobody serves any more is removed, a live one is left alone.
 * @throws EngineError `listenerFailed`
 */
export async function clearSocketPath(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new EngineError('listenerFailed', `The socket ${path} cannot be opened: ${errnoOf(error)}.`, {
      cause: error,
    });
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new EngineError(
      'listenerFailed',
      `There is a file at ${path} that is no socket; it is left alone.`,
    );
  }
  if (await isServed(path)) {
    throw new EngineError('listenerFailed', `Another process listens on the socket ${path}.`);
  }
  unlinkSync(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      done(true);
    });
    // Anything but a refusal may be a process that is only busy.
    probe.once('error', (error) => done(errnoOf(error) !== 'ECONNREFUSED' && errnoOf(error) !== 'ENOENT'));
  });
}
