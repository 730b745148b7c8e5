/** Local connections and their streams without sockets: the test plays the local client and the backend. */
import { LocalConnection } from '../../src/connect/local-connection.js';
import { ControllerStreams, type StreamClosed } from '../../src/connect/streams.js';
import type { LocalEnd } from '../../src/session/local-client.js';

export const CLIENT = 'cli_1';

type Frame = Record<string, unknown>;

/** One local client, as its transport sees it. */
export class LocalPeer {
  readonly received: string[] = [];
  readonly closed: { end: LocalEnd; text: string }[] = [];
  /** False: the client reads slowly. */
  reads = true;
  readPaused = false;
  readonly connection: LocalConnection;

  constructor(rig: StreamsRig) {
    this.connection = new LocalConnection(
      {
        send: (text) => {
          // After the close frame nothing can be sent.
          if (this.closed.length === 0) this.received.push(text);
          return this.reads;
        },
        pauseReading: (paused) => {
          this.readPaused = paused;
        },
        close: (end, text) => void this.closed.push({ end, text }),
      },
      {
        streams: rig.streams,
        refusal: () => rig.refusal,
        newStreamId: () => rig.nextStreamId(),
        onClosed: () => {},
        onSkipped: () => {
          rig.skipped += 1;
        },
      },
    );
  }

  send(message: unknown): void {
    this.connection.receive(typeof message === 'string' ? message : JSON.stringify(message));
  }

  get messages(): Frame[] {
    return this.received.map((text) => JSON.parse(text) as Frame);
  }
}

export class StreamsRig {
  readonly environment: boolean[] = [];
  readonly sent: Frame[] = [];
  readonly streams: ControllerStreams;
  refusal: StreamClosed | undefined;
  skipped = 0;
  #lastStream = 0;

  constructor(limits: { readonly heldChars?: number; readonly heldInAll?: number } = {}) {
    this.streams = new ControllerStreams(
      { clientId: CLIENT, onEnvironment: (connected) => void this.environment.push(connected) },
      limits,
    );
    this.streams.attach({
      send: (frame) => void this.sent.push(JSON.parse(String(frame)) as Frame),
      bufferedAmount: 0,
    });
  }

  nextStreamId(): string {
    this.#lastStream += 1;
    return `stream-${this.#lastStream}`;
  }

  /** A local client whose first request was sent; its stream is `stream-N`. */
  client(): LocalPeer {
    const peer = new LocalPeer(this);
    peer.send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'test', version: '1' } } });
    return peer;
  }

  /** A frame of the backend. */
  frame(frame: Frame | string): void {
    this.streams.receive(Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame)));
  }

  message(streamId: string, seqId: number, message: unknown): void {
    this.frame({ type: 'server_message', client_id: CLIENT, stream_id: streamId, seq_id: seqId, message });
  }

  closeStream(streamId: string, code: unknown, reason: unknown): void {
    this.frame({ type: 'client_closed', client_id: CLIENT, stream_id: streamId, code, reason });
  }

  framesOf(type: string): Frame[] {
    return this.sent.filter((frame) => frame.type === type);
  }
}
