import { randomUUID } from 'node:crypto';
import { waitFor } from 'xstate';
import type { EndedLogin } from '../../machines/account/types.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { Secret } from '../protocol/secret.js';
import type { ClientSession } from '../session/session.js';
import { Mutex } from '../system/mutex.js';
import type { AccountActor } from './actor.js';
import type { Credentials, ExternalTokensParams } from './credentials.js';
import type { InteractiveLogins, LoginPrompt } from './login/interactive-login.js';
import type { BrowserLoginParams } from './login/urls.js';
import { AccountRequestError, type AccountRequests } from './requests.js';

interface AccountOperationsDeps {
  readonly actor: AccountActor;
  readonly requests: AccountRequests;
  readonly credentials: Credentials;
  readonly logins: InteractiveLogins;
  readonly tokenMutex: Mutex;
  /** Aborted when the engine stops. */
  readonly closed: AbortSignal;
  readonly routing: boolean;
  readonly now: () => number;
  /** Reads the account file, if it was not read yet. */
  readonly load: () => Promise<void>;
  /** Null: the workspace is known, or none is needed. */
  readonly findWorkspace: () => Promise<Failure | null>;
  /** Resolves when the app server behind the engine has the account, or cannot get it. ACC-101 */
  readonly notifyChanged: () => Promise<void>;
  /** Somebody is signed in. */
  readonly signedIn: () => boolean;
  /** Resolves when no app server runs with the account any more. ACC-102 */
  readonly signedOut: () => Promise<void>;
  /** Sends `account/login/completed`, and `account/updated` after a success. ACC-24 */
  readonly notifyLogin: (loginId: string | null, error: string | null) => void;
  /** Sends `account/updated`. */
  readonly notifyUpdated: () => void;
}

/** A result, and what follows its response. */
export interface OperationResult<T> {
  readonly result: T;
  /** Call exactly once, when the response is sent: the next operation starts after this one's notifications. ACC-27 */
  readonly responseSent: () => void;
}

type Notify = () => unknown;
/** Runs an operation. Pushes what comes after its response to `afterResponse`. */
type Operation<T> = (afterResponse: Notify[]) => Promise<T>;

/** Sign-in, cancel and sign-out, as clients request them. */
export class AccountOperations {
  readonly #deps: AccountOperationsDeps;
  /** One operation at a time, each until its notifications are sent. ACC-27 */
  readonly #mutex = new Mutex();
  /** Operations that decide who is signed in, until their notifications are sent. */
  readonly #decisive = new Set<Promise<void>>();
  /** Reads without a response yet. */
  readonly #reads = new Set<Promise<unknown>>();
  /** Set during a cancel: notifications that wait for its response. */
  #deferred: Notify[] | undefined;
  /** Sign-ins that end with their client. */
  readonly #owned = new WeakMap<object, string>();
  /** Of the request in progress. */
  #apiKey: Secret | undefined;

  constructor(deps: AccountOperationsDeps) {
    this.#deps = deps;
  }

  /** The key that the chart stores now. */
  get apiKey(): Secret | undefined {
    return this.#apiKey;
  }

