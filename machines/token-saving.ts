import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type { Failure, StoreOutcome } from '../src/protocol/outcomes.js';
import type { Env } from '../src/protocol/timing.js';
import { CALL_LIMITS, type OverdueReason, overdueFailure, recordOverdue } from './shared/deadlines.js';
import { actorFailure, decide, decideFailure, notProvided } from './shared/decision.js';

/** What the `tokenSaving` chart starts with. */
export interface TokenSavingInput {
  readonly env: Env;
}

interface Context extends TokenSavingInput {
  /** Why the account file could not be written last time; null: it could. */
  readonly lastFailure: Failure | null;
  /** Failed attempts since the tokens were issued; the exponent of the next pause. */
  readonly attempt: number;
  readonly decision: Decision;
}

/** The events of the `tokenSaving` chart. */
export type TokenSavingEvent =
  /** Nothing can be written, so nothing was redeemed. */
  | { readonly type: 'REFUSED'; readonly failure: Failure }
  /** A write is possible now. */
  | { readonly type: 'WRITABLE' }
  /** New tokens are in memory only: the write after the refresh failed. */
  | { readonly type: 'UNSAVED'; readonly failure: Failure }
  /** The tokens in use are in the file, or none are meant to be. */
  | { readonly type: 'SAVED' }
  /** The engine stops. */
  | { readonly type: 'CLOSE' };

/** Between two attempts to save: doubles up to the most, ms. */
const RETRY = { first: 1_000, most: 30_000 };

type AnEvent = { readonly type: string } | TokenSavingEvent;

/** The failure in an event; the failure of an actor that rejected. */
function failureIn(context: Context, event: AnEvent): Failure {
  if ('failure' in event) return event.failure;
  const output = 'output' in event ? event.output : undefined;
  // The types of `provide()` make the host report a `StoreOutcome`.
  const outcome = output as StoreOutcome | undefined;
  return outcome?.kind === 'failed' ? outcome.failure : actorFailure(context, event);
}

const tokenSaving = setup({
  types: {
    context: {} as Context,
    events: {} as TokenSavingEvent,
    input: {} as TokenSavingInput,
    tags: {} as 'unsaved',
  },
  actors: {
    /** Writes the tokens in memory to the account file, under its lock. */
    saveTokens: fromPromise<StoreOutcome>(notProvided('saveTokens')),
  },
  actions: {
    recordFailure: assign(({ context, event }) => {
      const failure = failureIn(context, event);
      const known = context.lastFailure;
      // The same failure was reported before.
      const isSame = known?.reason === failure.reason && known.message === failure.message;
      return isSame ? { lastFailure: failure } : decideFailure(context, failure);
    }),
    /** The actor did not answer within the deadline of its state. RC-112 */
    recordOverdue: assign(({ context }, { reason }: { reason: OverdueReason }) =>
      decideFailure(context, overdueFailure(context, reason)),
    ),
    countAttempt: assign(({ context }) => ({ attempt: context.attempt + 1 })),
    clearFailure: assign(({ context }) => ({
      ...decide(context, 'tokensSaved'),
      lastFailure: null,
      attempt: 0,
    })),
  },
  guards: {
    done: ({ event }) => {
      const output = 'output' in event ? event.output : undefined;
      return (output as StoreOutcome | undefined)?.kind === 'done';
    },
  },
  delays: {
    saveLimit: CALL_LIMITS.account,
    retryPause: ({ context }) => Math.min(RETRY.first * 2 ** Math.min(context.attempt, 10), RETRY.most),
  },
});

const refused = {
  target: 'refused',
  description: 'The account file cannot be written, so no refresh token is redeemed. ACC-113',
  actions: 'recordFailure',
} as const;
const unsaved = {
  target: 'unsaved',
  description: 'New tokens could not be saved: they are used from memory. ACC-113',
  actions: 'recordFailure',
} as const;
const retryLater = { target: 'waiting', actions: ['recordFailure', 'countAttempt'] } as const;

/** Whether the tokens in use are in the account file, and when saving them is tried again. ACC-113 */
export const tokenSavingMachine = tokenSaving.createMachine({
  id: 'tokenSaving',
  description: 'Saves the tokens of a refresh, again and again until that works.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    lastFailure: null,
    attempt: 0,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  initial: 'saved',
  states: {
    saved: {
      description: 'The tokens in use are in the account file.',
      on: { REFUSED: refused, UNSAVED: unsaved, CLOSE: 'closed' },
    },
    refused: {
      description: 'The last attempt to refresh found that nothing can be written.',
      on: {
        REFUSED: refused,
        UNSAVED: unsaved,
        WRITABLE: { target: 'saved', actions: 'clearFailure' },
        SAVED: { target: 'saved', actions: 'clearFailure' },
        CLOSE: 'closed',
      },
    },
    unsaved: {
      description: 'New tokens are in memory only; the issuer will not issue them again.',
      tags: ['unsaved'],
      initial: 'waiting',
      on: {
        SAVED: {
          target: 'saved',
          description: 'The file has them, or a sign-in, a sign-out or another account ended the need.',
          actions: 'clearFailure',
        },
        UNSAVED: {
          target: '.waiting',
          description: 'Another refresh brought newer tokens that could not be saved either.',
          actions: 'recordFailure',
        },
        CLOSE: { target: 'closing', description: 'The engine stops: tries a last time.' },
      },
      states: {
        waiting: {
          description: 'Waits before the next attempt.',
          after: { retryPause: 'saving' },
        },
        saving: {
          description: 'Writes the tokens.',
          invoke: {
            id: 'saveTokens',
            src: 'saveTokens',
            onDone: [{ guard: 'done', target: '#tokenSaving.saved', actions: 'clearFailure' }, retryLater],
            onError: retryLater,
          },
          after: {
            saveLimit: {
              target: 'waiting',
              description: 'The write did not end within the limit: tries again later. RC-112',
              actions: [recordOverdue('accountTimeout'), 'countAttempt'],
            },
          },
        },
      },
    },
    closing: {
      description: 'The last attempt, while the engine stops.',
      tags: ['unsaved'],
      invoke: { id: 'saveLast', src: 'saveTokens', onDone: 'closed', onError: 'closed' },
      after: {
        saveLimit: {
          target: 'closed',
          description: 'The write did not end within the limit. RC-112',
          actions: recordOverdue('accountTimeout'),
        },
      },
    },
    closed: { type: 'final', description: 'Nothing is saved any more.' },
  },
});
