/** An app server that the test controls, and that records its messages. */
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import type { Failure } from '../../src/protocol/outcomes.js';

export class FakeConnection implements AppServerConnection {
  readonly client: ClientContext;
  readonly received: string[] = [];
  /** Reports a full buffer for each message from now on. */
  full = false;
  /** The buffer is full after this many messages from now. */
  fullAfter = Number.POSITIVE_INFINITY;
  paused = false;
  closed = false;
  readonly #events: AppServerEvents;
  readonly #server: FakeAppServer;

  constructor(server: FakeAppServer, events: AppServerEvents, client: ClientContext) {
    this.#server = server;
    this.#events = events;
    this.client = client;
  }

  send(message: Message): boolean {
    this.received.push(message.text);
    const { shape } = message;
    if (this.#server.answersInitialize && shape.kind === 'request' && shape.method === 'initialize') {
      this.say({ id: shape.id, result: { userAgent: 'fake' } });
    }
    this.fullAfter -= 1;
    if (this.fullAfter === 0) this.full = true;
    return !this.full;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): void {
    this.closed = true;
  }

  /** A message of the app server to its client. */
  say(message: object | string): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.#events.onMessage(Message.from(text));
  }

  tell(message: Message): void {
    this.#events.onMessage(message);
  }

  drain(): void {
    this.full = false;
    this.#events.onDrain();
  }

  end(failure: Failure | null = null): void {
    this.#events.onClose(failure);
  }

  /** Methods of the received requests and notifications, in order. */
  get methods(): string[] {
    return this.received.map((text) => String((JSON.parse(text) as { method?: string }).method));
  }
}

export class FakeAppServer implements AppServer {
  readonly name = 'fake';
  readonly connections: FakeConnection[] = [];
  answersInitialize = true;
  /** Opens the waiting connections. */
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  failure: Error | undefined;

  /** New connections wait until `letIn`. */
  hold(): void {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate = { opened, open };
  }

  letIn(): void {
    this.#gate?.open();
    this.#gate = undefined;
  }

  async open(events: AppServerEvents, client: ClientContext): Promise<AppServerConnection> {
    await this.#gate?.opened;
    if (this.failure !== undefined) throw this.failure;
    const connection = new FakeConnection(this, events, client);
    this.connections.push(connection);
    return connection;
  }

  async close(): Promise<void> {}

  get last(): FakeConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error('nobody has connected');
    return last;
  }
}

/** Lets promises and actors proceed. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}
