/** Nodes of a hub over one broker, an engine, controllers with numbered frames, and a checker of what arrives. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ControllerStreams, type Stream } from '../../src/connect/streams.js';
import { PlainController } from '../../src/hub/controllers/plain-controller.js';
import { ControllerSocket } from '../../src/hub/controllers/session.js';
import { HubNode } from '../../src/hub/relay/node.js';
import type { RelayTiming } from '../../src/hub/relay/timing.js';
import { ChunkAssembler } from '../../src/protocol/chunks.js';
import { decodeInbound, streamKey } from '../../src/protocol/frames.js';
import { memberText } from '../../src/protocol/json-members.js';
import type { OutboundStream } from '../../src/protocol/outbound.js';
import { OutboundStreams } from '../../src/protocol/outbound-streams.js';
import type { BrokerNode, HubBroker } from './adapters.js';
import { Pipe } from './pipe.js';

export const ENVIRONMENT = 'env_test';

/** Short enough for tests, except for the holds: a stream must not end because a machine is slow. */
export const FAST: Partial<RelayTiming> = {
  ...{ offlineHold: 120_000, reconnectHold: 120_000, sessionHold: 120_000, streamPing: 60_000 },
  ...{ deliveryCheck: 2, probe: 40, presence: 150 },
};

const RETRY = 15;

/** One node, which can be killed and started again. */
export class TestNode {
  readonly #broker: HubBroker;
  readonly #timing: Partial<RelayTiming>;
  readonly #pipes = new Set<Pipe>();
  readonly sockets = new Set<ControllerSocket>();
  #node: HubNode | undefined;
  #connection: BrokerNode | undefined;

  constructor(broker: HubBroker, timing: Partial<RelayTiming>) {
    this.#broker = broker;
    this.#timing = timing;
  }

  get node(): HubNode | undefined {
    return this.#node;
  }

  get connection(): BrokerNode | undefined {
    return this.#connection;
  }

  async start(): Promise<void> {
    if (this.#node !== undefined) return;
    const connection = await this.#broker.node();
    this.#connection = connection;
    this.#node = new HubNode({
      ...{ bus: connection.bus, store: connection.store, timing: this.#timing },
      onPresence: (_environment, connected) => {
        for (const socket of this.sockets) socket.announce(connected);
      },
    });
    await this.#node.ready();
  }

