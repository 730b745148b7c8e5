import { type ActorRefFrom, createActor, fromCallback, fromPromise, type SnapshotFrom } from 'xstate';
import { controllerLinkMachine } from '../../machines/controller-link.js';
import { type LinkEvent, linkMachine, type SocketCommand } from '../../machines/link.js';
import { controllerUrl } from '../controller/claim.js';
import type { Dialer } from '../net/dialer.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { type Decision, statePath } from '../protocol/decision.js';
import { MAX_CHUNKED_MESSAGE_BYTES } from '../protocol/frames.js';
import type { DialOutcome, Failure, SocketHandle } from '../protocol/outcomes.js';
import { REASONS, type Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import { CONTROLLER_TIMING, type Env, type Timing, wallTimeOf } from '../protocol/timing.js';
import { dialSocket } from '../remote-control/link/dial.js';
import type { BackendSocket } from '../remote-control/link/socket.js';
import { createSleepDetector } from '../system/sleep-detector.js';
import type { ControllerStreams, StreamClosed } from './streams.js';

const FRAMES_VERSION = '3';
/** Why a new local connection ends while the link is down. */
const UNREACHABLE = 'the backend cannot be reached';

export interface ControllerLinkDeps {
  readonly baseUrl: string;
  readonly token: Secret;
  /** Names this run at the backend, so that the next socket continues its streams. */
  readonly sessionId: string;
  readonly dialer: Dialer;
  readonly env: Env;
  readonly timing: Timing;
  readonly streams: ControllerStreams;
  readonly onReport: (report: LinkReport) => void;
}

/** The state of the link and why. */
export interface LinkReport {
  readonly online: boolean;
  readonly state: string;
  readonly reason: Reason;
  readonly failure: Failure | null;
  /** Wall-clock ms of the next attempt; null when none is scheduled. */
  readonly nextAttemptAt: number | null;
}

/** How the link ended. */
export interface LinkEnd {
  readonly reason: Reason;
  readonly failure: Failure | null;
}

/** Runs the chart `controllerLink` with real sockets. It makes no decisions of its own. RC-93 */
export class ControllerLink {
  readonly #deps: ControllerLinkDeps;
  readonly #actor: ActorRefFrom<typeof controllerLinkMachine>;
  readonly #sockets = new Map<SocketHandle, BackendSocket>();
  #lastHandle = 0;
  /** Resolves when the link has ended for good. */
  readonly ended: Promise<LinkEnd>;

  constructor(deps: ControllerLinkDeps) {
    this.#deps = deps;
    const { env, timing, streams, onReport } = deps;
    const machine = controllerLinkMachine.provide({
      actors: {
        dial: fromPromise(({ signal }) => this.#dial(signal)),
        link: linkMachine.provide({ actors: { socket: this.#socketActor() } }),
      },
      actions: {
        closeNewStreams: ({ context }) => streams.closeAll('new', noLink(context, UNREACHABLE)),
        closeStreams: ({ context }) =>
          streams.closeAll('all', noLink(context, 'the backend could not be reached for too long')),
        endStreams: ({ context: { decision } }) =>
          streams.closeAll('all', {
            code: CLOSE_CODES.internalError,
            reason: decision.reason,
            text: REASONS[decision.reason].means,
          }),
      },
    });
    this.#actor = createActor(machine, {
      input: { env, timing, ...CONTROLLER_TIMING },
    });
    this.ended = new Promise((resolve, reject) => {
      let last: unknown;
      this.#actor.subscribe({
        next: (snapshot) => {
          if (snapshot === last) return;
          last = snapshot;
          onReport(reportOf(snapshot));
          if (snapshot.status === 'done') resolve(snapshot.output);
        },
        error: reject,
      });
    });
  }

  start(): void {
    this.#actor.start();
    const detector = createSleepDetector({
      onWake: ({ kind }) => this.#actor.send({ type: kind === 'network' ? 'NETWORK.CHANGED' : 'WAKE' }),
    });
    const stop = (): void => detector.close();
    this.ended.then(stop, stop);
  }

  stop(): void {
    this.#actor.send({ type: 'STOP' });
  }

  get report(): LinkReport {
    return reportOf(this.#actor.getSnapshot());
  }

  /** Why a new stream would wait for nothing: the backend has not answered for a while. Undefined: it can be opened. */
  get refusal(): StreamClosed | undefined {
    const snapshot = this.#actor.getSnapshot();
    return snapshot.hasTag('refusesStreams') ? noLink(snapshot.context, UNREACHABLE) : undefined;
  }

  async #dial(signal: AbortSignal): Promise<DialOutcome> {
    const { baseUrl, token, sessionId, dialer, env, timing } = this.#deps;
    const url = controllerUrl(baseUrl, 'client');
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const result = await dialSocket(
      {
        url: url.href,
        ...{ dialer, env, timing },
        headers: {
          Authorization: `Bearer ${token.reveal()}`,
          'x-codex-protocol-version': FRAMES_VERSION,
          'x-rc-engine-session': sessionId,
        },
        secrets: [token],
        maxMessageBytes: MAX_CHUNKED_MESSAGE_BYTES,
      },
      signal,
    );
    if (result.kind !== 'open') return result;
    this.#lastHandle += 1;
    this.#sockets.set(this.#lastHandle, result.socket);
    return { kind: 'open', socket: this.#lastHandle };
  }

  /** Owns one socket: its frames go to the streams, its pongs and its end to the chart. */
  #socketActor() {
    return fromCallback<SocketCommand, { socket: SocketHandle; timing: Timing }>(
      ({ input, sendBack, receive }) => {
        const { streams, timing } = this.#deps;
        const socket = this.#sockets.get(input.socket);
        if (socket === undefined) throw new Error(`no open socket ${input.socket}`);
        this.#sockets.delete(input.socket);
        const close = (): void => void socket.close(CLOSE_CODES.normal, timing.closeTimeout);
        let isClosed = false;
        socket.onPong(() => sendBack({ type: 'PONG' }));
        socket.onClose((end) => {
          isClosed = true;
          streams.detach(socket);
          sendBack({
            type: 'SOCKET.CLOSED',
            clean: end.clean,
            code: end.code,
            fault: end.fault,
          } satisfies LinkEvent);
        });
        socket.onDrain(() => streams.feed());
        receive((command) => {
          if (command.type === 'PING') socket.ping();
          else close();
        });
        streams.attach(socket);
        socket.onFrame((frame) => streams.receive(frame));
        return () => {
          streams.detach(socket);
          if (!isClosed) close();
        };
      },
    );
  }
}

function noLink({ decision }: { readonly decision: Decision }, text: string): StreamClosed {
  return { code: CLOSE_CODES.tryAgainLater, reason: decision.reason, text };
}

function reportOf(snapshot: SnapshotFrom<typeof controllerLinkMachine>): LinkReport {
  const { context } = snapshot;
  const online = snapshot.hasTag('online');
  const pausing = snapshot.matches({ offline: { attempts: 'backingOff' } });
  return {
    online,
    state: statePath(snapshot.value),
    reason: context.decision.reason,
    failure: context.lastFailure,
    nextAttemptAt:
      pausing && context.pause.until > context.env.monotonic()
        ? wallTimeOf(context.env, context.pause.until)
        : null,
  };
}
