/** Controls a paired machine through an embedded backend, with one JSON-RPC message in each frame. */
import type { WebSocket } from 'ws';
import { shownUrl } from '../net/target.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { EngineError } from '../protocol/errors.js';
import { MAX_CHUNKED_MESSAGE_BYTES } from '../protocol/frames.js';
import {
  errorText,
  isRecord,
  RPC,
  type RpcErrorBody,
  type RpcId,
  resultText,
  shapeOf,
  withJsonrpc,
} from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import type { Secret } from '../protocol/secret.js';
import { type ControllerRoute, controllerUrl, DEFAULT_CONTROLLER_TIMEOUT } from './claim.js';

/** The response to a request was a JSON-RPC error. */
class RemoteJsonRpcError extends EngineError {
  readonly rpc: RpcErrorBody;

  constructor(method: string, rpc: RpcErrorBody) {
    super('remoteRefused', `${method} was refused: ${rpc.message} (${rpc.code})`);
    this.name = 'RemoteJsonRpcError';
    this.rpc = rpc;
  }
}

interface ControllerOptions extends ControllerRoute {
  readonly token: Secret;
  /** Write `"jsonrpc":"2.0"` into each message, as every agent except Codex requires. Default false. */
  readonly jsonrpc?: boolean;
}

/** Handles a request of the app server, such as one for an approval. Its result or error is sent as the response. */
type RequestHandler = (method: string, params: unknown) => unknown;
type NotificationListener = (method: string, params: unknown) => void;
/** Called once, when the connection is closed; null when `close` closed it. */
type CloseListener = (error: EngineError | null) => void;

interface Pending {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: EngineError) => void;
  readonly timer: NodeJS.Timeout;
}

/** Limit of the wait for the backend's close frame, ms. */
const CLOSE_GRACE = 500;

/** One connection; another one needs a new Controller. */
export class Controller {
  readonly #options: ControllerOptions;
  #socket: WebSocket | undefined;
  #ended: EngineError | null | undefined;
  #nextId = 1;
  readonly #pending = new Map<RpcId, Pending>();
  readonly #onNotification = new Set<NotificationListener>();
  readonly #onClose = new Set<CloseListener>();
  #onRequest: RequestHandler | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /**
   * Opens the connection. A machine that is not connected is reported a little later, as `environmentOffline`.
   * @throws EngineError `remoteRefused` (the backend no longer knows the token), `handshakeFailed`, `handshakeTimeout`,
   * `networkUnreachable`
   */
  async connect(signal?: AbortSignal): Promise<void> {
    if (this.#socket !== undefined) throw new EngineError('usage', 'a controller connects once');
    const url = controllerUrl(this.#options.baseUrl, 'client');
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const timeout = this.#options.timeout ?? DEFAULT_CONTROLLER_TIMEOUT;
    const { WebSocket } = await import('ws');
    signal?.throwIfAborted();
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${this.#options.token.reveal()}` },
      perMessageDeflate: false,
      handshakeTimeout: timeout,
      followRedirects: false,
      maxPayload: MAX_CHUNKED_MESSAGE_BYTES,
    });
    this.#socket = socket;
    // Before it opens: frames may arrive in the same packet as the response to the handshake.
    socket.on('message', (data) => this.#onText(String(data)));
    const abort = (): void => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await opened(socket, shownUrl(url.href));
    } catch (error) {
      // Later errors of a socket that never opened add nothing.
      socket.on('error', () => {});
      socket.terminate();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    socket.on('error', () => socket.terminate());
    socket.on('close', (code, reason) => this.#end(closeError(code, reason.toString())));
  }

  /**
   * Sends a request and waits for its response.
   * @param timeout ms; default 30,000
   * @throws RemoteJsonRpcError when the response is an error; EngineError `timeout`, or the reason of a closed connection
   */
  request(method: string, params?: unknown, timeout = DEFAULT_CONTROLLER_TIMEOUT): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new EngineError('timeout', `${method} was not answered within ${timeout} ms`));
      }, timeout);
      this.#pending.set(id, { method, resolve, reject, timer });
      try {
        this.#send({ id, method, ...(params === undefined ? {} : { params }) });
      } catch (error) {
        clearTimeout(timer);
        this.#pending.delete(id);
        reject(error);
      }
    });
  }

  /** @throws EngineError when the connection is closed */
  notify(method: string, params?: unknown): void {
    this.#send({ method, ...(params === undefined ? {} : { params }) });
  }

  /** Returns a function that removes the listener. */
  onNotification(listener: NotificationListener): () => void {
    this.#onNotification.add(listener);
    return () => this.#onNotification.delete(listener);
  }

  /** Without a handler, each request of the app server gets the error `method not found`. */
  onRequest(handler: RequestHandler): void {
    this.#onRequest = handler;
  }

  onClose(listener: CloseListener): () => void {
    this.#onClose.add(listener);
    return () => this.#onClose.delete(listener);
  }

  /** Closes the connection; pending requests fail. Resolves when it is closed. */
  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === socket.CLOSED) return;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    this.#end(null);
    socket.close(CLOSE_CODES.normal);
    const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE);
    await closed;
    clearTimeout(timer);
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    if (this.#socket === undefined || this.#ended !== undefined) {
      throw this.#ended ?? new EngineError('linkClosed', 'this controller is not connected');
    }
    this.#socket.send(this.#own(JSON.stringify(message)));
  }

  #onText(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    const shape = shapeOf(value);
    if (shape.kind === 'notification') {
      for (const listener of this.#onNotification) listener(shape.method, shape.params);
    } else if (shape.kind === 'request') {
      // The id as it was written: JSON.parse rounds numbers beyond 2^53. RC-84
      const { shape: written } = Message.from(text);
      const id = written.kind === 'request' ? written.id : shape.id;
      void this.#respond(id, shape.method, shape.params);
    } else if (shape.kind === 'response' && shape.id !== null && isRecord(value)) {
      const pending = this.#pending.get(shape.id);
      if (pending === undefined) return;
      this.#pending.delete(shape.id);
      clearTimeout(pending.timer);
      if ('error' in value) pending.reject(new RemoteJsonRpcError(pending.method, readRpcError(value.error)));
      else pending.resolve(value.result);
    }
  }

  async #respond(id: RpcId, method: string, params: unknown): Promise<void> {
    let text: string;
    try {
      if (this.#onRequest === undefined) {
        text = errorText(id, RPC.methodNotFound, `This controller does not answer ${method}`);
      } else {
        text = resultText(id, await this.#onRequest(method, params));
      }
    } catch (error) {
      text = errorText(id, RPC.internalError, error instanceof Error ? error.message : String(error));
    }
    if (this.#ended === undefined) this.#socket?.send(this.#own(text));
  }

  #own(text: string): string {
    return this.#options.jsonrpc === true ? withJsonrpc(text) : text;
  }

  #end(error: EngineError | null): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    const reason = error ?? new EngineError('linkClosed', 'this controller was closed');
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(reason);
    }
    this.#pending.clear();
    for (const listener of this.#onClose) listener(error);
  }
}

