import { fromCallback, fromPromise } from 'xstate';
import { linkMachine, type SocketCommand } from '../../machines/link.js';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import type { AccountSource } from '../protocol/account-source.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import type {
  Account,
  Enrollment,
  EnrollOutcome,
  Failure,
  RecoveryOutcome,
  RefreshOutcome,
  ServerToken,
  SocketHandle,
} from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { Mutex } from '../system/mutex.js';
import type { RemoteMux } from './clients/mux.js';
import type { DialResult } from './link/dial.js';
import type { BackendHttp } from './link/http.js';
import type { BackendSocket } from './link/socket.js';
import type { LinkCounters } from './status.js';
import type { EnrollmentStore } from './store/enrollment-store.js';

/** What one dial needs. RC-17 */
export interface DialRequest {
  readonly enrollment: Enrollment;
  readonly token: ServerToken;
  readonly cursor: string | undefined;
}

export interface RemoteControlDeps {
  readonly env: Env;
  readonly timing: Timing;
  readonly account: AccountSource;
  readonly http: () => Promise<BackendHttp>;
  readonly store: EnrollmentStore;
  readonly dial: (request: DialRequest, signal: AbortSignal) => Promise<DialResult>;
  readonly mux: RemoteMux;
  readonly lock: Mutex;
  readonly counters: LinkCounters;
  readonly drain: () => Promise<void>;
  readonly onPong: () => void;
  readonly onBinary: (bytes: number) => void;
}

const faultOf = (env: Env, message: string): Failure => ({ reason: 'engineFault', message, at: env.now() });

/** Signs of life by frames are told to the chart at most this often, ms: bytes take the short way. */
const FRAMES_EVERY = 1_000;

/** Plugs the adapters into the `remoteControl` chart. Nothing is decided here. */
export class RemoteControlService {
  readonly #deps: RemoteControlDeps;
  readonly #sockets = new Map<SocketHandle, BackendSocket>();
  /** Sockets on their way out; a shutdown waits for them. */
  readonly #closing = new Set<Promise<void>>();
  #lastHandle = 0;
  /** What the backend said when it last refused the account. */
  #refusal: Failure | undefined;

  constructor(ports: RemoteControlDeps) {
    this.#deps = ports;
  }