  /** As kill -9 does: nothing is said to anybody. */
  async kill(): Promise<void> {
    const node = this.#node;
    if (node === undefined) return;
    this.#node = undefined;
    await this.#connection?.close();
    for (const pipe of [...this.#pipes]) pipe.cut();
    node.end();
  }

  add(pipe: Pipe): void {
    this.#pipes.add(pipe);
  }
}

interface EngineStream {
  readonly clientId: string;
  readonly streamId: string;
  readonly outbound: OutboundStream;
  lastSeqId: number;
}

/** Both ends record the numbers that they got. */
type Received = Map<string, number[]>;

function record(received: Received, stream: string, message: unknown): void {
  const k = readNumber(message);
  if (k === undefined) return;
  const numbers = received.get(stream) ?? [];
  received.set(stream, numbers);
  numbers.push(k);
}

function readNumber(message: unknown): number | undefined {
  if (typeof message !== 'object' || message === null || !('params' in message)) return undefined;
  const { params } = message;
  if (typeof params !== 'object' || params === null || !('k' in params)) return undefined;
  return typeof params.k === 'number' ? params.k : undefined;
}

const numbered = (k: number, bytes: number): string =>
  JSON.stringify({ method: 'm', params: { k, fill: 'x'.repeat(bytes) } });

/** An engine with the rules of RC-30 to RC-37. It connects to any node that takes it. */
export class TestEngine {
  readonly received: Received = new Map();
  /** How often each stream was opened. */
  readonly opened = new Map<string, number>();
  readonly #nodes: readonly TestNode[];
  readonly #streams = new Map<string, EngineStream>();
  readonly #outbound = new OutboundStreams({ framesOut: 0, bytesOut: 0 }, () => {});
  readonly #assembler = new ChunkAssembler();
  #pipe: Pipe | undefined;
  #cursor: string | undefined;
  #wanted = 0;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(nodes: readonly TestNode[]) {
    this.#nodes = nodes;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pipe?.cut();
    await this.#running;
  }

  /** Connects to another node. @param halfOpen the former node does not notice */
  move(to: number, halfOpen: boolean): void {
    this.#wanted = to;
    if (halfOpen) this.#pipe?.cutFarOnly();
    else this.#pipe?.cut();
  }

  /** A new process: it has lost its streams. */
  restart(): void {
    this.#cursor = undefined;
    for (const [key, { outbound }] of this.#streams) this.#outbound.close(key, outbound);
    this.#streams.clear();
    this.#assembler.clear();
    this.#pipe?.cut();
  }

  /** Sends a number on a stream that is open. */
  send(stream: string, k: number, bytes: number): void {
    const open = this.#streams.get(stream);
    if (open === undefined) throw new Error(`the engine does not know ${stream}`);
    this.#outbound.send(stream, open.outbound, numbered(k, bytes));
  }

  knows(stream: string): boolean {
    return this.#streams.has(stream);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const closed = await this.#connect();
      if (closed === undefined) await sleep(RETRY);
      else await closed;
    }
  }

  /** Undefined: the node does not take it. */
  async #connect(): Promise<Promise<void> | undefined> {
    const index = this.#wanted % this.#nodes.length;
    const test = this.#nodes[index];
    const node = test?.node;
    if (test === undefined || node === undefined) {
      this.#wanted += 1;
      return undefined;
    }
    let epoch: number;
    try {
      epoch = await node.claim(ENVIRONMENT);
    } catch {
      this.#wanted += 1;
      return undefined;
    }
    if (test.node !== node || this.#stopped) return undefined;
    return new Promise((resolve) => {
      resolve(
        new Promise((closed) => {
          const pipe: Pipe = new Pipe({
            onText: (text) => this.#receive(text),
            onClosed: () => {
              this.#outbound.detach(link);
              this.#pipe = undefined;
              closed();
            },
          });
          const link = {
            send: (frame: string | Buffer) => pipe.sendToNode(String(frame)),
            bufferedAmount: 0,
          };
          pipe.near = node.attachEngine(ENVIRONMENT, epoch, pipe, this.#cursor !== undefined);
          test.add(pipe);
          this.#pipe = pipe;
          this.#outbound.attach(link);
        }),
      );
    });
  }

  #receive(text: string): void {
    const decoded = decodeInbound(text);
    if (!decoded.ok) throw new Error(`not a frame: ${text.slice(0, 200)}`);
    const { frame } = decoded;
    const { clientId, streamId = '', seqId = 0 } = frame;
    const key = streamKey(clientId, streamId);
    let message: string | undefined;
    switch (frame.type) {
      case 'ping': {
        const known = this.#streams.has(key);
        if (known) this.#outbound.pong(key, 'active');
        else this.#pongUnknown(key, clientId, streamId);
        return;
      }
      case 'ack':
        this.#outbound.ack(key, seqId, frame.segmentId);
        return;
      case 'client_closed': {
        const stream = this.#streams.get(key);
        if (stream !== undefined) this.#outbound.close(key, stream.outbound);
        this.#streams.delete(key);
        break;
      }
      case 'client_message':
        message = memberText(text, 'message');
        break;
      case 'client_message_chunk': {
        const result = this.#assembler.feed(key, seqId, frame, text.length);
        if (result.kind === 'complete') message = result.text;
      }
    }
    if (message !== undefined) this.#onMessage(key, clientId, streamId, seqId, JSON.parse(message));
    if (message !== undefined && frame.cursor !== undefined) this.#cursor = frame.cursor;
  }

  /** Outside of any stream, with a number of the stream. RC-33 */
  #pongUnknown(key: string, clientId: string, streamId: string): void {
    const outbound = this.#outbound.create(key, clientId, streamId);
    this.#outbound.open(key, outbound);
    this.#outbound.pong(key, 'unknown');
    this.#outbound.close(key, outbound);
  }

  #onMessage(key: string, clientId: string, streamId: string, seqId: number, message: unknown): void {
    const opens =
      typeof message === 'object' &&
      message !== null &&
      'method' in message &&
      message.method === 'initialize';
    let stream = this.#streams.get(key);
    if (opens) {
      if (stream !== undefined) this.#outbound.close(key, stream.outbound);
      const outbound = this.#outbound.create(key, clientId, streamId);
      this.#outbound.open(key, outbound);
      stream = { clientId, streamId, outbound, lastSeqId: seqId };
      this.#streams.set(key, stream);
      this.opened.set(key, (this.opened.get(key) ?? 0) + 1);
      this.#outbound.send(key, outbound, '{"id":1,"result":{}}');
      return;
    }
    if (stream === undefined || seqId <= stream.lastSeqId) return;
    stream.lastSeqId = seqId;
    record(this.received, key, message);
  }
}

