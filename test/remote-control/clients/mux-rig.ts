/** The data plane alone: frames go in as the backend sends them, and come out on a socket of the test. */
import * as v from 'valibot';
import { AuditRing } from '../../../src/observe/audit.js';
import type { MuxSocket } from '../../../src/protocol/outbound-streams.js';
import { DEFAULT_TIMING } from '../../../src/protocol/timing.js';
import { RemoteMux } from '../../../src/remote-control/clients/mux.js';
import { MethodTable } from '../../../src/session/methods.js';
import { ALLOW_ALL } from '../../../src/session/policy.js';
import { FakeAppServer, settle } from '../../support/fake-app-server.js';

export type Frame = Record<string, unknown>;
type Message = Record<string, unknown>;

export class FakeSocket implements MuxSocket {
  readonly texts: string[] = [];
  bufferedAmount = 0;
  /** Sent bytes stay in the socket. */
  clogged = false;

  send(text: string): void {
    this.texts.push(text);
    if (this.clogged) this.bufferedAmount += text.length;
  }

  get frames(): Frame[] {
    return this.texts.map((text) => JSON.parse(text) as Frame);
  }

  /** Frames of one stream. */
  of(stream: string): Frame[] {
    return this.frames.filter((frame) => frame.stream_id === stream);
  }

  messages(stream: string): Message[] {
    return this.of(stream)
      .filter((frame) => frame.type === 'server_message')
      .map((frame) => frame.message as Message);
  }
}

export const INITIALIZE = {
  id: 0,
  method: 'initialize',
  params: { clientInfo: { name: 'remote', version: '1' }, capabilities: { experimentalApi: true } },
};

export class MuxRig {
  readonly appServer = new FakeAppServer();
  readonly audit = new AuditRing();
  readonly methods = new MethodTable();
  readonly skipped: string[] = [];
  readonly mux: RemoteMux;
  socket = new FakeSocket();
  now = 1_700_000_000_000;
  #cursors = 0;

  constructor(
    options: {
      readonly maxClients?: number;
      readonly maxChildren?: number;
      readonly maxHeldChars?: number;
    } = {},
  ) {
    this.methods.add('engine/echo', v.looseObject({}), (params) => params);
    this.mux = new RemoteMux({
      env: { now: () => this.now, monotonic: () => this.now, random: () => 0.5 },
      timing: DEFAULT_TIMING,
      appServer: this.appServer,
      methods: this.methods,
      policy: ALLOW_ALL,
      audit: this.audit,
      onInitialized: () => {},
      onEnded: () => {},
      maxClients: options.maxClients ?? 100,
      ...(options.maxChildren === undefined ? {} : { maxChildren: options.maxChildren }),
      ...(options.maxHeldChars === undefined ? {} : { maxHeldChars: options.maxHeldChars }),
      onSkipped: (why, fields) => this.skipped.push(`${why} ${JSON.stringify(fields)}`),
    });
    this.mux.attach(this.socket);
  }

  end(): void {
    this.mux.dropAll('disabled');
  }

  /** One frame from the backend, as its text. */
  text(text: string): void {
    this.mux.receive(Buffer.from(text));
  }

  frame(frame: Frame): void {
    this.text(JSON.stringify({ client_id: 'c', ...frame }));
  }

  /** Sends a message of the controller with a new cursor, and returns that cursor. */
  message(stream: string | undefined, seq: number | undefined, message: Message): string {
    this.#cursors += 1;
    const cursor = `cursor-${this.#cursors}`;
    this.frame({ type: 'client_message', stream_id: stream, seq_id: seq, cursor, message });
    return cursor;
  }

  /** Opens a virtual client: initialize is answered and the answer acknowledged. */
  async open(stream: string, seq = 1): Promise<void> {
    this.message(stream, seq, INITIALIZE);
    await settle();
    this.ackAll(stream);
  }

  ack(stream: string, seq: number, segment?: number): void {
    this.frame({ type: 'ack', stream_id: stream, seq_id: seq, segment_id: segment });
  }

  ackAll(stream: string): void {
    const last = this.socket.of(stream).at(-1);
    if (last !== undefined) this.ack(stream, Number(last.seq_id));
  }

  /** Loses the link and opens another one. */
  reconnect(): FakeSocket {
    this.mux.detach(this.socket);
    this.socket = new FakeSocket();
    this.mux.attach(this.socket);
    return this.socket;
  }

  chunks(stream: string, seq: number, text: string, size = 100_000): Frame[] {
    const bytes = Buffer.from(text);
    const count = Math.ceil(bytes.length / size);
    return Array.from({ length: count }, (_, segment) => ({
      type: 'client_message_chunk',
      stream_id: stream,
      seq_id: seq,
      cursor: `chunk-${seq}-${segment}`,
      segment_id: segment,
      segment_count: count,
      message_size_bytes: bytes.length,
      message_chunk_base64: bytes.subarray(segment * size, (segment + 1) * size).toString('base64'),
    }));
  }

  get reasons(): string[] {
    return this.audit.read().map(({ decision, reason }) => `${decision}: ${reason}`);
  }
}
