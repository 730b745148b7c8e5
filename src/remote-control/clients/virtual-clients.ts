import { streamKey } from '../../protocol/frames.js';
import { errorText, RPC, type RpcId, withJsonrpc } from '../../protocol/jsonrpc.js';
import { Message } from '../../protocol/message.js';
import type { OutboundStream } from '../../protocol/outbound.js';
import type { OutboundStreams } from '../../protocol/outbound-streams.js';
import { REASONS, type Reason } from '../../protocol/reasons.js';
import { uuidV7 } from '../../system/formats.js';
import { EndedStreams, endedError, lostResponseError } from './ended-streams.js';
import { HeldMemory } from './held-memory.js';
import { tooLargeError, VirtualClient, type VirtualClientDeps } from './virtual-client.js';

export interface VirtualClientsDeps extends VirtualClientDeps {
  /** Limit of open virtual clients; another one is answered with an overload error. */
  readonly maxClients: number;
  /** Characters that all virtual clients may hold together. Default: 256 Mi. RC-190 */
  readonly maxHeldChars?: number;
  /** App servers of one client, where each stream has its own; one more closes the quietest. Default: no limit. RC-76 */
  readonly maxChildren?: number;
  /** Something was skipped or dropped; `fields` do not contain its content. RC-39, RC-40 */
  readonly onSkipped: (what: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Why a virtual client was closed: worth a warning that names it. */
const FAULTS: ReadonlySet<Reason> = new Set(['clientStalled', 'clientOverloaded']);

interface StreamIds {
  readonly clientId: string;
  readonly streamId: string;
}

/** All open virtual clients, at most `maxClients`: opens, finds and closes them. RC-30, RC-31, RC-34 */
export class VirtualClients {
  readonly #deps: VirtualClientsDeps & { readonly onDropped: VirtualClientsDeps['onSkipped'] };
  readonly #ended = new EndedStreams();
  readonly #outbound: OutboundStreams;
  readonly #onClosed: (key: string) => void;
  readonly #clients = new Map<string, VirtualClient>();
  readonly #held: HeldMemory;
  /** Monotonic ms of the last sweep. */
  #sweptAt = 0;
  /** Stream ids made for controllers that send none, by client id. RC-31 */
  readonly #legacyStreams = new Map<string, string>();

  /**
   * @param deps `onDropped` names a virtual client that was closed because of a fault.
   * @param onClosed called with the key of a virtual client that is closed and was not replaced
   */
  constructor(
    deps: VirtualClientsDeps & { readonly onDropped: VirtualClientsDeps['onSkipped'] },
    outbound: OutboundStreams,
    onClosed: (key: string) => void,
  ) {
    this.#deps = deps;
    this.#outbound = outbound;
    this.#onClosed = onClosed;
    const heldBy = ({ clientId, streamId, session }: VirtualClient) =>
      session.queuedChars + (outbound.get(streamKey(clientId, streamId))?.heldChars ?? 0);
    this.#held = new HeldMemory(() => this.all, heldBy, deps.maxHeldChars);
  }

  /** Call it for what has come or gone: streams of a controller for which too much is held are closed. RC-190 */
  count(chars: number): void {
    for (const client of this.#held.surplusAfter(chars)) client.close('clientOverloaded');
  }

  get size(): number {
    return this.#clients.size;
  }

  get all(): readonly VirtualClient[] {
    return [...this.#clients.values()];
  }

  get(key: string): VirtualClient | undefined {
    return this.#clients.get(key);
  }

  /**
   * The stream of a frame. A controller that sends no stream id gets one with the message that opens its stream, which
   * its later frames share. Undefined without such a message, or when `maxClients` such ids are in use. RC-31
   */
  streamIdOf(clientId: string, streamId: string | undefined, opens: boolean = false): string | undefined {
    if (streamId !== undefined) return streamId;
    const known = this.#legacyStreams.get(clientId);
    if (known !== undefined) return known;
    if (!opens) return this.#ended.streamIdOf(clientId);
    if (this.#legacyStreams.size >= this.#deps.maxClients) return undefined;
    const made = uuidV7(this.#deps.env);
    this.#legacyStreams.set(clientId, made);
    return made;
  }

  /** Opens a virtual client, in place of one with the same ids. Undefined: too many; the controller got an error. */
  open(
    frame: { readonly clientId: string; readonly streamId: string | undefined },
    streamId: string,
    initialize: Message,
  ): VirtualClient | undefined {
    const { clientId } = frame;
    const key = streamKey(clientId, streamId);
    this.#clients.get(key)?.close('reinitialized');
    this.#ended.delete(key);
    if (this.#clients.size >= this.#deps.maxClients) {
      this.#refuse({ clientId, streamId }, initialize);
      return undefined;
    }
    this.#makeRoom(clientId);
    const stream = this.#outbound.create(key, clientId, streamId);
    this.#outbound.open(key, stream);
    const client = new VirtualClient(
      { clientId, streamId },
      this.#deps,
      {
        send: (text) => this.#send(key, stream, text),
        end: (cause) => stream.end((text) => lostResponseError(text, cause)),
      },
      (closed) => this.#remove(key, closed, stream),
    );
    this.#clients.set(key, client);
    client.start();
    // Closing the previous client of this stream has removed the entry. RC-31
    if (frame.streamId === undefined) this.#legacyStreams.set(clientId, streamId);
    return client;
  }

  /** Closes one virtual client, or without a stream id all of this client id. RC-34 */
  close(clientId: string, streamId: string | undefined): void {
    this.#ended.forget(clientId, streamId);
    if (streamId !== undefined) {
      this.#clients.get(streamKey(clientId, streamId))?.close('clientClosed');
      return;
    }
    this.#legacyStreams.delete(clientId);
    for (const client of this.#clients.values())
      if (client.clientId === clientId) client.close('clientClosed');
  }

  closeAll(reason: Reason): void {
    for (const client of this.#clients.values()) client.close(reason);
    this.#legacyStreams.clear();
  }

  /**
   * Closes virtual clients that have been idle for too long. After a standstill of the process or the machine, pings may
   * wait in the socket, so the time of each client starts over. RC-34
   */
  sweepIdle(): void {
    const { env, timing } = this.#deps;
    const now = env.monotonic();
    const stoodStill = now - this.#sweptAt > 2 * timing.idleSweep;
    this.#sweptAt = now;
    for (const client of this.#clients.values()) {
      if (stoodStill) client.touch();
      else if (client.lastActivity <= now - timing.clientIdle) client.expire();
    }
  }

  /** The sweep starts now. */
  startSweep(): void {
    this.#sweptAt = this.#deps.env.monotonic();
  }

  /**
   * A client that opens a stream at each reconnect and closes none must not start processes without end: its quietest
   * streams end, until it may have one more app server. RC-76
   */
  #makeRoom(clientId: string): void {
    const { maxChildren, appServer } = this.#deps;
    const mode = appServer.health?.mode ?? 'perClient';
    if (maxChildren === undefined || mode !== 'perClient' || this.#clients.size < maxChildren) return;
    const streams = this.all.filter((client) => client.clientId === clientId);
    const surplus = streams.length - maxChildren + 1;
    if (surplus <= 0) return;
    // Sorting is stable and the map is in the order of opening: of two equally quiet ones the older goes.
    streams.sort(
      (one, other) =>
        Number(one.session.isWaiting) - Number(other.session.isWaiting) ||
        one.lastActivity - other.lastActivity,
    );
    for (const client of streams.slice(0, surplus)) client.close('tooManyStreams');
    this.#deps.onSkipped('a client has too many streams: its quietest were closed', {
      clientId,
      closed: surplus,
      limit: maxChildren,
    });
  }

  #refuse(ids: StreamIds, initialize: Message): void {
    const { shape } = initialize;
    this.#deps.onSkipped('too many virtual clients', { limit: this.#deps.maxClients });
    if (shape.kind !== 'request') return;
    const error = errorText(shape.id, RPC.overloaded, 'Too many remote clients; retry later.');
    this.#sendLast(ids, initialize.hasJsonrpc ? withJsonrpc(error) : error);
  }

  /**
   * A message for a stream that is not open. Where the engine has ended it, a request gets the cause of that end.
   * @returns whether the message was answered. RC-82
   */
  answerEnded(ids: StreamIds & { readonly seqId: number | undefined }, message: Message): boolean {
    // Errors for a backend that does not read would fill the memory.
    if (message.shape.kind !== 'request' || !this.#outbound.hasRoom) return false;
    const cause = this.#ended.take(streamKey(ids.clientId, ids.streamId), ids.seqId);
    const error = cause === undefined ? undefined : endedError(message, cause);
    if (error === undefined) return false;
    this.#sendLast(ids, error);
    return true;
  }

  /** Sends a message on a stream that is not open. */
  #sendLast({ clientId, streamId }: StreamIds, text: string): void {
    const key = streamKey(clientId, streamId);
    let stream = this.#outbound.get(key);
    if (stream === undefined) {
      stream = this.#outbound.create(key, clientId, streamId);
      stream.end(() => undefined);
      this.#outbound.open(key, stream);
    }
    this.#outbound.send(key, stream, text);
    this.#outbound.end(key, stream);
  }

  #send(key: string, stream: OutboundStream, text: string): void {
    // A client that was replaced may still send.
    if (!this.#outbound.isOpen(key, stream)) return;
    const result = this.#outbound.send(key, stream, text);
    this.count(text.length);
    if (result === 'sent') return;
    if (result === 'full') this.#clients.get(key)?.session.pause();
    else if (result === 'overflow') this.#overflow(key, stream, text);
    else {
      this.#deps.onSkipped('message too large for remote control', { key, chars: text.length });
      const large = Message.from(text);
      const { shape } = large;
      const error = (id: RpcId) => {
        const written = tooLargeError(id, text.length);
        return large.hasJsonrpc ? withJsonrpc(written) : written;
      };
      if (shape.kind === 'response' && shape.id !== null) {
        this.#send(key, stream, error(shape.id));
      } else if (shape.kind === 'request') {
        // The controller never sees it, so the app server must not wait for its response.
        this.#clients.get(key)?.session.answerAppServer(error(shape.id));
      }
    }
  }

  /** The client is closed, and the requester of the message that did not fit gets an error as well. */
  #overflow(key: string, stream: OutboundStream, text: string): void {
    const client = this.#clients.get(key);
    client?.close('clientOverloaded');
    const error = client?.ending === undefined ? undefined : lostResponseError(text, client.ending);
    if (error !== undefined && this.#outbound.isOpen(key, stream)) this.#outbound.send(key, stream, error);
  }

  #remove(key: string, client: VirtualClient, stream: OutboundStream): void {
    if (this.#clients.get(key) === client) this.#clients.delete(key);
    const { clientId, streamId, ending, lastSeqId } = client;
    const wasOpen =
      ending === undefined ? this.#outbound.close(key, stream) : this.#outbound.end(key, stream);
    if (!wasOpen) return;
    this.#onClosed(key);
    const isLegacy = this.#legacyStreams.get(clientId) === streamId;
    if (isLegacy) this.#legacyStreams.delete(clientId);
    if (ending === undefined) return;
    this.#ended.add(key, { cause: ending, lastSeqId, clientId, streamId, isLegacy });
    const { reason } = ending;
    if (FAULTS.has(reason)) {
      this.#deps.onDropped(`virtual client closed: ${REASONS[reason].means}`, { clientId, streamId, reason });
    }
  }
}
