import type { AppServer, AppServerConnection, AppServerEvents } from '../protocol/app-server.js';
import { errorText, isRecord, RPC, type RpcId, resultText } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { VERSION } from '../protocol/version.js';

/** What the app server sends to the engine as its client. */
interface EngineClientEvents {
  /** A request for new tokens; answer it with `respond` or `refuse`. */
  readonly onTokensRequested: (id: RpcId) => void;
  readonly onClosed: () => void;
}

/** A response of an app server. */
type Answer =
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'gone' };

const TOKENS_REQUEST = 'account/chatgptAuthTokens/refresh';

/** The connection of the engine itself to an app server, for the account methods only. ACC-103 */
export class EngineClient implements AppServerEvents {
  readonly #events: EngineClientEvents;
  readonly #waiting = new Map<RpcId, (answer: Answer) => void>();
  /** Calls that wait for a notification, by its method. */
  readonly #expected = new Map<string, () => void>();
  #connection: AppServerConnection | undefined;
  #lastId = 0;
  #closed = false;

  private constructor(events: EngineClientEvents) {
    this.#events = events;
  }

  /** @throws EngineError as `AppServer.open`, and when the app server refuses `initialize`. */
  static async open(
    appServer: AppServer,
    events: EngineClientEvents,
    signal: AbortSignal,
  ): Promise<EngineClient> {
    const client = new EngineClient(events);
    const onAbort = () => client.close();
    signal.addEventListener('abort', onAbort, { once: true });
    client.#connection = await appServer.open(
      client,
      { origin: 'engine', connectionId: 'engine-account' },
      signal,
    );
    const answer = await client.request('initialize', {
      clientInfo: { name: 'rc-engine', title: null, version: VERSION },
      capabilities: { experimentalApi: true },
    });
    signal.removeEventListener('abort', onAbort);
    if (answer.kind !== 'result') {
      client.close();
      throw new Error(answer.kind === 'error' ? answer.message : 'it closed the connection');
    }
    client.#send({ method: 'initialized' });
    return client;
  }

  request(method: string, params: object): Promise<Answer> {
    if (this.#closed) return Promise.resolve({ kind: 'gone' });
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#send({ id, method, params });
    });
  }

  /** Resolves at the next notification of this method, or at the end. */
  notification(method: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#expected.set(method, resolve));
  }

  respond(id: RpcId, result: object): void {
    this.#sendText(resultText(id, result));
  }

  refuse(id: RpcId, why: string): void {
    this.#sendText(errorText(id, RPC.internalError, why));
  }

  close(): void {
    if (this.#closed) return;
    this.#connection?.close();
    this.#end();
  }

  // --- from the app server

  onMessage(message: Message): void {
    const { shape } = message;
    if (shape.kind === 'request') {
      if (shape.method === TOKENS_REQUEST) this.#events.onTokensRequested(shape.id);
      // Codex CLI sends some requests to every connection: an error of ours would be the answer. A client answers.
      return;
    }
    if (shape.kind === 'notification') {
      this.#expected.get(shape.method)?.();
      this.#expected.delete(shape.method);
      return;
    }
    if (shape.kind !== 'response' || shape.id === null) return;
    const waiting = this.#waiting.get(shape.id);
    if (waiting === undefined) return;
    this.#waiting.delete(shape.id);
    waiting(answerIn(message));
  }

  onDrain(): void {}

  onClose(): void {
    if (this.#closed) return;
    this.#end();
    this.#events.onClosed();
  }

  #end(): void {
    this.#closed = true;
    for (const settle of this.#waiting.values()) settle({ kind: 'gone' });
    this.#waiting.clear();
    for (const settle of this.#expected.values()) settle();
    this.#expected.clear();
  }

  #send(message: object): void {
    this.#sendText(JSON.stringify(message));
  }

  #sendText(text: string): void {
    if (!this.#closed) this.#connection?.send(Message.from(text));
  }
}

function answerIn(message: Message): Answer {
  const parsed: unknown = JSON.parse(message.text);
  if (!isRecord(parsed)) return { kind: 'gone' };
  if (parsed.error === undefined) return { kind: 'result', result: parsed.result };
  const text = isRecord(parsed.error) ? parsed.error.message : undefined;
  return { kind: 'error', message: typeof text === 'string' ? text : 'it answered with an error' };
}
