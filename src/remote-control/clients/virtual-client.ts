import { type ActorRefFrom, createActor } from 'xstate';
import { virtualClientMachine } from '../../../machines/virtual-client.js';
import type { AuditRing } from '../../observe/audit.js';
import { auditDecisions } from '../../observe/decisions.js';
import type { EngineWatcher } from '../../observe/watcher.js';
import type { ClientContext } from '../../protocol/app-server.js';
import type { Decision } from '../../protocol/decision.js';
import { errorText, RPC, type RpcId } from '../../protocol/jsonrpc.js';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import type { Env, Timing } from '../../protocol/timing.js';
import type { ClientTransport, SessionDeps } from '../../session/client-transport.js';
import { type EndCause, endCause } from '../../session/end-cause.js';
import { ClientSession } from '../../session/session.js';
import type { Overdue } from '../../session/session-chart.js';

type VirtualClientActor = ActorRefFrom<typeof virtualClientMachine>;

/** The stream of one virtual client. */
interface ClientOutbound {
  send(text: string): void;
  /** The last messages follow. */
  end(cause: EndCause): void;
}

/** What each virtual client needs from the engine. */
export interface VirtualClientDeps extends SessionDeps {
  readonly env: Env;
  readonly timing: Timing;
  readonly audit: AuditRing;
  readonly onInitialized: (session: ClientSession) => void;
  readonly onEnded: (session: ClientSession) => void;
  readonly watcher?: EngineWatcher | undefined;
}

/** One open (client_id, stream_id): its chart, its session, and the stream that its messages are sent on. */
export class VirtualClient implements ClientTransport {
  readonly clientId: string;
  readonly streamId: string;
  readonly session: ClientSession;
  /** Monotonic ms. */
  readonly since: number;
  /** Monotonic ms of the last message or ping. */
  lastActivity: number;
  /** Highest seq_id delivered to this client. RC-32 */
  lastSeqId = -1;
  readonly #actor: VirtualClientActor;
  readonly #deps: VirtualClientDeps;
  readonly #outbound: ClientOutbound;
  #ending: EndCause | undefined;

  constructor(
    ids: { readonly clientId: string; readonly streamId: string },
    deps: VirtualClientDeps,
    outbound: ClientOutbound,
    onClosed: (client: VirtualClient) => void,
  ) {
    this.clientId = ids.clientId;
    this.streamId = ids.streamId;
    this.since = deps.env.monotonic();
    this.lastActivity = this.since;
    this.#deps = deps;
    this.#outbound = outbound;
    const client: ClientContext = { origin: 'remote', connectionId: `${ids.clientId}/${ids.streamId}` };
    this.session = new ClientSession(client, this, deps);
    this.#actor = createActor(providedVirtualClient, {
      id: `virtualClient:${ids.clientId}/${ids.streamId}`,
      input: { env: deps.env, clientId: ids.clientId, streamId: ids.streamId },
    });
    virtualClients.set(this.#actor, this);
    this.#actor.subscribe({
      next: auditDecisions(deps.audit, `client ${ids.clientId}/${ids.streamId}`),
      complete: () => onClosed(this),
      error: () => onClosed(this),
    });
    deps.watcher?.actor(this.#actor);
  }

  /** Call it once the client can be found by its ids. */
  start(): void {
    this.#actor.start();
    void this.session.open();
  }

  touch(): void {
    this.lastActivity = this.#deps.env.monotonic();
  }

  close(reason: Reason): void {
    this.#actor.send({ type: 'CLOSE', reason });
  }

  expire(): void {
    this.#actor.send({ type: 'IDLE' });
  }

  /** Why the engine has ended it; undefined: it is open, or its controller has closed it or started again. */
  get ending(): EndCause | undefined {
    return this.#ending;
  }

  /** The chart closes it. Each request without a response gets an error with the cause. RC-80 */
  endSession({ reason, detail }: Pick<Decision, 'reason' | 'detail'>): void {
    if (BY_CONTROLLER.has(reason)) this.session.close();
    else this.session.end(endCause('remote', reason, detail));
  }

  /** Of its conversation while it is open. */
  get state(): string {
    return this.#actor.getSnapshot().hasTag('alive') ? this.session.state : 'closed';
  }

  // --- ClientTransport: called by the session

  onEnding(cause: EndCause): void {
    this.#ending = cause;
    this.#outbound.end(cause);
  }

  send(text: string): void {
    this.#outbound.send(text);
  }

  onInitialized(session: ClientSession): void {
    this.#deps.onInitialized(session);
  }

  onEnded(session: ClientSession): void {
    this.#deps.onEnded(session);
  }

  onAppServerClosed(failure: Failure | null): void {
    this.#actor.send({ type: 'APP_SERVER.CLOSED', failure });
  }

  onOverdue(reason: Overdue): void {
    const detail = reason === 'appServerFailed' ? { detail: 'no answer in time' } : {};
    this.#actor.send({ type: 'CLOSE', reason, ...detail });
  }

  /** Nothing: all virtual clients share one socket, so one that blocks too much is closed instead. RC-41 */
  onReadPaused(): void {}
}

/** Its controller does not wait: it closed the stream, or reuses it and its request ids. */
const BY_CONTROLLER: ReadonlySet<Reason> = new Set(['clientClosed', 'reinitialized']);

/** For the chart's actions, to find the virtual client of their actor. */
const virtualClients = new WeakMap<object, VirtualClient>();

/** One provided machine for all virtual clients: one for each would cost more than the client itself. */
const providedVirtualClient: typeof virtualClientMachine = virtualClientMachine.provide({
  actions: {
    closeSession: ({ self, context }) => virtualClients.get(self)?.endSession(context.decision),
  },
});

/** The error for a message that is too large: the side that waits must not wait forever. RC-38 */
export function tooLargeError(id: RpcId, chars: number): string {
  const size = Math.ceil(chars / 1024 / 1024);
  return errorText(
    id,
    RPC.messageTooLarge,
    `The message is about ${size} MiB, more than remote control can carry (100 MiB); ask for less of it.`,
  );
}