  machine(): typeof remoteControlMachine {
    const { account, store, mux, counters } = this.#deps;
    return remoteControlMachine.provide({
      actors: {
        loadAuth: fromPromise(async ({ input }) => (input.reload ? account.reload() : account.load())),
        recoverAuth: fromPromise(async ({ input, signal }) => {
          counters.authRecoveries += 1;
          return this.#withRefusal(await account.recover(signal, input.requested));
        }),
        loadEnrollment: fromPromise(({ input }) => store.load(input)),
        saveEnrollment: fromPromise(async ({ input }) =>
          input.enrollment === null
            ? { kind: 'done' as const }
            : store.save(input.key, input.enrollment, input.preference),
        ),
        clearEnrollment: fromPromise(async ({ input }) => {
          if (input.enrollment === null) return { kind: 'done' as const };
          const cleared = await store.clear(input.key, input.enrollment);
          return cleared.kind === 'failed' ? cleared : { kind: 'done' as const };
        }),
        enroll: fromPromise(({ input, signal }) => this.#enroll(input.account, signal)),
        refresh: fromPromise(({ input, signal }) => this.refresh(input.enrollment, input.account, signal)),
        dial: fromPromise(({ input, signal }) => this.#dial(input, signal)),
        link: linkMachine.provide({ actors: { socket: this.#socketActor() } }),
        drain: fromPromise(() => this.#deps.drain()),
      },
      actions: {
        closeVirtualClients: ({ context }) => mux.dropAll(context.decision.reason),
      },
    });
  }

  /** Whoever is told that recovery failed also learns of the refusal that it could not mend. ACC-69 */
  #withRefusal(outcome: RecoveryOutcome): RecoveryOutcome {
    const refusal = this.#refusal;
    if (outcome.kind === 'recovered' || refusal === undefined) return outcome;
    const { httpStatus, requestId, cfRay } = refusal;
    return {
      ...outcome,
      failure: {
        ...(httpStatus === undefined ? {} : { httpStatus }),
        ...(requestId === undefined ? {} : { requestId }),
        ...(cfRay === undefined ? {} : { cfRay }),
        ...outcome.failure,
        message: `${outcome.failure.message} (${refusal.message})`,
      },
    };
  }

  /** The access token of this account, renewed where it is about to end; undefined when it is not there. ACC-49 */
  async #tokenOf(account: Account | null, signal: AbortSignal): Promise<Secret | undefined> {
    if (account === null) return undefined;
    const outcome = await this.#deps.account.load();
    signal.throwIfAborted();
    if (outcome.kind === 'usable' && outcome.account.accountId !== account.accountId) return undefined;
    return this.#deps.account.accessToken();
  }

  /** Resolves when every socket that was told to close is gone. */
  async socketsClosed(): Promise<void> {
    await Promise.allSettled(this.#closing);
  }

  /** One refresh, alone under the lock shared with pairing. */
  refresh(
    enrollment: Enrollment | null,
    account: Account | null,
    signal: AbortSignal,
  ): Promise<RefreshOutcome> {
    return this.#deps.lock.runExclusive(signal, async () => {
      const accessToken = await this.#tokenOf(account, signal);
      if (enrollment === null || account === null || accessToken === undefined) {
        return {
          kind: 'other',
          failure: faultOf(this.#deps.env, 'A refresh was asked for without identity or account.'),
        };
      }
      this.#deps.counters.refreshRequests += 1;
      const http = await this.#deps.http();
      const outcome = await http.refresh({ enrollment, account, accessToken }, signal);
      this.#recordOutcome(outcome);
      return outcome;
    });
  }

  #enroll(account: Account | null, signal: AbortSignal): Promise<EnrollOutcome> {
    return this.#deps.lock.runExclusive(signal, async () => {
      const accessToken = await this.#tokenOf(account, signal);
      if (account === null || accessToken === undefined) {
        return {
          kind: 'other',
          failure: faultOf(this.#deps.env, 'An enrollment was asked for without an account.'),
        };
      }
      this.#deps.counters.enrollRequests += 1;
      const http = await this.#deps.http();
      const outcome = await http.enroll({ account, accessToken }, signal);
      this.#recordOutcome(outcome);
      return outcome;
    });
  }

  #recordOutcome(outcome: EnrollOutcome | RefreshOutcome): void {
    if (outcome.kind === 'granted') this.#deps.account.succeeded();
    if (outcome.kind === 'unauthorized') this.#refusal = outcome.failure;
  }

  async #dial(
    input: { readonly enrollment: Enrollment | null; readonly token: ServerToken | null },
    signal: AbortSignal,
  ) {
    const { env, mux, counters } = this.#deps;
    const { enrollment, token } = input;
    if (enrollment === null || token === null) {
      return {
        kind: 'failed' as const,
        failure: faultOf(env, 'A link was asked for without identity or token.'),
      };
    }
    counters.dials += 1;
    const result = await this.#deps.dial({ enrollment, token, cursor: mux.cursor }, signal);
    if (result.kind !== 'open') return result;
    if (signal.aborted) {
      result.socket.terminate();
      return { kind: 'failed' as const, failure: faultOf(env, 'The link was given up while it opened.') };
    }
    counters.linksOpened += 1;
    this.#lastHandle += 1;
    this.#sockets.set(this.#lastHandle, result.socket);
    return { kind: 'open' as const, socket: this.#lastHandle };
  }

  #socketActor() {
    return fromCallback<SocketCommand, { socket: SocketHandle; timing: Timing }>(
      ({ input, sendBack, receive }) => {
        const { mux, timing } = this.#deps;
        const socket = this.#sockets.get(input.socket);
        if (socket === undefined) throw new Error(`no open socket ${input.socket}`);
        this.#sockets.delete(input.socket);
        let gone = false;
        let framesToldAt = 0;
        socket.onPong(() => {
          this.#deps.onPong();
          sendBack({ type: 'PONG' });
        });
        socket.onClose((end) => {
          gone = true;
          mux.detach(socket);
          sendBack({ type: 'SOCKET.CLOSED', clean: end.clean, code: end.code });
        });
        socket.onDrain(() => mux.feed());
        socket.onBinary((bytes) => this.#deps.onBinary(bytes));
        receive((command) => {
          if (command.type === 'PING') socket.ping();
          else this.#close(socket, timing.closeTimeout);
        });
        mux.attach(socket);
        socket.onFrame((frame) => {
          mux.receive(frame);
          const now = performance.now();
          if (now - framesToldAt < FRAMES_EVERY) return;
          framesToldAt = now;
          sendBack({ type: 'FRAMES' });
        });
        return () => {
          mux.detach(socket);
          if (!gone) this.#close(socket, timing.closeTimeout);
        };
      },
    );
  }

  #close(socket: BackendSocket, limit: number): void {
    const closing = socket.close(CLOSE_CODES.normal, limit).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
