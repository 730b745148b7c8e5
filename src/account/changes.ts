import { randomUUID } from 'node:crypto';
import { waitFor } from 'xstate';
import type { EndedLogin } from '../../machines/account/types.js';
import type { Failure } from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import type { ClientSession } from '../session/session.js';
import { Mutex } from '../system/mutex.js';
import type { AccountActor } from './chart.js';
import type { Credentials, ExternalTokensParams } from './credentials.js';
import type { InteractiveLogins } from './login/interactive-login.js';
import type { BrowserLoginParams } from './login/urls.js';
import type { AccountRequests } from './requests.js';
import { type AccountChange, AccountRefusal, type LoginPrompt } from './types.js';

export interface AccountChangesDeps {
  readonly actor: AccountActor;
  readonly requests: AccountRequests;
  readonly credentials: Credentials;
  readonly logins: InteractiveLogins;
  readonly permit: Mutex;
  readonly ended: AbortSignal;
  readonly routing: boolean;
  readonly now: () => number;
  /** The file is read once before anything is changed. */
  readonly prepare: () => Promise<void>;
  /** Null: the workspace is known, or none is needed. */
  readonly workspace: () => Promise<Failure | null>;
  readonly tellChange: () => void;
  /** Reports the end of a sign-in to all clients. ACC-24 */
  readonly tellLogin: (loginId: string | null, error: string | null) => void;
  readonly tellUpdated: () => void;
}

type Note = () => void;

/** What clients change: signing in, cancelling, signing out. */
export class AccountChanges {
  readonly #ports: AccountChangesDeps;
  /** One at a time, each until its notifications are sent. ACC-27 */
  readonly #changes = new Mutex();
  /** Changes that decide who is signed in, until they are told. */
  readonly #decisions = new Set<Promise<void>>();
  /** Reads that were asked for and are not answered. */
  readonly #reads = new Set<Promise<unknown>>();
  /** While it is set, notifications wait for the answer to a request. */
  #held: Note[] | undefined;
  /** Of the request that is being worked on. */
  apiKey: Secret | undefined;

  constructor(ports: AccountChangesDeps) {
    this.#ports = ports;
  }