function opened(socket: WebSocket, shown: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      if (status === 401 || status === 404) {
        reject(
          new EngineError('remoteRefused', `the backend no longer knows this controller (HTTP ${status})`, {
            remediation: 'Pair it again: rc-engine pair on the machine, then claim the code here.',
          }),
        );
      } else {
        reject(new EngineError('handshakeFailed', `${shown} refused the socket with HTTP ${status}`));
      }
    });
    socket.once('error', (cause) => {
      const timedOut = /handshake has timed out/i.test(cause.message);
      reject(
        timedOut
          ? new EngineError('handshakeTimeout', `${shown} did not finish the handshake in time`, { cause })
          : new EngineError('networkUnreachable', `${shown} cannot be reached`, { cause }),
      );
    });
  });
}

/** The error for a close code of the embedded backend. */
function closeError(code: number, reason: string): EngineError {
  const cause = reason === '' ? `code ${code}` : reason;
  switch (code) {
    case CLOSE_CODES.environmentOffline:
      return new EngineError('environmentOffline', 'the paired machine is not connected to the backend');
    case CLOSE_CODES.controllerRevoked:
      return new EngineError('remoteRefused', 'this controller was revoked', {
        remediation: 'Pair it again if that was a mistake.',
      });
    case CLOSE_CODES.serverRestarted:
      return new EngineError('appServerClosed', `the connection to the paired machine is closed: ${cause}`);
    case CLOSE_CODES.tryAgainLater:
      return new EngineError('clientOverloaded', `the backend closed this controller: ${cause}`);
    case CLOSE_CODES.abnormalClosure:
      return new EngineError('linkLost', 'the connection to the backend was lost');
    default:
      return new EngineError('linkClosed', `the backend closed the connection: ${cause}`);
  }
}

function readRpcError(value: unknown): RpcErrorBody {
  if (isRecord(value) && typeof value.code === 'number' && typeof value.message === 'string') {
    const { code, message, data } = value;
    return data === undefined ? { code, message } : { code, message, data };
  }
  return { code: RPC.internalError, message: 'an error without a code and a message' };
}
