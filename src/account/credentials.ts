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
import { type Account, type AuthOutcome, type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { Secret } from '../protocol/secret.js';
import type { ClientSession } from '../session/session.js';
import type { AuthFile } from './file/auth-file.js';
import { claimedAccountId, jwtClaims } from './jwt.js';

/** A token from the environment, in use as long as the process runs; for continuous integration. ACC-86 */
export interface GivenToken {
  readonly token: Secret;
  /** Default: the account id that the token names. */
  readonly accountId?: string | undefined;
  /** Where it is from: a variable, or the sign-in at a hub (`rc-engine login --hub`). Default `environment`. HUB-42 */
  readonly origin?: 'environment' | 'hub' | undefined;
}

/** Tokens that a parent app owns; in memory only. ACC-35 */
interface ExternalTokens {
  readonly account: ChatgptAccount & { readonly accountId: string };
  readonly accessToken: Secret;
  /** The client that signed in with them; requests for new tokens go to it. ACC-41 */
  readonly owner: ClientSession;
}

/** The tokens as a parent app sends them. ACC-31 */
export interface ExternalTokensParams {
  readonly accessToken: string;
  readonly accountId: string;
  readonly plan: string | null | undefined;
}

interface CredentialsDeps {
  readonly file: AuthFile;
  readonly given: GivenToken | undefined;
  readonly policy: LoginPolicy;
  readonly now: () => number;
}

const HEADER_TEXT = /^[\x21-\x7e]+$/;

/** Holds the tokens in use. The `account` chart knows only which account they belong to. */
export class Credentials {
  readonly #deps: CredentialsDeps;
  #external: ExternalTokens | undefined;
  /** Counted over all sources, so that a generation identifies one token. */
  #generation = 0;
  /** The last generation of the file, and the generation here that stands for it. */
  #fileGeneration = { own: -1, generation: 0 };
  readonly #givenGeneration: number;

  constructor(deps: CredentialsDeps) {
    this.#deps = deps;
    this.#givenGeneration = ++this.#generation;
  }

  get external(): ExternalTokens | undefined {
    return this.#external;
  }

  /** A given token is in use. */
  get given(): boolean {
    return this.#deps.given !== undefined;
  }

  /** The given token is the key of a hub. */
  get fromHub(): boolean {
    return this.#deps.given?.origin === 'hub';
  }

  /** A sign-in that the engine stores and refreshes itself is in use, or nobody is signed in. */
  get managed(): boolean {
    return this.#external === undefined && !this.given;
  }

  /** The account of external tokens; null: the token is not a JWT. ACC-32, ACC-34 */
  readExternal({ accessToken, accountId, plan }: ExternalTokensParams): ExternalTokens['account'] | null {
    const claims = jwtClaims(accessToken);
    if (claims === undefined || !HEADER_TEXT.test(accessToken)) return null;
    const profile = profileOf(claims);
    const chosen: Plan = plan == null ? profile.plan : planOf(plan.toLowerCase());
    return { ...profile, plan: chosen, accountId, generation: ++this.#generation };
  }

  setExternal(account: ExternalTokens['account'], token: string, owner: ClientSession): void {
    this.#external = { account, accessToken: new Secret(token), owner };
  }

  clearExternal(): void {
    this.#external = undefined;
  }

  /** The account without external tokens: the given token, else the file as it was last adopted. */
  stored(): StoredAccount {
    const { given, file, policy } = this.#deps;
    if (given !== undefined) return this.#storedGiven(given);
    const { current, onDisk } = file;
    if (current !== undefined) {
      const { profile, accountId } = current;
      const account = { ...profile, accountId, generation: this.#generationOf(current.account) };
      return this.#allowed({ kind: 'chatgpt', source: 'file', account, ineligible: null });
    }
    if (onDisk === undefined || onDisk.kind === 'valid') {
      return { kind: 'none', failure: this.#failure('authMissing', 'Nobody is signed in.') };
    }
    switch (onDisk.holds) {
      case 'apiKey':
        return policy.forcedMethod === 'chatgpt'
          ? { kind: 'none', failure: this.#forbidden('an API key') }
          : { kind: 'apiKey' };
      case 'incomplete':
        return { kind: 'incomplete', failure: onDisk.failure };
      case 'chatgpt': {
        const account = { ...(onDisk.profile ?? profileOf(undefined)), accountId: null, generation: 0 };
        return this.#allowed({ kind: 'chatgpt', source: 'file', account, ineligible: onDisk.failure });
      }
      case 'nothing':
        return { kind: 'none', failure: onDisk.failure };
    }
  }

  /** The account that backend calls are made for, as remote control sees it. */
  outcome(): AuthOutcome {
    const external = this.#external;
    if (external !== undefined) {
      const { accountId, generation } = external.account;
      return { kind: 'usable', account: { accountId, generation } };
    }
    const stored = this.stored();
    if (stored.kind === 'chatgpt') {
      const { accountId, generation } = stored.account;
      if (stored.ineligible !== null || accountId === null) {
        const noId = 'The ChatGPT sign-in has no account id.';
        return { kind: 'ineligible', failure: stored.ineligible ?? this.#failure('authNoAccountId', noId) };
      }
      return { kind: 'usable', account: { accountId, generation } };
    }
    if (stored.kind === 'apiKey') {
      const { onDisk } = this.#deps.file;
      const invalid = onDisk?.kind === 'invalid' ? onDisk.failure : undefined;
      const keyOnly = 'There is an API key, not a ChatGPT sign-in.';
      return { kind: 'ineligible', failure: invalid ?? this.#failure('authApiKeyOnly', keyOnly) };
    }
    return { kind: 'ineligible', failure: stored.failure };
  }

  /** The account of `outcome`; null: remote control has none. */
  account(): Account | null {
    const outcome = this.outcome();
    return outcome.kind === 'usable' ? outcome.account : null;
  }

  accessToken(): Secret | undefined {
    if (this.#external !== undefined) return this.#external.accessToken;
    if (this.account() === null) return undefined;
    return this.#deps.given?.token ?? this.#deps.file.accessToken();
  }

  /** For `getAuthStatus`: the API key, or the access token. ACC-22 */
  authToken(mode: AuthMode | null): Secret | undefined {
    const { onDisk } = this.#deps.file;
    const invalid = onDisk?.kind === 'invalid' ? onDisk : undefined;
    if (mode === 'apikey') return invalid?.apiKey;
    // A sign-in without account id still has a token.
    return this.accessToken() ?? (mode === 'chatgpt' ? invalid?.accessToken : undefined);
  }

  #storedGiven(given: GivenToken): StoredAccount {
    const claims = jwtClaims(given.token.reveal());
    const accountId = given.accountId ?? claimedAccountId(claims) ?? null;
    return this.#allowed({
      kind: 'chatgpt',
      source: given.origin ?? 'environment',
      account: { ...profileOf(claims), accountId, generation: this.#givenGeneration },
      ineligible:
        accountId === null
          ? this.#failure('authNoAccountId', 'The given access token names no account id.')
          : null,
    });
  }

  /** A sign-in that `--forced-login-method` or `--forced-workspace` forbids counts as none. ACC-30, ACC-37 */
  #allowed(stored: Extract<StoredAccount, { kind: 'chatgpt' }>): StoredAccount {
    const { policy } = this.#deps;
    if (policy.forcedMethod === 'api') {
      return { kind: 'none', failure: this.#forbidden('a ChatGPT sign-in') };
    }
    const { accountId } = stored.account;
    if (workspaceAllowed(policy, accountId) || accountId === null) return stored;
    const allowed = policy.workspaces?.join(', ') ?? '';
    const message = `The sign-in belongs to workspace ${accountId}; allowed here: ${allowed}.`;
    return { kind: 'none', failure: this.#failure('authWrongWorkspace', message) };
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
    return failure(reason, message, this.#deps.now());
  }
}
