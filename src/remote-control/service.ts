import { fromPromise } from 'xstate';
import { linkMachine } from '../../machines/link.js';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import type { AccountSource } from '../protocol/account-source.js';
import {
  type Account,
  type Enrollment,
  type EnrollOutcome,
  type Failure,
  failure,
  type RecoveryOutcome,
  type RefreshOutcome,
  type ServerToken,
} from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { Mutex } from '../system/mutex.js';
import type { RemoteMux } from './clients/mux.js';
import type { DialResult } from './link/dial.js';
import type { BackendHttp } from './link/http.js';
import { LinkSockets } from './link/link-sockets.js';
import type { LinkCounters } from './status.js';
import type { EnrollmentStore } from './store/enrollment-store.js';

/** The input of one dial. RC-17 */
interface DialRequest {
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

/** Provides the actors and actions of the `remoteControl` chart. It makes no decisions of its own. */
export class RemoteControlService {
  readonly #deps: RemoteControlDeps;
  readonly #sockets: LinkSockets;
  /** The last refusal of the account by the backend. */
  #refusal: Failure | undefined;

  constructor(deps: RemoteControlDeps) {
    this.#deps = deps;
    this.#sockets = new LinkSockets(deps);
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
        enroll: fromPromise(({ input, signal }) => this.#enroll(input.account, signal)),
        refresh: fromPromise(({ input, signal }) => this.refresh(input.enrollment, input.account, signal)),
        dial: fromPromise(({ input, signal }) => this.#dial(input, signal)),
        link: linkMachine.provide({ actors: { socket: this.#sockets.actor() } }),
        drain: fromPromise(() => this.#deps.drain()),
      },
      actions: {
        closeVirtualClients: ({ context }) => mux.dropAll(context.decision.reason),
      },
    });
  }

  /** A failed recovery also reports the refusal that it was meant to repair. ACC-69 */
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

  /** The access token of this account, refreshed if it expires soon; undefined when another account is signed in. ACC-49 */
  async #tokenOf(account: Account | null, signal: AbortSignal): Promise<Secret | undefined> {
    if (account === null) return undefined;
    const outcome = await this.#deps.account.load();
    signal.throwIfAborted();
    if (outcome.kind === 'usable' && outcome.account.accountId !== account.accountId) return undefined;
    return this.#deps.account.accessToken();
  }

  /** Resolves when each socket that is closing is closed. */
  socketsClosed(): Promise<void> {
    return this.#sockets.closed();
  }

  /** One refresh, under the lock that the chart and pairing share. */
  refresh(
    enrollment: Enrollment | null,
    account: Account | null,
    signal: AbortSignal,
  ): Promise<RefreshOutcome> {
    return this.#deps.lock.runExclusive(signal, async () => {
      const accessToken = await this.#tokenOf(account, signal);
      if (enrollment === null || account === null || accessToken === undefined) {
        return this.#engineFault('other', 'A refresh was requested without an identity or an account.');
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
        return this.#engineFault('other', 'An enrollment was requested without an account.');
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
    const { mux, counters } = this.#deps;
    const { enrollment, token } = input;
    if (enrollment === null || token === null) {
      return this.#engineFault('failed', 'A link was requested without an identity or a token.');
    }
    counters.dials += 1;
    const result = await this.#deps.dial({ enrollment, token, cursor: mux.cursor }, signal);
    if (result.kind !== 'open') return result;
    if (signal.aborted) {
      result.socket.terminate();
      return this.#engineFault('failed', 'The link was aborted while it opened.');
    }
    counters.linksOpened += 1;
    return { kind: 'open' as const, socket: this.#sockets.add(result.socket) };
  }

  #engineFault<K extends string>(kind: K, message: string): { readonly kind: K; readonly failure: Failure } {
    return { kind, failure: failure('engineFault', message, this.#deps.env.now()) };
  }
}
