import net, { type Socket } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where local clients connect. WSA-15 */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly secure: boolean }
  /** The path is absolute. */
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'stdio' }
  | { readonly kind: 'off' };

/** Certificate and private key of a `wss://` listener, PEM text. */
export interface TlsIdentity {
  /** The certificate, with the intermediate ones after it. */
  readonly cert: string;
  /** The private key of the certificate. */
  readonly key: string;
}

/** The same as files, absolute paths. They are read again when they change, without a restart. WSA-53 */
export interface TlsFiles {
  /** PEM file of the certificate, with the intermediate ones after it. */
  readonly certFile: string;
  /** PEM file of the private key, without a passphrase. */
  readonly keyFile: string;
}

const TCP = /^(wss?):\/\/(\[[0-9a-fA-F:.%]+\]|[^/:?#@[\]]+):(\d{1,5})\/?$/;
/** Bytes that fit in `sun_path`, without the terminating zero. */
const MAX_SOCKET_PATH = process.platform === 'linux' || process.platform === 'android' ? 107 : 103;

export const LISTEN_FORMS = 'ws://IP:PORT, wss://IP:PORT, unix://PATH, codex, stdio:// or off';

/** Parses a listen URL. For an invalid one the result is the end of a message that begins with the option's name. */
export function parseListenUrl(url: string): ListenAddress | { readonly invalid: string } {
  if (url === 'off') return { kind: 'off' };
  if (url === 'codex') return parseUnixPath(codexSocketPath(process.env));
  if (url === 'stdio://') return { kind: 'stdio' };
  if (url.startsWith('unix://')) return parseUnixPath(url.slice('unix://'.length));
  const [, scheme, hostText = '', portText] = TCP.exec(url) ?? [];
  if (scheme === undefined) return { invalid: `must be ${LISTEN_FORMS}` };
  const host = hostText === 'localhost' ? '127.0.0.1' : hostText.replace(/^\[|\]$/g, '');
  const port = Number(portText);
  if (net.isIP(host) === 0) return { invalid: 'must name an IP address (or localhost), not a host name' };
  if (port > 65_535) return { invalid: 'must name a port of at most 65535' };
  return { kind: 'tcp', host, port, secure: scheme === 'wss' };
}

/** Where Codex CLI looks for its local background server: the control socket of `codex app-server --listen unix://`. */
export function codexSocketPath({ CODEX_HOME }: NodeJS.ProcessEnv): string {
  const home = CODEX_HOME === undefined || CODEX_HOME === '' ? join(homedir(), '.codex') : CODEX_HOME;
  return join(resolve(home), 'app-server-control', 'app-server-control.sock');
}

/** Whether a valid listen URL names a unix socket. */
export const isUnixUrl = (url: string): boolean => url === 'codex' || url.startsWith('unix://');

function parseUnixPath(given: string): ListenAddress | { readonly invalid: string } {
  if (given === '' || given.includes('\0')) return { invalid: 'must name a path after unix://' };
  if (given.endsWith('/'))
    return { invalid: 'must name a socket in that directory, such as unix:///run/me/x.sock' };
  const path = resolve(given);
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH) {
    return {
      invalid: `names a path of ${bytes} bytes; the path of a socket has at most ${MAX_SOCKET_PATH} bytes`,
    };
  }
  return { kind: 'unix', path };
}

export function isLoopback(host: string): boolean {
  return host === '::1' || /^127\./.test(host) || /^::ffff:127\./i.test(host);
}

/** The other end of a connection: `ADDRESS:PORT`, or `unix`. Makes a system call, so ask only when it is needed. */
export function peerOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return 'unix';
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
