// An engine and a controller with numbered frames, written from docs/spec/remote-control.md (RC-30 to RC-37, RC-91, RC-92) and
// not from the code of rc-engine, so that both have to agree with the specification.
import { randomUUID } from 'node:crypto';
import { Direction } from './checker.mjs';
import { Dialer, post } from './dialer.mjs';

const NAME = 'fault-bench';
const FILL = 'x'.repeat(120);

/** Frames of one stream and one direction that the other side has not acknowledged. */
class Outbox {
  #kept = [];
  seqId = 0;

  /** Keeps a frame and returns its text. */
  add(frame) {
    this.seqId += 1;
    const text = JSON.stringify({ ...frame, seq_id: this.seqId });
    this.#kept.push({ seqId: this.seqId, text });
    return text;
  }

  ack(seqId) {
    let count = 0;
    while (count < this.#kept.length && this.#kept[count].seqId <= seqId) count += 1;
    this.#kept.splice(0, count);
  }

  get texts() {
    return this.#kept.map(({ text }) => text);
  }

  get size() {
    return this.#kept.length;
  }
}

const message = (k) => ({ method: 'n', params: { k, fill: FILL } });

export class Engine {
  streams = new Map();
  dialer;
  identity;
  #cursor;
  #socket;
  #installation = randomUUID();

  static async enroll(nodes, account) {
    const engine = new Engine();
    engine.account = {
      ...{ authorization: `Bearer ${account}`, 'chatgpt-account-id': account },
      'x-codex-installation-id': engine.#installation,
    };
    const machine = { os: 'linux', arch: 'x86_64', app_server_version: '1' };
    const body = { name: NAME, ...machine, installation_id: engine.#installation };
    engine.identity = await post(nodes, 'server/enroll', engine.account, body);
    return engine;
  }

  start(nodes) {
    const { server_id, remote_control_token: token } = this.identity;
    this.dialer = new Dialer(
      nodes,
      'server',
      () => ({
        ...{ authorization: `Bearer ${token}`, 'x-codex-server-id': server_id },
        ...{ 'x-codex-name': Buffer.from(NAME).toString('base64'), 'x-codex-protocol-version': '3' },
        'x-codex-installation-id': this.#installation,
        ...(this.#cursor === undefined ? {} : { 'x-codex-subscribe-cursor': this.#cursor }),
      }),
      {
        onOpen: (socket) => {
          this.#socket = socket;
          for (const { outbox } of this.streams.values()) for (const text of outbox.texts) socket.send(text);
        },
        onText: (text, socket) => {
          if (socket === this.#socket) this.#receive(JSON.parse(text));
        },
        onLost: () => {
          this.#socket = undefined;
        },
      },
    );
  }

  /** The identity of a new controller. */
  async claim(nodes) {
    const headers = { authorization: `Bearer ${this.identity.remote_control_token}` };
    const { pairing_code } = await post(nodes, 'server/pair', headers, { manual_code: false });
    return await post(nodes, 'client/claim', {}, { pairing_code });
  }

  send(stream) {
    const open = this.streams.get(stream);
    if (open === undefined) return;
    this.#push(open, { type: 'server_message', message: message(open.down.next()) });
  }

  #push(open, frame) {
    const text = open.outbox.add({ ...frame, client_id: open.clientId, stream_id: open.streamId });
    this.#socket?.send(text);
  }

  #receive({ type, client_id: clientId, stream_id: streamId, seq_id: seqId, message: received, cursor }) {
    const open = this.streams.get(streamId);
    switch (type) {
      case 'ping':
        if (open !== undefined) this.#push(open, { type: 'pong', status: 'active' });
        else
          this.#socket?.send(
            JSON.stringify({
              ...{ type: 'pong', status: 'unknown', client_id: clientId, stream_id: streamId, seq_id: 1 },
            }),
          );
        return;
      case 'ack':
        open?.outbox.ack(seqId);
        return;
      case 'client_closed':
        this.streams.delete(streamId);
        break;
      case 'client_message':
        if (received.method === 'initialize') this.#open(clientId, streamId, seqId);
        else if (open !== undefined && seqId > open.last) {
          open.last = seqId;
          open.up.onNumber(received.params.k);
        }
    }
    if (cursor !== undefined) this.#cursor = cursor;
  }

  #open(clientId, streamId, seqId) {
    const former = this.streams.get(streamId);
    const open = { clientId, streamId, outbox: new Outbox(), last: seqId, opened: (former?.opened ?? 0) + 1 };
    open.up = former?.up ?? this.directionsOf(streamId).up;
    open.down = former?.down ?? this.directionsOf(streamId).down;
    this.streams.set(streamId, open);
    this.#push(open, { type: 'server_message', message: { id: 1, result: {} } });
  }
}

export class Controller {
  streamId = `stream_${randomUUID()}`;
  up = new Direction();
  down = new Direction();
  /** The close code of the stream. */
  closed;
  onClosed;
  answered = false;
  dialer;
  #outbox = new Outbox();
  #session = randomUUID();
  #last = 0;
  #socket;

  constructor(claimed) {
    this.claimed = claimed;
    this.clientId = claimed.client_id;
  }

  start(nodes) {
    this.dialer = new Dialer(
      nodes,
      'client',
      () => ({
        authorization: `Bearer ${this.claimed.controller_token}`,
        ...{ 'x-codex-protocol-version': '3', 'x-rc-engine-session': this.#session },
      }),
      {
        onOpen: (socket) => {
          this.#socket = socket;
          for (const text of this.#outbox.texts) socket.send(text);
          if (this.#last === 0) return;
          this.#control('ping');
          this.#control('ack', this.#last);
        },
        onText: (text, socket) => {
          if (socket === this.#socket) this.#receive(JSON.parse(text));
        },
        onLost: () => {
          this.#socket = undefined;
        },
      },
    );
    this.#push({ id: 1, method: 'initialize', params: {} });
  }

  send() {
    if (this.answered && this.closed === undefined) this.#push(message(this.up.next()));
  }

  #push(value) {
    const frame = {
      type: 'client_message',
      message: value,
      client_id: this.clientId,
      stream_id: this.streamId,
    };
    const text = this.#outbox.add(frame);
    this.#socket?.send(text);
  }

  #control(type, seqId) {
    const ids = { client_id: this.clientId, stream_id: this.streamId };
    this.#socket?.send(JSON.stringify({ type, ...ids, ...(seqId === undefined ? {} : { seq_id: seqId }) }));
  }

  #receive({ type, stream_id: streamId, seq_id: seqId, message: received, status, code }) {
    if (streamId !== this.streamId) return;
    switch (type) {
      case 'ack':
        this.#outbox.ack(seqId);
        return;
      case 'client_closed':
        this.#end(code);
        return;
      case 'pong':
        if (status === 'unknown') this.#end('unknown');
        if (seqId > this.#last) this.#take(seqId);
        return;
      case 'server_message':
        if (seqId > this.#last) {
          if (received.id === 1) {
            this.answered = true;
          } else this.down.onNumber(received.params.k);
          this.#last = seqId;
        }
        this.#control('ack', this.#last);
    }
  }

  #end(code) {
    if (this.closed !== undefined) return;
    this.closed = code;
    this.onClosed(code);
  }

  #take(seqId) {
    this.#last = seqId;
    this.#control('ack', seqId);
  }
}
