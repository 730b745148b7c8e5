import { assign, fromPromise, setup } from 'xstate';
import type {
  LockAttempt,
  PlaceOutcome,
  RedeemOutcome,
  ReloadOutcome,
  StoreAccountOutcome,
  StoredAccount,
  StoredLookup,
  TokenChangeOutcome,
  TokenRefreshOutcome,
  TokenRefreshReason,
} from '../../src/protocol/account.js';
import type { Decision } from '../../src/protocol/decision.js';
import { type Failure, failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import type { Env } from '../../src/protocol/timing.js';
import { between } from '../shared/backoff.js';
import { actorFailure, decide, notProvided } from '../shared/decision.js';

/** What is done to the stored sign-in. */
export type TokenTask =
  /** The refresh token is redeemed if the file has nothing newer. `expired`: why it can never be. ACC-48, ACC-54 */
  | { readonly kind: 'refresh'; readonly reason: TokenRefreshReason; readonly expired: Failure | null }
  /** An API key or a sign-in is written. `irreplaceable`: the issuer does not issue it a second time. */
  | { readonly kind: 'store'; readonly irreplaceable: boolean }
  /** The sign-in is revoked and deleted. ACC-55 */
  | { readonly kind: 'signOut' };

/** What the `accountTokens` chart starts with. */
export interface AccountTokensInput {
  readonly env: Env;
  /** The account file, for messages. */
  readonly file: string;
  readonly task: TokenTask;
  /** How long another process may hold a lock of the account file, ms. ACC-59 */
  readonly lockTimeout: number;
  /** Limit of one request to the issuer, ms. ACC-92 */
  readonly issuerTimeout: number;
}

/** The engine stops: nothing is begun any more. */
export interface AccountTokensEvent {
  readonly type: 'CLOSE';
}

/** What the `accountTokens` chart knows. */
export interface AccountTokensContext extends AccountTokensInput {
  readonly outcome: TokenChangeOutcome | null;
  /** Why the last attempt to take the lock failed. */
  readonly busy: Failure | null;
  /** The account with the tokens that the issuer has issued. */
  readonly issued: StoredAccount | null;
  readonly decision: Decision;
}

type AnEvent = { readonly type: string };
type Outcome = TokenChangeOutcome | LockAttempt | PlaceOutcome | RedeemOutcome | ReloadOutcome | StoredLookup;

function outcomeOf(event: AnEvent): Outcome | null {
  if (!('output' in event)) return null;
  const { output } = event;
  // The types of `provide()` make the host report one of the unions above.
  return typeof output === 'object' && output !== null && 'kind' in output ? (output as Outcome) : null;
}

const outcome =
  (...kinds: readonly Outcome['kind'][]) =>
  ({ event }: { event: AnEvent }): boolean => {
    const got = outcomeOf(event);
    return got !== null && kinds.includes(got.kind);
  };

/** How the change ended, if the outcome of an actor says so. */
function changeIn(event: AnEvent): TokenChangeOutcome | null {
  const got = outcomeOf(event);
  switch (got?.kind) {
    case 'refreshed':
    case 'reloaded':
    case 'skipped':
    case 'permanent':
    case 'failed':
    case 'stored':
      return got;
    default:
      return null;
  }
}

const ended = (context: AccountTokensContext, change: TokenChangeOutcome) => {
  if ('failure' in change)
    return { outcome: change, ...decide(context, change.failure.reason, change.failure.message) };
  return { outcome: change, ...decide(context, reasonOf(context, change.kind)) };
};

function reasonOf({ task }: AccountTokensContext, kind: 'refreshed' | 'reloaded' | 'stored'): Reason {
  if (kind === 'stored') return task.kind === 'signOut' ? 'signedOut' : 'tokensSaved';
  return kind === 'refreshed' ? 'tokensRefreshed' : 'tokensReloaded';
}

const failedBy = (context: AccountTokensContext, reason: Reason, message: string) =>
  ended(context, { kind: 'failed', failure: failure(reason, message, context.env.now()) });

/** Another program saves the tokens that it received within this time. ACC-48 */
const OTHER_SAVES = 1_000;
/** Between two reads of the file during that time, ms. */
const SAVE_POLL = 25;
/** Between two attempts to take the lock, ms. A random part keeps two processes from colliding again and again. */
const LOCK_PAUSE = 25;
/** How long the disk may take, ms. All limits of one change together fit into the limit of a call of the account. RC-112 */
const DISK = 10_000;
/** A write may take longer: what it writes exists nowhere else, ms. */
const WRITE = 15_000;
/** The adapters give up first, with a better message, ms. */
const MARGIN = 5_000;

/** Actors, guards, actions and delays of the chart `accountTokens`, by name. */
export const accountTokensSetup = setup({
  types: {
    context: {} as AccountTokensContext,
    events: {} as AccountTokensEvent,
    input: {} as AccountTokensInput,
    output: {} as TokenChangeOutcome,
  },
  actors: {
    /** Reads the file again, and adopts what it has for the same account. ACC-50 */
    reload: fromPromise<ReloadOutcome>(notProvided('reload')),
    /** One attempt to become the only engine that changes this file. ACC-59 */
    tryLock: fromPromise<LockAttempt>(notProvided('tryLock')),
    /** Proves that the new content can be written, and takes the space for it. ACC-113 */
    prepare: fromPromise<PlaceOutcome>(notProvided('prepare')),
    /** One request to the issuer. New tokens are in use at once. ACC-51 */
    redeem: fromPromise<RedeemOutcome>(notProvided('redeem')),
    /** Writes the new tokens; if that fails, the chart `tokenSaving` tries again. Never aborted. ACC-113 */
    save: fromPromise<TokenRefreshOutcome>(notProvided('save')),
    /** Writes an API key or a sign-in. */
    write: fromPromise<StoreAccountOutcome>(notProvided('write')),
    /** One attempt to revoke what is deleted next; it may fail. ACC-55 */
    revoke: fromPromise<unknown>(notProvided('revoke')),
    /** Finds out whether anything is stored. */
    lookUp: fromPromise<StoredLookup>(notProvided('lookUp')),
    /** Deletes the file. */
    remove: fromPromise<StoreAccountOutcome>(notProvided('remove')),
    /** Puts in use what the file holds: nothing. */
    adopt: fromPromise<StoreAccountOutcome>(notProvided('adopt')),
    /** Gives back the lock and the space that was taken, when a write that has begun is done. */
    release: fromPromise<unknown>(notProvided('release')),
  },
  actions: {
    recordOutcome: assign(({ context, event }) => {
      const change = changeIn(event);
      return ended(context, change ?? { kind: 'failed', failure: actorFailure(context, event) });
    }),
    recordExpired: assign(({ context }) =>
      context.task.kind === 'refresh' && context.task.expired !== null
        ? ended(context, { kind: 'permanent', failure: context.task.expired })
        : {},
    ),
    recordNoRefreshToken: assign(({ context }) =>
      ended(context, {
        kind: 'permanent',
        failure: failure(
          'refreshTokenMissing',
          `${context.file}: it holds no refresh token`,
          context.env.now(),
        ),
      }),
    ),
    /** The watch adopted newer tokens before; the file has nothing newer. */
    recordAdopted: assign(({ context, event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'same' ? ended(context, { kind: 'reloaded', stored: got.stored }) : {};
    }),
    recordSlowFile: assign(({ context }) =>
      failedBy(context, 'authFileNotWritable', `${context.file}: the file system does not respond`),
    ),
    recordSlowIssuer: assign(({ context }) =>
      failedBy(context, 'issuerUnreachable', 'token refresh: the issuer does not respond'),
    ),
    recordClosed: assign(({ context }) => failedBy(context, 'stopped', 'the account is closed')),
    recordBusy: assign(({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'busy' ? { busy: got.failure } : {};
    }),
    recordLocked: assign(({ context }) =>
      ended(context, {
        kind: 'failed',
        failure:
          context.busy ??
          failure('authFileNotWritable', `${context.file}: its lock does not respond`, context.env.now()),
      }),
    ),
    assignIssued: assign(({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'granted' ? { issued: got.stored } : {};
    }),
    /** The tokens are in use; the write that takes so long is not waited for. */
    recordIssued: assign(({ context }) =>
      context.issued === null ? {} : ended(context, { kind: 'refreshed', stored: context.issued }),
    ),
  },
  guards: {
    isRefresh: ({ context }) => context.task.kind === 'refresh',
    isSignOut: ({ context }) => context.task.kind === 'signOut',
    isIrreplaceable: ({ context }) => context.task.kind === 'store' && context.task.irreplaceable,
    /** The file has other tokens, or nothing that may be adopted. */
    settled: outcome('reloaded', 'skipped'),
    reloaded: outcome('reloaded'),
    knownExpired: ({ context }) => context.task.kind === 'refresh' && context.task.expired !== null,
    noRefreshToken: ({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'same' && !got.refreshable;
    },
    newEnough: ({ context, event }) => {
      const got = outcomeOf(event);
      return (
        got?.kind === 'same' &&
        got.adopted &&
        context.task.kind === 'refresh' &&
        context.task.reason === 'forced'
      );
    },
    same: outcome('same'),
    locked: outcome('locked'),
    busy: outcome('busy'),
    prepared: outcome('prepared'),
    granted: outcome('granted'),
    permanent: outcome('permanent'),
    /** Another program redeemed the token first, and has not saved the new ones yet. */
    savedSoon: ({ context, event }) =>
      outcomeOf(event)?.kind === 'same' && context.decision.reason === 'refreshTokenReused',
    absent: outcome('absent'),
  },
  delays: {
    lockTimeout: ({ context }) => context.lockTimeout,
    lockPause: ({ context }) => between(context.env, LOCK_PAUSE, 2 * LOCK_PAUSE),
    redeemTimeout: ({ context }) => context.issuerTimeout + MARGIN,
    diskTimeout: DISK,
    /** The write waits for the locks of Codex CLI. ACC-59 */
    writeTimeout: ({ context }) => context.lockTimeout + WRITE,
    otherSaves: OTHER_SAVES,
    savePoll: SAVE_POLL,
    releaseTimeout: MARGIN,
    revokeTimeout: ({ context }) => context.issuerTimeout,
  },
});
