import { CLOSE_CODES } from '../../protocol/close-codes.js';
import { type Credit, Incoming, Outgoing } from './hop.js';
import { type DownRecord, ENDED, type HopFrame, type HopNext, type UpRecord } from './records.js';
import { MAX_STREAM_BYTES } from './timing.js';

/** Where the frames of one stream go: a controller with one message in each frame, or one stream of a session. */
export interface StreamPeer {
  /** Number of the socket of a session, whose streams may be continued on another edge. */
  readonly session: number | undefined;
  /** The controller has continued the stream with a newer socket. */
  onMoved(): void;
  /** False: the controller does not read; the frame is offered again after `onReady`. */
  deliver(frame: HopFrame): boolean;
  /** The engine has everything up to this message. */
  onConfirmed(seqId: number): void;
  /** The engine knows the stream. */
  onOpen(): void;
  /** Called once. */
  close(code: number, reason: string): void;
}

export interface EdgeStreamDeps {
  readonly clientId: string;
  readonly streamId: string;
  readonly peer: StreamPeer;
  /** The controller knows that the engine has opened the stream. */
  readonly started: boolean;
  readonly toOwner: (record: UpRecord) => void;
  /** The owner does not know the route any more: attach it again. */
  readonly reopen: () => void;
  /** The stream has ended and is forgotten. */
  readonly onEnd: () => void;
}

/** A frame that the controller has, or is about to get. */
interface Passed {
  readonly n: number;
  readonly seqId: number;
  readonly auto: boolean;
}

/** The owner, as the edge knows it. */
export interface OwnerRoute {
  readonly epoch: number;
  readonly node: string;
  readonly route: string;
  readonly credit: Credit;
}

/**
 * One stream at the node of its controller. Frames of the controller are kept until the owner has confirmed them, and are
 * sent again to the next owner.
 */
export class EdgeStream {
  readonly clientId: string;
  readonly streamId: string;
  readonly #deps: EdgeStreamDeps;
  /** From the controller to the owner. */
  readonly #up: Outgoing;
  /** From the owner to the controller. */
  readonly #down = new Incoming();
  #passed: Passed[] = [];
  /** Up to here the controller has everything. */
  #delivered = 0;
  /** The last frame that went to the controller. */
  #lastSeqId = 0;
  #lastSegmentId = 0;
  #owner: OwnerRoute | undefined;
  #open = false;
  #started: boolean;
  #leaving = false;
  #ended = false;
  /** Of the environment: runs while there is no owner. */
  holdTimer: NodeJS.Timeout | undefined;

  constructor(deps: EdgeStreamDeps, credit: Credit) {
    this.#deps = deps;
    this.clientId = deps.clientId;
    this.streamId = deps.streamId;
    this.#started = deps.started;
    this.#up = new Outgoing(credit, (n, frame) => this.#toOwner({ kind: 'up', ...this.#ids, n, frame }));
  }

  /** The controller has got a message of the engine. */
  get started(): boolean {
    return this.#started;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get isLeaving(): boolean {
    return this.#leaving;
  }

  /** Kept bytes that the engine may not have. */
  get waitingBytes(): number {
    return this.#up.bytes;
  }

  /** A new owner, or the first one. */
  attach(owner: OwnerRoute): void {
    clearTimeout(this.holdTimer);
    this.#owner = owner;
    this.#open = false;
    this.#up.restart(owner.credit);
    this.#down.restart();
    this.#passed = [];
    this.#sendOpen();
  }

  /** There is no owner. */
  suspend(credit: Credit): void {
    this.#owner = undefined;
    this.#open = false;
    this.#up.restart(credit);
  }

