import {
  type AuthMode,
  type ChatgptAccount,
  type LoginPolicy,
  type Plan,
  planOf,
  profileOf,
  type StoredAccount,
  workspaceAllowed,
} from '../protocol/account.js';
import type { Account, AuthOutcome, Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { Secret } from '../protocol/secret.js';
import type { ClientSession } from '../session/session.js';
import type { AuthFile } from './file/auth-file.js';
import { claimedAccountId, jwtClaims } from './jwt.js';

/** A token given from outside for as long as the process runs, as in continuous integration. */
export interface GivenToken {
  readonly token: Secret;
  /** Default: the one that the token names. */
  readonly accountId?: string | undefined;
}

/** Tokens that a parent app owns: in memory only. ACC-35 */
export interface ExternalTokens {
  readonly account: ChatgptAccount & { readonly accountId: string };
  readonly accessToken: Secret;
  /** The client that signed in with them and is asked for new ones. ACC-41 */
  readonly owner: ClientSession;
}

/** What a parent app says of its tokens. ACC-31 */
export interface ExternalTokensParams {
  readonly accessToken: string;
  readonly accountId: string;
  readonly plan: string | null | undefined;
}

/** The one place that holds the tokens in effect. The chart knows whose they are, this knows what they are. */
export class Credentials {
  readonly #file: AuthFile;
  readonly #given: GivenToken | undefined;
  readonly #policy: LoginPolicy;
  readonly #now: () => number;
  #external: ExternalTokens | undefined;
  /** One count over all sources, so that a generation names one token. */
  #generation = 0;
  #fileGeneration = { own: -1, generation: 0 };
  readonly #givenGeneration: number;

  constructor(options: {
    readonly file: AuthFile;
    readonly given: GivenToken | undefined;
    readonly policy: LoginPolicy;
    readonly now: () => number;
  }) {
    this.#file = options.file;
    this.#given = options.given;
    this.#policy = options.policy;
    this.#now = options.now;
    this.#givenGeneration = ++this.#generation;
  }

  get external(): ExternalTokens | undefined {
    return this.#external;
  }

  get given(): boolean {
    return this.#given !== undefined;
  }

  /** The account that tokens of a parent app speak for; null when the token is none. ACC-32, ACC-34 */
  readExternal(wish: ExternalTokensParams): ExternalTokens['account'] | null {
    const claims = jwtClaims(wish.accessToken);
    if (claims === undefined || !HEADER_TEXT.test(wish.accessToken)) return null;
    const profile = profileOf(claims);
    const plan: Plan = wish.plan == null ? profile.plan : planOf(wish.plan.toLowerCase());
    return { ...profile, plan, accountId: wish.accountId, generation: ++this.#generation };
  }

  keepExternal(account: ExternalTokens['account'], token: string, owner: ClientSession): void {
    this.#external = { account, accessToken: new Secret(token), owner };
  }

  dropExternal(): void {
    this.#external = undefined;
  }

  /** What lies beneath external tokens: the given token, else the file as it was last taken over. */
  stored(): StoredAccount {
    if (this.#given !== undefined) return this.#storedGiven(this.#given);
    const { held, disk } = this.#file;
    if (held !== undefined) {
      const account = {
        ...held.profile,
        accountId: held.accountId,
        generation: this.#generationOf(held.account),
      };
      return this.#allowed({ kind: 'chatgpt', source: 'file', account, unfit: null });
    }
    if (disk === undefined || disk.kind === 'usable') {
      return { kind: 'none', failure: this.#failure('authMissing', 'Nobody is signed in.') };
    }
    switch (disk.holds) {
      case 'apiKey':
        return this.#policy.forcedMethod === 'chatgpt'
          ? { kind: 'none', failure: this.#forbidden('an API key') }
          : { kind: 'apiKey' };
      case 'incomplete':
        return { kind: 'incomplete', failure: disk.failure };
      case 'chatgpt':
        return this.#allowed({
          kind: 'chatgpt',
          source: 'file',
          account: {
            ...(disk.profile ?? profileOf(undefined)),
            accountId: null,
            generation: 0,
          },
          unfit: disk.failure,
        });
      case 'nothing':
        return { kind: 'none', failure: disk.failure };
    }
  }

  /** The account that calls are made for, as remote control sees it. */
  outcome(): AuthOutcome {
    const external = this.#external;
    if (external !== undefined) {
      const { accountId, generation } = external.account;
      return { kind: 'usable', account: { accountId, generation } };
    }
    const stored = this.stored();
    if (stored.kind === 'chatgpt') {
      const { accountId, generation } = stored.account;
      if (stored.unfit !== null || accountId === null) {
        return { kind: 'unusable', failure: stored.unfit ?? this.#failure('authNoAccountId', NO_ID) };
      }
      return { kind: 'usable', account: { accountId, generation } };
    }
    if (stored.kind === 'apiKey') {
      const disk = this.#file.disk;
      const failure = disk?.kind === 'unusable' ? disk.failure : undefined;
      return { kind: 'unusable', failure: failure ?? this.#failure('authApiKeyOnly', KEY_ONLY) };
    }
    return { kind: 'unusable', failure: stored.failure };
  }

  /** The account as told to clients that wait for a change; null: nobody usable. */
  account(): Account | null {
    const outcome = this.outcome();
    return outcome.kind === 'usable' ? outcome.account : null;
  }

  accessToken(): Secret | undefined {
    if (this.#external !== undefined) return this.#external.accessToken;
    if (this.account() === null) return undefined;
    return this.#given?.token ?? this.#file.accessToken();
  }

  /** For `getAuthStatus`: the API key, or the access token. ACC-22 */
  authToken(mode: AuthMode | null): Secret | undefined {
    const { disk } = this.#file;
    const unusable = disk?.kind === 'unusable' ? disk : undefined;
    if (mode === 'apikey') return unusable?.apiKey;
    // A sign-in without an account id has a token all the same.
    return this.accessToken() ?? (mode === 'chatgpt' ? unusable?.accessToken : undefined);
  }

  #storedGiven(given: GivenToken): StoredAccount {
    const claims = jwtClaims(given.token.reveal());
    const accountId = given.accountId ?? claimedAccountId(claims) ?? null;
    return this.#allowed({
      kind: 'chatgpt',
      source: 'environment',
      account: { ...profileOf(claims), accountId, generation: this.#givenGeneration },
      unfit:
        accountId === null
          ? this.#failure('authNoAccountId', 'The given access token names no account id.')
          : null,
    });
  }

  /** A sign-in that `--forced-login-method` or `--forced-workspace` does not allow is as good as none. */
  #allowed(stored: Extract<StoredAccount, { kind: 'chatgpt' }>): StoredAccount {
    if (this.#policy.forcedMethod === 'api') {
      return { kind: 'none', failure: this.#forbidden('a sign-in with ChatGPT') };
    }
    const { accountId } = stored.account;
    if (workspaceAllowed(this.#policy, accountId) || accountId === null) return stored;
    const allowed = this.#policy.workspaces?.join(', ') ?? '';
    return {
      kind: 'none',
      failure: this.#failure(
        'authWrongWorkspace',
        `The sign-in belongs to workspace ${accountId}; allowed here: ${allowed}.`,
      ),
    };
  }

  #forbidden(what: string): Failure {
    return this.#failure('authMethodForbidden', `There is ${what}, which --forced-login-method forbids.`);
  }

  #generationOf(account: Account): number {
    if (this.#fileGeneration.own !== account.generation) {
      this.#fileGeneration = { own: account.generation, generation: ++this.#generation };
    }
    return this.#fileGeneration.generation;
  }

  #failure(reason: Reason, message: string): Failure {
    return { reason, message, at: this.#now() };
  }
}

const HEADER_TEXT = /^[\x21-\x7e]+$/;
const NO_ID = 'The ChatGPT sign-in carries no account id.';
const KEY_ONLY = 'There is an API key, not a ChatGPT sign-in.';
