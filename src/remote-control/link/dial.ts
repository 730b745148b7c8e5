/** Opens the socket to the backend: the upgrade request, its headers and its response. RC-17, RC-18 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type * as Ws from 'ws';
import { type FailedUpgrade, failedUpgrade } from '../../net/backend-status.js';
import type { Dialer } from '../../net/dialer.js';
import {
  type HttpResponse,
  networkFailure,
  plainFailure,
  type RequestContext,
} from '../../net/request-failure.js';
import type { Enrollment, Failure, ServerToken } from '../../protocol/outcomes.js';
import type { Secret } from '../../protocol/secret.js';
import type { Env, Timing } from '../../protocol/timing.js';
import { BackendSocket } from './socket.js';

export interface DialOptions {
  /** The target's socket URL. */
  readonly url: string;
  readonly enrollment: Pick<Enrollment, 'serverId'>;
  /** The host name in use. RC-8a */
  readonly serverName: string;
  readonly token: ServerToken;
  readonly installationId: string;
  /** Cursor of the newest delivered frame, if there is one. RC-37 */
  readonly cursor: string | undefined;
  readonly dialer: Dialer;
  readonly timing: Pick<Timing, 'handshakeTimeout'>;
  readonly env: Pick<Env, 'now'>;
}

export type DialResult = { readonly kind: 'open'; readonly socket: BackendSocket } | FailedUpgrade;

const PROTOCOL_VERSION = '3';
/**
 * Chunks keep frames near 150 KiB, but the backend is not obliged to send chunks. Codex CLI accepts messages of 64 MiB;
 * with a lower limit, a link that works with Codex CLI would end again and again.
 */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** A cursor that cannot be a header, or is enormous, is left out: otherwise the engine could never connect. */
const CURSOR = /^[\x20-\x7e]{1,4096}$/;
const REFUSAL_BODY_BYTES = 64 * 1024;
const REFUSAL_TIME = 5_000;

let wsModule: Promise<typeof Ws> | undefined;

/** Loads the WebSocket client ahead of the first dial. */
export function warmUp(): Promise<typeof Ws> {
  wsModule ??= import('ws');
  return wsModule;
}

/**
 * One attempt to connect. Rejects only for a bug, or with the reason of `signal`. An abort also destroys an open socket
 * that has no owner yet.
 */
export function dialBackendSocket(options: DialOptions, signal: AbortSignal): Promise<DialResult> {
  const { url, dialer, timing, env, token } = options;
  return dialSocket(
    { url, dialer, timing, env, headers: headersOf(options), secrets: [token.secret] },
    signal,
  );
}

/** Any socket to the backend. */
export interface SocketOptions extends Pick<DialOptions, 'url' | 'dialer' | 'timing' | 'env'> {
  readonly headers: Readonly<Record<string, string>>;
  /** Values in the headers that no message may show. */
  readonly secrets: readonly Secret[];
  /** Of a message, bytes. Default 64 MiB. */
  readonly maxMessageBytes?: number;
}

/** The same for any headers. */
export async function dialSocket(options: SocketOptions, signal: AbortSignal): Promise<DialResult> {
  signal.throwIfAborted();
  const { url, dialer, timing, headers, secrets } = options;
  const attempt: RequestContext = {
    what: 'socket',
    url,
    route: dialer.routeFor(url),
    secrets,
    now: options.env.now,
  };
  // One limit for all of it: proxy, connection, upgrade and the body of a refusal. RC-18
  const limit = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    limit.abort();
  }, timing.handshakeTimeout);
  const onAbort = (): void => limit.abort();
  signal.addEventListener('abort', onAbort);
  const release = (): void => signal.removeEventListener('abort', onAbort);
  let result: DialResult | undefined;
  try {
    const [{ WebSocket }, agent] = await Promise.all([warmUp(), dialer.agentFor(url, limit.signal)]);
    limit.signal.throwIfAborted();
    const clock = dialer.clock?.begin();
    const ws = new WebSocket(url, {
      agent,
      headers,
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    });
    const observe = ({ headers: received }: IncomingMessage): void =>
      clock?.((name) => received[name]?.toString());
    ws.once('upgrade', observe);
    ws.once('unexpected-response', (_request, response) => observe(response));
    result = await handshake(ws, attempt, limit.signal, release);
    signal.throwIfAborted();
    return result;
  } catch (error) {
    signal.throwIfAborted();
    if (timedOut) {
      const problem = `no complete answer within ${timing.handshakeTimeout / 1_000} s`;
      return { kind: 'failed', failure: plainFailure(attempt, 'handshakeTimeout', problem) };
    }
    const failure = networkFailure(attempt, error) ?? handshakeFailure(attempt, error);
    if (failure === undefined) throw error;
    return { kind: 'failed', failure };
  } finally {
    clearTimeout(timer);
    if (result?.kind !== 'open') release();
  }
}

function headersOf(options: DialOptions): Record<string, string> {
  const { cursor } = options;
  return {
    Authorization: `Bearer ${options.token.secret.reveal()}`,
    'x-codex-server-id': options.enrollment.serverId,
    'x-codex-name': Buffer.from(options.serverName).toString('base64'),
    'x-codex-protocol-version': PROTOCOL_VERSION,
    'x-codex-installation-id': options.installationId,
    ...(cursor !== undefined && CURSOR.test(cursor) ? { 'x-codex-subscribe-cursor': cursor } : {}),
  };
}

/** Wraps an error of `ws` about the upgrade, which has no code. */
class HandshakeError extends Error {}

function handshakeFailure(attempt: RequestContext, error: unknown): Failure | undefined {
  return error instanceof HandshakeError
    ? plainFailure(attempt, 'handshakeFailed', error.message)
    : undefined;
}

function handshake(
  ws: Ws.WebSocket,
  attempt: RequestContext,
  limit: AbortSignal,
  release: () => void,
): Promise<DialResult> {
  return new Promise((resolve, reject) => {
    let stream: Socket | undefined;
    // In effect until the socket has an owner: `release` then detaches the caller's signal.
    limit.addEventListener('abort', () => ws.terminate(), { once: true });
    ws.once('upgrade', (response) => {
      stream = response.socket;
    });
    ws.once('open', () => {
      // `upgrade` always comes before `open`.
      if (stream !== undefined)
        resolve({ kind: 'open', socket: new BackendSocket(ws, stream, attempt.secrets, release) });
    });
    ws.on('error', (error) => reject('code' in error ? error : new HandshakeError(error.message)));
    ws.once('unexpected-response', (_request, response) => {
      readRefusal(response).then((refusal) => {
        resolve(failedUpgrade(attempt, refusal));
        ws.terminate();
      }, reject);
    });
  });
}

/** The response to a refused upgrade, with as much of its body as arrives within a short time. */
function readRefusal(response: IncomingMessage): Promise<HttpResponse> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let room = REFUSAL_BODY_BYTES;
    const done = (): void => {
      clearTimeout(timer);
      const { headers, statusCode } = response;
      resolve({
        status: statusCode ?? 0,
        header: (name) => headers[name]?.toString(),
        body: Buffer.concat(parts),
      });
    };
    const timer = setTimeout(done, REFUSAL_TIME);
    response.on('data', (part: Buffer) => {
      parts.push(part.subarray(0, room));
      room = Math.max(0, room - part.length);
      if (room === 0) done();
    });
    response.once('end', done);
    response.once('close', done);
    response.on('error', done);
  });
}
