/** Opens the socket to the backend: the upgrade request, its headers, and what a refusal means. RC-17 … RC-24 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type * as Ws from 'ws';
import { failedUpgrade } from '../../net/backend-status.js';
import type { Dialer } from '../../net/dialer.js';
import {
  type HttpResponse,
  networkFailure,
  plainFailure,
  type RequestContext,
} from '../../net/request-failure.js';
import type { DialOutcome, Enrollment, Failure, ServerToken } from '../../protocol/outcomes.js';
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
  /** Cursor of the newest delivered frame, where one is known. RC-37 */
  readonly cursor: string | undefined;
  readonly dialer: Dialer;
  readonly timing: Pick<Timing, 'handshakeTimeout'>;
  readonly env: Pick<Env, 'now'>;
}

export type DialResult =
  | { readonly kind: 'open'; readonly socket: BackendSocket }
  | Exclude<DialOutcome, { readonly kind: 'open' }>;

const PROTOCOL_VERSION = '3';
/**
 * Chunks keep frames near 150 KiB, but nothing obliges the backend to chunk. The reference client takes messages
 * of 64 MiB; a lower limit here would end, again and again, a link that works with it.
 */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** A cursor is opaque to us; one that is no header, or an enormous one, is left out rather than never connecting. */
const CURSOR = /^[\x20-\x7e]{1,4096}$/;
const REFUSAL_BYTES = 64 * 1024;
const REFUSAL_TIME = 5_000;

let wsModule: Promise<typeof Ws> | undefined;

/** Starts loading the WebSocket client, so that the first dial finds it there. */
export function warmUp(): Promise<typeof Ws> {
  wsModule ??= import('ws');
  return wsModule;
}

/**
 * One attempt. Rejects only for a bug, or with the reason of `signal`. An open socket that nobody has adopted
 * when `signal` aborts is destroyed.
 */
export async function dialBackendSocket(options: DialOptions, signal: AbortSignal): Promise<DialResult> {
  signal.throwIfAborted();
  const { url, dialer, timing } = options;
  const attempt: RequestContext = {
    what: 'socket',
    url,
    route: dialer.routeFor(url),
    secrets: [options.token.secret],
    now: options.env.now,
  };
  // One limit over all of it: proxy, connection, upgrade and the words of a refusal. RC-18
  const limit = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    limit.abort();
  }, timing.handshakeTimeout);
  const onAbort = (): void => limit.abort();
  signal.addEventListener('abort', onAbort);
  const letGo = (): void => signal.removeEventListener('abort', onAbort);
  let result: DialResult | undefined;
  try {
    const [{ WebSocket }, agent] = await Promise.all([warmUp(), dialer.agentFor(url, limit.signal)]);
    limit.signal.throwIfAborted();
    const ws = new WebSocket(url, {
      agent,
      headers: headersOf(options),
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    result = await handshake(ws, attempt, limit.signal, letGo);
    signal.throwIfAborted();
    return result;
  } catch (error) {
    signal.throwIfAborted();
    if (timedOut) {
      const what = `no complete answer within ${timing.handshakeTimeout / 1_000} s`;
      return { kind: 'failed', failure: plainFailure(attempt, 'handshakeTimeout', what) };
    }
    const failure = networkFailure(attempt, error) ?? handshakeFailure(attempt, error);
    if (failure === undefined) throw error;
    return { kind: 'failed', failure };
  } finally {
    clearTimeout(timer);
    if (result?.kind !== 'open') letGo();
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

/** What ws itself finds wrong with an upgrade carries no code. */
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
  letGo: () => void,
): Promise<DialResult> {
  return new Promise((resolve, reject) => {
    let stream: Socket | undefined;
    // Stays for as long as nobody has adopted the socket; `letGo` cuts it off from the caller's signal.
    limit.addEventListener('abort', () => ws.terminate(), { once: true });
    ws.once('upgrade', (response) => {
      stream = response.socket;
    });
    ws.once('open', () => {
      // `upgrade` comes before `open`, always.
      if (stream !== undefined) resolve({ kind: 'open', socket: new BackendSocket(ws, stream, letGo) });
    });
    ws.on('error', (error) => reject('code' in error ? error : new HandshakeError(error.message)));
    ws.once('unexpected-response', (_request, response) => {
      readRefusal(response).then((answer) => {
        resolve(failedUpgrade(attempt, answer));
        ws.terminate();
      }, reject);
    });
  });
}

/** The answer in place of an upgrade; its body as far as it comes in short time. */
function readRefusal(response: IncomingMessage): Promise<HttpResponse> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let room = REFUSAL_BYTES;
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
