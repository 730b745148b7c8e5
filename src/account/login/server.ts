/** Where the browser comes back to after a sign-in: a server on 127.0.0.1 for one sign-in. ACC-70, ACC-74, ACC-78 */
import { timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { cutBytes, maskTokens, oneLine } from '../../observe/body-preview.js';
import { Secret } from '../../protocol/secret.js';
import { errnoOf } from '../../system/errno.js';
import { cancelledPage, failedPage, successPage, usedPage, wrongStatePage } from './pages.js';

/** What the browser brought. */
export type Callback =
  /** The browser waits for `sendOn` or `sendError`. */
  | { readonly kind: 'code'; readonly code: Secret }
  /** The issuer said no, in its words. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'cancelled' };

export interface LoginServer {
  readonly port: number;
  readonly redirectUri: string;
  /** The first callback with the right state, or a cancel. Rejects with the reason of the signal. */
  callback(signal: AbortSignal): Promise<Callback>;
  /** Aborted when another client asks this one to give way, also after the callback. */
  readonly cancelled: AbortSignal;
  /** Answers the browser that brought the code: to this address. */
  sendOn(location: string): void;
  sendError(message: string): void;
  /** Resolves when the browser has fetched our last page, or another client wants the port. */
  success(signal: AbortSignal): Promise<void>;
  /** Frees the port at once; an answer that is being written is finished. */
  close(): void;
}

export interface LoginServerOptions {
  /** That the browser must bring back. */
  readonly state: Secret;
  /** In the order they are tried. Default 1455, 1457. */
  readonly ports?: readonly number[] | undefined;
}

export const LOGIN_PORTS: readonly number[] = [1455, 1457];
const TRIES = 10;
const BETWEEN_TRIES = 200;
/** How long a finished answer may take to reach the browser, ms. */
const LINGER = 1_000;
const WORDS_BYTES = 300;

/** Undefined: other programs hold all ports. ACC-70 */
export async function openLoginServer(
  options: LoginServerOptions,
  signal: AbortSignal,
): Promise<LoginServer | undefined> {
  const ports = options.ports ?? LOGIN_PORTS;
  for (const [index, port] of ports.entries()) {
    for (let attempt = 0; attempt <= TRIES; attempt += 1) {
      signal.throwIfAborted();
      const server = await listen(port);
      if (server !== undefined) {
        if (signal.aborted) {
          server.close();
          signal.throwIfAborted();
        }
        return new CallbackServer(server, options.state);
      }
      // Another sign-in may hold it, whose person has given up: it is asked once to give way.
      if (index === 0 && attempt === 0) await askToGiveWay(port);
      if (attempt < TRIES) await sleep(BETWEEN_TRIES, undefined, { signal });
    }
  }
  return undefined;
}