/** A controller with numbered frames, over the streams of `rc-engine connect`. It connects to any node that takes it. */
export class TestController {
  readonly clientId: string;
  readonly received: Received = new Map();
  readonly closed = new Map<string, number>();
  readonly #nodes: readonly TestNode[];
  readonly #streams: ControllerStreams;
  readonly #open = new Map<string, Stream>();
  #pipe: Pipe | undefined;
  #wanted: number;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(nodes: readonly TestNode[], clientId: string, wanted: number) {
    this.#nodes = nodes;
    this.clientId = clientId;
    this.#wanted = wanted;
    this.#streams = new ControllerStreams({ clientId, onEnvironment: () => {} });
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pipe?.cut();
    await this.#running;
  }

  move(to: number, halfOpen: boolean): void {
    this.#wanted = to;
    if (halfOpen) this.#pipe?.cutFarOnly();
    else this.#pipe?.cut();
  }

  open(streamId: string): string {
    const key = streamKey(this.clientId, streamId);
    const stream = this.#streams.open(streamId, {
      onMessage: (text) => {
        record(this.received, key, JSON.parse(text));
        return true;
      },
      onWritable: () => {},
      onClosed: ({ code }) => this.closed.set(key, code),
    });
    this.#open.set(key, stream);
    stream.send('{"id":1,"method":"initialize","params":{}}');
    return key;
  }

  send(key: string, k: number, bytes: number): void {
    this.#open.get(key)?.send(numbered(k, bytes));
  }

  closeStream(key: string): void {
    this.#open.get(key)?.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const test = this.#nodes[this.#wanted % this.#nodes.length];
      const node = test?.node;
      if (test === undefined || node === undefined) {
        this.#wanted += 1;
        await sleep(RETRY);
        continue;
      }
      let number: number;
      try {
        number = await node.claimSession(this.clientId, 'session');
      } catch {
        this.#wanted += 1;
        await sleep(RETRY);
        continue;
      }
      if (test.node !== node || this.#stopped) continue;
      await new Promise<void>((closed) => {
        const pipe: Pipe = new Pipe({
          onText: (text) => this.#streams.receive(Buffer.from(text)),
          onClosed: () => {
            this.#streams.detach(link);
            this.#pipe = undefined;
            closed();
          },
        });
        const link = { send: (frame: string | Buffer) => pipe.sendToNode(String(frame)), bufferedAmount: 0 };
        const socket = new ControllerSocket(pipe, node.edgeOf(ENVIRONMENT), this.clientId, number);
        test.sockets.add(socket);
        pipe.near = {
          onText: (text) => socket.receive(text),
          onClosed: () => {
            test.sockets.delete(socket);
            socket.onClosed();
          },
        };
        test.add(pipe);
        this.#pipe = pipe;
        this.#streams.attach(link);
      });
      await sleep(1);
    }
  }
}

/** A controller with one JSON-RPC message in each frame. It lives as long as its socket. */
export class TestPlainController {
  readonly received: number[] = [];
  closed: number | undefined;
  readonly key: string;
  readonly #pipe: Pipe;

  constructor(test: TestNode, clientId: string, streamId: string) {
    this.key = streamKey(clientId, streamId);
    const all: Received = new Map([[this.key, this.received]]);
    this.#pipe = new Pipe({
      onText: (text) => record(all, this.key, JSON.parse(text)),
      onClosed: (code) => {
        this.closed = code;
      },
    });
    if (test.node === undefined) throw new Error('the node does not run');
    const controller = new PlainController(this.#pipe, test.node.edgeOf(ENVIRONMENT), clientId, streamId);
    this.#pipe.near = {
      onText: (text) => controller.receive(text),
      onClosed: () => controller.onClosed(),
    };
    test.add(this.#pipe);
    this.#pipe.sendToNode('{"id":1,"method":"initialize","params":{}}');
  }

  send(k: number, bytes: number): void {
    this.#pipe.sendToNode(numbered(k, bytes));
  }

  end(): void {
    this.#pipe.cut();
  }
}
