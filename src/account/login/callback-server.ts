/** The server on 127.0.0.1 that the browser returns to, for one sign-in. ACC-74, ACC-76, ACC-78 */
import { timingSafeEqual } from 'node:crypto';
import type http from 'node:http';
import type { AddressInfo } from 'node:net';
import { refusalOf } from '../../net/http-gate.js';
import { cutBytes, maskTokens, oneLine } from '../../observe/body-preview.js';
import { Secret } from '../../protocol/secret.js';
import { cancelledPage, failedPage, PAGE_POLICY, successPage, usedPage, wrongStatePage } from './pages.js';

/** What the browser brought. */
type Callback =
  /** The browser waits for `redirect` or `fail`. */
  | { readonly kind: 'code'; readonly code: Secret }
  /** The issuer refused the sign-in; the message is its own. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'cancelled' };

interface BrowserResponse {
  readonly status: number;
  readonly body: string;
  readonly headers: http.OutgoingHttpHeaders;
}

/** How long a complete response may take to reach the browser after `close`, ms. */
const CLOSE_DELAY = 1_000;
const MESSAGE_BYTES = 300;

export class CallbackServer {
  readonly port: number;
  readonly #server: http.Server;
  readonly #state: Secret;
  #callback: Callback | undefined;
  /** Requests that brought the code and have no response yet. A browser may send the same one again. */
  readonly #pending = new Set<http.ServerResponse>();
  /** The response to all of them, as soon as it is known. */
  #response: BrowserResponse | undefined;
  #succeeded = false;
  readonly #cancel = new AbortController();
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

  /** Aborted when another client requests the port with `/cancel`, also after the callback. */
  get cancelled(): AbortSignal {
    return this.#cancel.signal;
  }

  /** The first callback with the right state, or a cancel. Rejects with the reason of `signal`. */
  callback(signal: AbortSignal): Promise<Callback> {
    return this.#until(() => this.#callback, signal);
  }

  /** Resolves when the browser has fetched `/success`, or another client requests the port. */
  async success(signal: AbortSignal): Promise<void> {
    await this.#until(() => (this.#succeeded ? true : undefined), signal);
  }

  /** Redirects the browser that brought the code. */
  redirect(location: string): void {
    this.#respond(302, '', { location });
  }

  /** Shows the browser that brought the code why the sign-in failed. */
  fail(message: string): void {
    this.#respond(200, failedPage(message));
  }

  /** Frees the port at once; a response that is being written is completed. */
  close(): void {
    this.fail('The sign-in has ended.');
    this.#server.close();
    this.#server.closeIdleConnections();
    setTimeout(() => this.#server.closeAllConnections(), CLOSE_DELAY).unref();
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    response.on('error', () => {});
    const refusal = refusalOf(request, true);
    if (refusal !== undefined) {
      send(response, refusal.status, failedPage(refusal.message));
      return;
    }
    const base = `http://127.0.0.1:${this.port}`;
    if (request.method !== 'GET' || !URL.canParse(request.url ?? '', base)) {
      send(response, 404, failedPage('Page not found.'));
      return;
    }
    const { pathname, searchParams } = new URL(request.url ?? '', base);
    if (pathname === '/auth/callback') this.#onCallback(searchParams, response);
    else if (pathname === '/success') this.#onSuccess(response);
    else if (pathname === '/cancel') this.#onCancel(request, response);
    else send(response, 404, failedPage('Page not found.'));
  }

  #onCallback(query: URLSearchParams, response: http.ServerResponse): void {
    if (!this.#isState(query.get('state'))) {
      send(response, 400, wrongStatePage());
      return;
    }
    const error = query.get('error');
    const code = query.get('code') ?? '';
    if (this.#callback !== undefined) {
      // The same callback again, from a reload or an impatient person, gets the same response.
      const same = this.#callback.kind === 'code' && error === null && this.#callback.code.reveal() === code;
      if (same) this.#respondLater(response);
      else send(response, 400, usedPage());
      return;
    }
    if (error !== null) {
      const words = cutBytes(oneLine(maskTokens(query.get('error_description') || error)), MESSAGE_BYTES);
      this.#refuse(`Sign-in failed: ${words}`, response);
    } else if (code === '') {
      this.#refuse('Missing authorization code. Sign-in could not be completed.', response);
    } else {
      this.#respondLater(response);
      this.#settle({ kind: 'code', code: new Secret(code) });
    }
  }

  #refuse(message: string, response: http.ServerResponse): void {
    send(response, 200, failedPage(message));
    this.#settle({ kind: 'refused', message });
  }

  #onSuccess(response: http.ServerResponse): void {
    if (this.#callback?.kind !== 'code') {
      send(response, 404, failedPage('No sign-in has been completed.'));
      return;
    }
    // The page is sent before the sign-in completes, because the server may be closed right after that.
    send(response, 200, successPage());
    this.#succeeded = true;
    this.#wake();
  }

  #onCancel(request: http.IncomingMessage, response: http.ServerResponse): void {
    // A web page must not end a sign-in; another client on this machine may.
    if (isFromWebPage(request)) {
      send(response, 403, failedPage('A web page cannot cancel a sign-in.'));
      return;
    }
    // A sign-in that is saved is a success: this ends only the wait for the browser. ACC-76
    send(response, 200, this.#response?.status === 302 ? successPage() : cancelledPage());
    this.#succeeded = this.#callback?.kind === 'code';
    this.#settle({ kind: 'cancelled' });
    this.#cancel.abort();
    this.#wake();
  }

  #isState(given: string | null): boolean {
    const expected = Buffer.from(this.#state.reveal());
    const actual = Buffer.from(given ?? '');
    return expected.length === actual.length && timingSafeEqual(expected, actual);
  }

  /** A code is final. */
  #settle(callback: Callback): void {
    if (this.#callback?.kind === 'code') return;
    this.#callback = callback;
    this.#wake();
  }

  #respond(status: number, body: string, headers: http.OutgoingHttpHeaders = {}): void {
    this.#response ??= { status, body, headers };
    for (const response of this.#pending) this.#respondLater(response);
    this.#pending.clear();
  }

  #respondLater(response: http.ServerResponse): void {
    if (this.#response === undefined) this.#pending.add(response);
    else send(response, this.#response.status, this.#response.body, this.#response.headers);
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  /** Resolves with what `read` returns, as soon as that is something. */
  #until<T>(read: () => T | undefined, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiters.delete(wake);
        signal.removeEventListener('abort', onAbort);
      };
      const wake = (): void => {
        const value = read();
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

/** A request that a browser sends on behalf of a web page. */
function isFromWebPage({ headers }: http.IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return headers.origin !== undefined || !(site === undefined || site === 'none' || site === 'same-origin');
}

function send(
  response: http.ServerResponse,
  status: number,
  body: string,
  headers: http.OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'content-security-policy': PAGE_POLICY,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    // A kept connection would send the callback of the next sign-in to this server. ACC-78
    connection: 'close',
    ...headers,
  });
  response.end(body);
}