  /** A sign-in has ended. The answer to a cancel goes before the end that it caused. ACC-83 */
  tellEnded(ended: EndedLogin, when: 'atOnce' | 'afterAnswer'): void {
    const note = () => this.#ports.tellLogin(ended.loginId, errorOf(ended));
    if (when === 'afterAnswer' && this.#held !== undefined) this.#held.push(note);
    else note();
  }

  loginApiKey(key: string): Promise<AccountChange<null>> {
    return this.#decide(async (later) => {
      this.#refuseWhenGiven();
      this.apiKey = new Secret(key);
      try {
        await this.#ports.permit.runExclusive(this.#ports.ended, () =>
          this.#ports.requests.request((ticket) => ({ type: 'LOGIN.API_KEY', ticket })),
        );
      } finally {
        this.apiKey = undefined;
      }
      this.#ports.tellChange();
      later.push(() => this.#ports.tellLogin(null, null));
      return null;
    });
  }

  loginExternal(wish: ExternalTokensParams, owner: ClientSession): Promise<AccountChange<null>> {
    return this.#decide(async (later) => {
      const account = this.#ports.credentials.readExternal(wish);
      await this.#ports.permit.runExclusive(this.#ports.ended, async () => {
        await this.#ports.requests.request((ticket) => ({
          type: 'LOGIN.EXTERNAL',
          ticket,
          accountId: wish.accountId,
          account,
        }));
        if (account !== null) this.#ports.credentials.setExternal(account, wish.accessToken, owner);
      });
      this.#ports.tellChange();
      later.push(async () => {
        const failure = !this.#ports.routing ? null : await this.#ports.workspace();
        this.#ports.tellLogin(null, failure === null ? null : failure.message);
      });
      return null;
    });
  }

  loginBrowser(wish: BrowserLoginParams): Promise<AccountChange<LoginPrompt>> {
    return this.#loginInteractive('LOGIN.BROWSER', wish);
  }

  loginDevice(wish: BrowserLoginParams): Promise<AccountChange<LoginPrompt>> {
    return this.#loginInteractive('LOGIN.DEVICE', wish);
  }

  /** Answers at once: it does not wait for other changes. ACC-82 */
  cancel(loginId: string): AccountChange<'canceled' | 'notFound'> {
    const held: Note[] = [];
    this.#held = held;
    try {
      const answer = this.#ports.requests.askNow((ticket) => ({ type: 'LOGIN.CANCEL', ticket, loginId }));
      return {
        result: answer?.kind === 'done' ? 'canceled' : 'notFound',
        after: () => {
          for (const note of held) note();
        },
      };
    } finally {
      this.#held = undefined;
    }
  }

  logout(all: boolean): Promise<AccountChange<null>> {
    return this.#decide(async (later) => {
      if (this.#ports.credentials.external === undefined) this.#refuseWhenGiven();
      await this.#ports.permit.runExclusive(this.#ports.ended, () =>
        this.#ports.requests.request((ticket) => ({ type: 'LOGOUT', ticket, all })),
      );
      this.#ports.tellChange();
      later.push(() => this.#ports.tellUpdated());
      return null;
    });
  }

  /**
   * Reads in turn: after the changes that were asked for before it, and before those that are asked for after it. A
   * sign-in that waits for a person is none of them. ACC-27
   */
  inTurn<T>(read: () => Promise<T>): Promise<T> {
    const reading = Promise.all(this.#decisions).then(read);
    this.#reads.add(reading);
    const done = (): unknown => this.#reads.delete(reading);
    reading.then(done, done);
    return reading;
  }

  /** A change that decides who is signed in. */
  #decide<T>(decide: (later: (() => unknown)[]) => Promise<T>): Promise<AccountChange<T>> {
    let told: () => void = () => {};
    const reads = [...this.#reads];
    const task = async (later: (() => unknown)[]): Promise<T> => {
      await Promise.allSettled(reads);
      return decide(later);
    };
    const decision = new Promise<void>((resolve) => {
      told = resolve;
    });
    this.#decisions.add(decision);
    return this.#change(task, () => {
      this.#decisions.delete(decision);
      told();
    });
  }

  /** One change at a time; its lock is held until what comes after the answer has been told. ACC-27 */
  #change<T>(
    task: (later: (() => unknown)[]) => Promise<T>,
    onTold: () => void = () => {},
  ): Promise<AccountChange<T>> {
    return new Promise((resolve, reject) => {
      this.#changes
        .runExclusive(this.#ports.ended, async () => {
          await this.#ports.prepare();
          await this.#finishSaved();
          const later: (() => unknown)[] = [];
          const result = await task(later);
          await new Promise<void>((answered) => resolve({ result, after: answered }));
          for (const note of later) await note();
        })
        .catch(reject)
        .finally(onTold);
    });
  }

  #loginInteractive(
    type: 'LOGIN.BROWSER' | 'LOGIN.DEVICE',
    wish: BrowserLoginParams,
  ): Promise<AccountChange<LoginPrompt>> {
    return this.#change(async () => {
      this.#refuseWhenGiven();
      const loginId = randomUUID();
      this.#ports.logins.prepare(loginId, wish);
      try {
        await this.#ports.requests.request((ticket) => ({ type, ticket, loginId }));
      } catch (error) {
        this.#ports.logins.close(loginId);
        throw error;
      }
      const shown = this.#ports.logins.prompt(loginId);
      if (shown === undefined) {
        const failure = { reason: 'loginCancelled' as const, message: 'The sign-in has ended.' };
        throw new AccountRefusal({ ...failure, at: this.#ports.now() }, false);
      }
      return { loginId, ...shown };
    });
  }

  /** A sign-in whose credentials are on disk is a success, whatever comes next. ACC-76 */
  async #finishSaved(): Promise<void> {
    await waitFor(
      this.#ports.actor,
      (snapshot) => {
        if (!snapshot.hasTag('saved')) return true;
        // It is taken only where nothing but the browser is waited for.
        if (snapshot.can({ type: 'LOGIN.FINISH' })) {
          queueMicrotask(() => this.#ports.actor.send({ type: 'LOGIN.FINISH' }));
        }
        return false;
      },
      FOR_EVER,
    );
  }

  #refuseWhenGiven(): void {
    if (!this.#ports.credentials.given) return;
    throw new AccountRefusal(
      {
        reason: 'authMethodForbidden',
        message:
          'The access token was given at the start (RC_ENGINE_ACCESS_TOKEN): start without it to sign in or out.',
        at: this.#ports.now(),
      },
      false,
    );
  }
}

const FOR_EVER = { timeout: Number.POSITIVE_INFINITY };

/** ACC-77, ACC-81: what the browser flow says has a prefix. */
function errorOf(ended: EndedLogin): string | null {
  if (ended.failure === null) return null;
  const { reason, message } = ended.failure;
  return ended.kind === 'device' || reason === 'loginTimedOut' ? message : `Login server error: ${message}`;
}