/** Undefined when the port is taken. */
function listen(port: number): Promise<http.Server | undefined> {
  const server = http.createServer({ maxHeaderSize: 32 * 1024, requestTimeout: 30_000 });
  server.maxConnections = 32;
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (errnoOf(error) === 'EADDRINUSE' || errnoOf(error) === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function askToGiveWay(port: number): Promise<void> {
  return new Promise((resolve) => {
    const request = http.get(
      { host: '127.0.0.1', port, path: '/cancel', agent: false, timeout: 1_000 },
      (response) => {
        response.resume();
        response.once('close', () => resolve());
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve());
  });
}

class CallbackServer implements LoginServer {
  readonly port: number;
  readonly #server: http.Server;
  readonly #state: Secret;
  /** Who brought the code: the browser may ask for the same page again. */
  readonly #answers = new Set<http.ServerResponse>();
  /** What it was told; undefined: nothing yet. */
  #told:
    | { readonly status: number; readonly body: string; readonly headers: http.OutgoingHttpHeaders }
    | undefined;
  #callback: Callback | undefined;
  readonly #cancel = new AbortController();
  #succeeded = false;
  readonly #waiters = new Set<() => void>();

  constructor(server: http.Server, state: Secret) {
    this.#server = server;
    this.#state = state;
    // A server that listens on TCP has an address of this form.
    this.port = (server.address() as AddressInfo).port;
    server.on('request', (request, response) => this.#serve(request, response));
  }

  get redirectUri(): string {
    return `http://127.0.0.1:${this.port}/auth/callback`;
  }

  get cancelled(): AbortSignal {
    return this.#cancel.signal;
  }

  callback(signal: AbortSignal): Promise<Callback> {
    return this.#until(() => this.#callback, signal);
  }

  async success(signal: AbortSignal): Promise<void> {
    await this.#until(() => (this.#succeeded ? true : undefined), signal);
  }

  sendOn(location: string): void {
    this.#finish(302, '', { location });
  }

  sendError(message: string): void {
    this.#finish(200, failedPage(message));
  }

  close(): void {
    this.sendError('The sign-in has ended.');
    this.#server.close();
    this.#server.closeIdleConnections();
    setTimeout(() => this.#server.closeAllConnections(), LINGER).unref();
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    response.on('error', () => {});
    const base = `http://127.0.0.1:${this.port}`;
    if (request.method !== 'GET' || !URL.canParse(request.url ?? '', base)) {
      reply(response, 404, failedPage('There is nothing here.'));
      return;
    }
    const url = new URL(request.url ?? '', base);
    switch (url.pathname) {
      case '/auth/callback':
        this.#take(url.searchParams, response);
        return;
      case '/success':
        if (this.#callback?.kind !== 'code') {
          reply(response, 404, failedPage('No sign-in has been completed.'));
          return;
        }
        // Done is done when the page has gone out: the server may be closed right after.
        reply(response, 200, successPage());
        this.#succeeded = true;
        this.#wake();
        return;
      case '/cancel':
        // A page elsewhere on the web must not end a sign-in; another client on this machine may.
        if (!isPlain(request)) {
          reply(response, 403, failedPage('Not from there.'));
          return;
        }
        // What is saved by now is a success: then only the wait for the browser ends. ACC-76
        reply(response, 200, this.#told?.status === 302 ? successPage() : cancelledPage());
        this.#succeeded = this.#callback?.kind === 'code';
        this.#come({ kind: 'cancelled' });
        this.#cancel.abort();
        this.#wake();
        return;
      default:
        reply(response, 404, failedPage('There is nothing here.'));
    }
  }

  #take(query: URLSearchParams, response: http.ServerResponse): void {
    if (!this.#isState(query.get('state'))) {
      reply(response, 400, wrongStatePage());
      return;
    }
    const error = query.get('error');
    const code = query.get('code') ?? '';
    if (this.#callback !== undefined) {
      // The same once more, as a reload or an impatient browser brings it: it gets the same answer.
      const same = this.#callback.kind === 'code' && error === null && this.#callback.code.reveal() === code;
      if (same) this.#answerLikewise(response);
      else reply(response, 400, usedPage());
      return;
    }
    if (error !== null) {
      const words = cutBytes(oneLine(maskTokens(query.get('error_description') || error)), WORDS_BYTES);
      const message = `Sign-in failed: ${words}`;
      reply(response, 200, failedPage(message));
      this.#come({ kind: 'refused', message });
      return;
    }
    if (code === '') {
      const message = 'Missing authorization code. Sign-in could not be completed.';
      reply(response, 200, failedPage(message));
      this.#come({ kind: 'refused', message });
      return;
    }
    this.#answerLikewise(response);
    this.#come({ kind: 'code', code: new Secret(code) });
  }

  #isState(given: string | null): boolean {
    const wanted = Buffer.from(this.#state.reveal());
    const got = Buffer.from(given ?? '');
    return wanted.length === got.length && timingSafeEqual(wanted, got);
  }

  #come(callback: Callback): void {
    if (this.#callback?.kind === 'code') return;
    this.#callback = callback;
    this.#wake();
  }

  #finish(status: number, body: string, headers: http.OutgoingHttpHeaders = {}): void {
    this.#told ??= { status, body, headers };
    for (const response of this.#answers) this.#answerLikewise(response);
    this.#answers.clear();
  }

  #answerLikewise(response: http.ServerResponse): void {
    if (this.#told === undefined) this.#answers.add(response);
    else reply(response, this.#told.status, this.#told.body, this.#told.headers);
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #until<T>(look: () => T | undefined, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiters.delete(wake);
        signal.removeEventListener('abort', onAbort);
      };
      const wake = (): void => {
        const value = look();
        if (value === undefined) return;
        done();
        resolve(value);
      };
      const onAbort = (): void => {
        done();
        reject(signal.reason);
      };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      this.#waiters.add(wake);
      signal.addEventListener('abort', onAbort, { once: true });
      wake();
    });
  }
}

/** Not a request that a browser makes on behalf of another site. */
function isPlain(request: http.IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site'];
  return (
    request.headers.origin === undefined && (site === undefined || site === 'none' || site === 'same-origin')
  );
}

function reply(
  response: http.ServerResponse,
  status: number,
  body: string,
  headers: http.OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    // A kept connection would reach this server when the next sign-in has its own. ACC-78
    connection: 'close',
    ...headers,
  });
  response.end(body);
}