  /** Sends again what the owner may not have received. */
  probe(): void {
    if (this.#owner === undefined) return;
    if (!this.#open) this.#sendOpen();
    else if (this.#up.isWaiting) this.#toOwner({ kind: 'upProbe', ...this.#ids, sent: this.#up.sent });
  }

  // --- from the controller

  /** False: more waits for the engine than is kept; the stream was closed. */
  send(frame: HopFrame): boolean {
    if (this.#ended || this.#leaving) return false;
    if (this.#up.bytes > MAX_STREAM_BYTES && frame.segmentId === 0) {
      this.close(CLOSE_CODES.tryAgainLater, 'too many unsent messages');
      return false;
    }
    this.#up.push(frame);
    return true;
  }

  /** The controller has everything up to this frame. */
  delivered(seqId: number): void {
    this.#delivered = Math.max(this.#delivered, seqId);
    this.#confirmDown();
  }

  /** The controller takes frames again. */
  ready(): void {
    if (!this.#down.paused) return;
    this.#down.paused = false;
    this.#sendStatus('again');
  }

  /** The controller has closed the stream. The owner gets its last messages first. */
  leave(): void {
    if (this.#ended || this.#leaving) return;
    this.#leaving = true;
    this.#up.push({ seqId: 0, segmentId: 0, last: true, use: 'close', body: '' });
    if (this.#owner === undefined && !this.#started) this.end();
  }

  /** The socket of a session is gone. The next one opens the stream again, on this edge or on another one. */
  detach(): void {
    this.#toOwner({ kind: 'detach', ...this.#ids });
    this.end();
  }

  /** Ends the stream at both ends. */
  close(code: number, reason: string): void {
    if (this.#ended) return;
    if (!this.#leaving) this.#deps.peer.close(code, reason);
    this.leave();
  }

  /** Forgets the stream. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.holdTimer);
    this.#up.end();
    this.#deps.onEnd();
  }

  // --- from the owner

  onRecord(record: DownRecord): void {
    if (this.#ended || record.epoch !== this.#owner?.epoch || record.route !== this.#owner.route) return;
    switch (record.kind) {
      case 'opened':
        if (this.#open) return;
        this.#open = true;
        this.#up.start();
        if (!this.#leaving) this.#deps.peer.onOpen();
        return;
      case 'ended':
        if (record.code === ENDED.notOpen && !this.#leaving) {
          this.#deps.reopen();
          return;
        }
        this.end();
        if (record.code === ENDED.moved) this.#deps.peer.onMoved();
        else if (!this.#leaving) this.#deps.peer.close(record.code, record.reason);
        return;
      case 'down':
        this.#onDown(record.n, record.frame);
        return;
      case 'downProbe':
        this.#sendStatus(record.sent > this.#down.received && !this.#down.paused ? 'again' : 'go');
        return;
      case 'upStatus': {
        const confirmed = this.#up.onStatus(record.received, record.confirmed, record.next);
        const seqId = confirmed.at(-1)?.seqId ?? 0;
        if (seqId > 0 && !this.#leaving) this.#deps.peer.onConfirmed(seqId);
        return;
      }
    }
  }

  #onDown(n: number, frame: HopFrame): void {
    switch (this.#down.check(n)) {
      case 'ignore':
        return;
      case 'repeat':
        this.#sendStatus('go');
        return;
      case 'gap':
        this.#sendStatus('again');
        return;
      case 'next':
    }
    // What a former owner has sent is not sent twice.
    if (this.#isNew(frame) && frame.use === 'message' && !this.#leaving) {
      if (!this.#deps.peer.deliver(frame)) {
        this.#down.paused = true;
        this.#sendStatus('pause');
        return;
      }
      this.#lastSeqId = frame.seqId;
      this.#lastSegmentId = frame.segmentId;
      this.#started = true;
    }
    this.#passed.push({ n, seqId: frame.seqId, auto: frame.use === 'auto' || this.#leaving });
    const isDue = this.#down.take(frame);
    if (!this.#confirmDown() && isDue) this.#sendStatus('go');
  }

  #isNew({ seqId, segmentId }: HopFrame): boolean {
    return seqId === this.#lastSeqId ? segmentId > this.#lastSegmentId : seqId > this.#lastSeqId;
  }

  /** Confirms frames in their order, as far as the controller has them. */
  #confirmDown(): boolean {
    let count = 0;
    for (const { seqId, auto } of this.#passed) {
      if (!auto && seqId > this.#delivered) break;
      count += 1;
    }
    const last = this.#passed[count - 1];
    if (last === undefined) return false;
    this.#passed.splice(0, count);
    this.#down.confirmed = last.n;
    this.#sendStatus('go');
    return true;
  }

  // ---

  get #ids(): { readonly epoch: number; readonly route: string } {
    return { epoch: this.#owner?.epoch ?? 0, route: this.#owner?.route ?? '' };
  }

  #sendOpen(): void {
    const { clientId, streamId, peer } = this.#deps;
    const node = this.#owner?.route.replace(/\.\d+$/, '') ?? '';
    const { session } = peer;
    this.#toOwner({ kind: 'open', ...this.#ids, node, clientId, streamId, session, started: this.#started });
  }

  #sendStatus(next: HopNext): void {
    const { received, confirmed } = this.#down;
    this.#toOwner({ kind: 'downStatus', ...this.#ids, received, confirmed, next });
  }

  #toOwner(record: UpRecord): void {
    if (this.#owner !== undefined) this.#deps.toOwner(record);
  }
}