  /** A sign-in has ended. The response to a cancel comes before the notification of the end. ACC-83 */
  notifyEnded(ended: EndedLogin, when: 'immediately' | 'afterResponse'): void {
    const notify = () => this.#deps.notifyLogin(ended.loginId, errorOf(ended));
    if (when === 'afterResponse' && this.#deferred !== undefined) this.#deferred.push(notify);
    else notify();
  }

  loginApiKey(key: string): Promise<OperationResult<null>> {
    return this.#runDecisive(async (afterResponse) => {
      this.#refuseGivenToken();
      this.#apiKey = new Secret(key);
      try {
        await this.#deps.tokenMutex.runExclusive(this.#deps.closed, () =>
          this.#deps.requests.run((ticket) => ({ type: 'LOGIN.API_KEY', ticket })),
        );
      } finally {
        this.#apiKey = undefined;
      }
      await this.#deps.notifyChanged();
      afterResponse.push(() => this.#deps.notifyLogin(null, null));
      return null;
    });
  }

  /** @param owner The client that signs in; requests for new tokens go to it. ACC-41 */
  loginExternal(params: ExternalTokensParams, owner: ClientSession): Promise<OperationResult<null>> {
    const { credentials, requests, tokenMutex, closed } = this.#deps;
    return this.#runDecisive(async (afterResponse) => {
      const { accountId, accessToken } = params;
      const account = credentials.readExternal(params);
      await tokenMutex.runExclusive(closed, async () => {
        await requests.run((ticket) => ({ type: 'LOGIN.EXTERNAL', ticket, accountId, account }));
        if (account !== null) credentials.setExternal(account, accessToken, owner);
      });
      await this.#deps.notifyChanged();
      afterResponse.push(async () => {
        const failed = this.#deps.routing ? await this.#deps.findWorkspace() : null;
        this.#deps.notifyLogin(null, failed === null ? null : failed.message);
      });
      return null;
    });
  }

  loginBrowser(params: BrowserLoginParams): Promise<OperationResult<LoginPrompt>> {
    return this.#loginInteractive('LOGIN.BROWSER', params);
  }

  loginDevice(params: BrowserLoginParams): Promise<OperationResult<LoginPrompt>> {
    return this.#loginInteractive('LOGIN.DEVICE', params);
  }

  /** The sign-in ends with its client, as a command that waits for it does: nobody else shows its address. RC-106 */
  endWith(client: object, loginId: string): void {
    this.#owned.set(client, loginId);
  }

  clientEnded(client: object): void {
    const loginId = this.#owned.get(client);
    if (loginId === undefined) return;
    this.#owned.delete(client);
    // Nothing happens when the sign-in has ended already.
    this.cancel(loginId).responseSent();
  }

  /** Does not wait for other operations. ACC-82 */
  cancel(loginId: string): OperationResult<'canceled' | 'notFound'> {
    const deferred: Notify[] = [];
    this.#deferred = deferred;
    try {
      const response = this.#deps.requests.sendNow((ticket) => ({ type: 'LOGIN.CANCEL', ticket, loginId }));
      return {
        result: response?.kind === 'done' ? 'canceled' : 'notFound',
        responseSent: () => {
          for (const notify of deferred) notify();
        },
      };
    } finally {
      this.#deferred = undefined;
    }
  }

  /** @param all Also ends the stored sign-in beneath external tokens. ACC-39 */
  logout(all: boolean): Promise<OperationResult<null>> {
    const { credentials, requests, tokenMutex, closed } = this.#deps;
    return this.#runDecisive(async (afterResponse) => {
      if (credentials.external === undefined) this.#refuseGivenToken();
      const signedIn = this.#deps.signedIn();
      await tokenMutex.runExclusive(closed, () =>
        requests.run((ticket) => ({ type: 'LOGOUT', ticket, all })),
      );
      const ended = signedIn ? this.#deps.signedOut() : undefined;
      void this.#deps.notifyChanged();
      await ended;
      afterResponse.push(() => this.#deps.notifyUpdated());
      return null;
    });
  }

  /**
   * Runs a read after the operations that were requested before it, and before those that are requested after it. A
   * sign-in that waits for a person delays no read. ACC-27
   */
  runRead<T>(read: () => Promise<T>): Promise<T> {
    const reading = Promise.all(this.#decisive).then(read);
    this.#reads.add(reading);
    const done = (): unknown => this.#reads.delete(reading);
    reading.then(done, done);
    return reading;
  }

  /** Runs an operation that decides who is signed in. It waits for earlier reads, and later reads wait for it. */
  #runDecisive<T>(operation: Operation<T>): Promise<OperationResult<T>> {
    const reads = [...this.#reads];
    let onNotified: () => void = () => {};
    const notified = new Promise<void>((resolve) => {
      onNotified = resolve;
    });
    this.#decisive.add(notified);
    return this.#run(
      async (afterResponse) => {
        await Promise.allSettled(reads);
        return operation(afterResponse);
      },
      () => {
        this.#decisive.delete(notified);
        onNotified();
      },
    );
  }

  /** Runs one operation at a time. The next one waits until everything after the response is done. ACC-27 */
  #run<T>(operation: Operation<T>, onNotified: () => void = () => {}): Promise<OperationResult<T>> {
    return new Promise((resolve, reject) => {
      this.#mutex
        .runExclusive(this.#deps.closed, async () => {
          await this.#deps.load();
          await this.#completeSaved();
          const afterResponse: Notify[] = [];
          const result = await operation(afterResponse);
          await new Promise<void>((sent) => resolve({ result, responseSent: sent }));
          for (const notify of afterResponse) await notify();
        })
        .catch(reject)
        .finally(onNotified);
    });
  }

  #loginInteractive(
    type: 'LOGIN.BROWSER' | 'LOGIN.DEVICE',
    params: BrowserLoginParams,
  ): Promise<OperationResult<LoginPrompt>> {
    const { logins, requests } = this.#deps;
    return this.#run(async () => {
      this.#refuseGivenToken();
      const loginId = randomUUID();
      logins.prepare(loginId, params);
      try {
        await requests.run((ticket) => ({ type, ticket, loginId }));
      } catch (error) {
        logins.close(loginId);
        throw error;
      }
      const prompt = logins.prompt(loginId);
      if (prompt === undefined) throw this.#failed('loginCancelled', 'The sign-in has ended.');
      return { loginId, ...prompt };
    });
  }

  /** A sign-in whose credentials are saved is a success: it completes before another operation starts. ACC-76 */
  async #completeSaved(): Promise<void> {
    const { actor } = this.#deps;
    await waitFor(actor, (snapshot) => {
      if (!snapshot.hasTag('saved')) return true;
      // Accepted only while the chart waits for the browser.
      if (snapshot.can({ type: 'LOGIN.FINISH' })) queueMicrotask(() => actor.send({ type: 'LOGIN.FINISH' }));
      return false;
    });
  }

  /** A given token stays in use as long as the process runs. ACC-86 */
  #refuseGivenToken(): void {
    if (!this.#deps.credentials.given) return;
    throw this.#failed(
      'authMethodForbidden',
      this.#deps.credentials.fromHub
        ? 'The sign-in of this backend is the key of its hub: rc-engine login --hub URL replaces it, rc-engine logout --hub URL removes it.'
        : 'This engine was started with an access token (RC_ENGINE_ACCESS_TOKEN). Start it without that token to sign in or out.',
    );
  }

  #failed(reason: Reason, message: string): AccountRequestError {
    return new AccountRequestError(failure(reason, message, this.#deps.now()), false);
  }
}

/** Only the failures of a browser sign-in have a prefix. ACC-77, ACC-81 */
function errorOf({ kind, failure: failed }: EndedLogin): string | null {
  if (failed === null) return null;
  const { reason, message } = failed;
  return kind === 'device' || reason === 'loginTimedOut' ? message : `Login server error: ${message}`;
}
