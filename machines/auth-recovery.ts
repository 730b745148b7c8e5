import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type { Failure, RecoveryOutcome } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';

/** What can be done about refused tokens. ACC-64 */
export type RecoveryMode =
  /** A sign-in of our own: the file, then the issuer. */
  | 'managed'
  /** A parent app owns the tokens. */
  | 'external'
  /** An API key, a token from the environment, or nobody. */
  | 'none';

export interface AuthRecoveryInput {
  readonly env: Env;
  readonly mode: RecoveryMode;
  /** Whose tokens were refused. */
  readonly accountId: string | null;
}

interface Context extends AuthRecoveryInput {
  /** What the last step came to. */
  readonly outcome: RecoveryOutcome | null;
  readonly decision: Decision;
}

/** The call was refused: take the next step. */
export interface AuthRecoveryEvent {
  readonly type: 'NEXT';
  /** The refused tokens come from a renewal, and have been good for nothing yet. */
  readonly renewedInVain: boolean;
}

const outcomeOf = (event: { readonly type: string }): RecoveryOutcome | null => {
  if (!('output' in event)) return null;
  const { output } = event;
  // The actors below report nothing else: only their host could break that, and it is typed.
  return typeof output === 'object' && output !== null && 'kind' in output
    ? (output as RecoveryOutcome)
    : null;
};

const exhausted = (env: Env, reason: Reason, message: string): RecoveryOutcome => ({
  kind: 'exhausted',
  failure: { reason, message, at: env.now() },
});

const faultOf = (env: Env, error: unknown): Failure => ({
  reason: 'engineFault',
  message: `An adapter failed unexpectedly: ${error instanceof Error ? error.message : 'no message'}`,
  at: env.now(),
});

const NO_MORE = 'The backend refuses the account tokens, and there is no further way to renew them.';

export const authRecoverySetup = setup({
  types: {
    context: {} as Context,
    events: {} as AuthRecoveryEvent,
    input: {} as AuthRecoveryInput,
    tags: {} as 'busy',
  },
  actors: {
    /** Looks at the file again; only the same account is taken from it. ACC-50 */
    reload: fromPromise<RecoveryOutcome, { accountId: string | null }>(notProvided('reload')),
    /** Spends the refresh token. ACC-51 */
    refresh: fromPromise<RecoveryOutcome>(notProvided('refresh')),
    /** Asks the parent app for new tokens. ACC-41 */
    ask: fromPromise<RecoveryOutcome>(notProvided('ask')),
  },
  actions: {
    note: assign(({ context, event }) => {
      const outcome = outcomeOf(event);
      if (outcome === null) {
        const failure = faultOf(context.env, 'error' in event ? event.error : undefined);
        return {
          outcome: { kind: 'transient' as const, failure },
          decision: { reason: failure.reason, detail: failure.message, at: context.env.now() },
        };
      }
      const [reason, detail]: [Reason, string | null] =
        outcome.kind === 'recovered'
          ? ['authRecovered', null]
          : [outcome.failure.reason, outcome.failure.message];
      return { outcome, decision: { reason, detail, at: context.env.now() } };
    }),
    noteExhausted: assign(({ context }) => ({
      outcome:
        // Why the last step failed says more than that there are no further ones.
        context.outcome?.kind === 'exhausted'
          ? context.outcome
          : exhausted(context.env, 'authRejected', NO_MORE),
      decision: { reason: 'authRejected' as const, detail: NO_MORE, at: context.env.now() },
    })),
    forgetOutcome: assign({ outcome: null }),
  },
  guards: {
    managed: ({ context }) => context.mode === 'managed',
    external: ({ context }) => context.mode === 'external',
    recovered: ({ event }) => outcomeOf(event)?.kind === 'recovered',
    transient: ({ event }) => outcomeOf(event)?.kind === 'transient',
    renewedInVain: ({ event }) => event.type === 'NEXT' && event.renewedInVain,
  },
});

/**
 * What is done when a call is refused with 401: one instance for each failing call, or for a connection loop.
 * Each NEXT takes one step; the call is then made again, or given up. account.md section 14
 */
export const authRecoveryMachine = authRecoverySetup.createMachine({
  id: 'authRecovery',
  description: 'The steps after a 401.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    outcome: null,
    decision: { reason: 'backendUnauthorized', detail: null, at: input.env.now() },
  }),
  initial: 'start',
  states: {
    start: {
      description: 'Whose tokens were refused?',
      always: [
        { guard: 'managed', target: 'managed' },
        { guard: 'external', target: 'external' },
        {
          target: 'exhausted',
          description: 'An API key, or no sign-in: there is no recovery step. ACC-64, ACC-67',
        },
      ],
    },
    managed: {
      description: 'A sign-in of our own. ACC-65',
      initial: 'toReload',
      states: {
        toReload: {
          description: 'Somebody else may have renewed the tokens.',
          on: { NEXT: { target: 'reloading', actions: 'forgetOutcome' } },
        },
        reloading: {
          description: 'The file is read again.',
          tags: ['busy'],
          invoke: {
            id: 'reload',
            src: 'reload',
            input: ({ context }) => ({ accountId: context.accountId }),
            onDone: [
              {
                guard: 'recovered',
                target: 'toRefresh',
                description: 'The call is made again even if nothing changed.',
                actions: 'note',
              },
              {
                target: '#authRecovery.exhausted',
                description: 'Another account, or none: it is not taken here. ACC-50',
                actions: 'note',
              },
            ],
            onError: { target: 'toRefresh', actions: 'note' },
          },
        },
        toRefresh: {
          description: 'The issuer can renew the tokens.',
          on: {
            NEXT: [
              {
                guard: 'renewedInVain',
                target: '#authRecovery.exhausted',
                description: 'New tokens were refused, too: each attempt would spend another renewal. RC-28',
                actions: 'noteExhausted',
              },
              { target: 'refreshing', actions: 'forgetOutcome' },
            ],
          },
        },
        refreshing: {
          description: 'The refresh token is spent.',
          tags: ['busy'],
          invoke: {
            id: 'refresh',
            src: 'refresh',
            onDone: [
              { guard: 'recovered', target: '#authRecovery.exhausted', actions: 'note' },
              {
                guard: 'transient',
                target: 'toRefresh',
                description: 'It may work later.',
                actions: 'note',
              },
              {
                target: '#authRecovery.exhausted',
                description: 'Never again with these. ACC-54',
                actions: 'note',
              },
            ],
            onError: { target: 'toRefresh', actions: 'note' },
          },
        },
      },
    },
    external: {
      description: 'Tokens of a parent app. ACC-66',
      initial: 'toAsk',
      states: {
        toAsk: {
          description: 'The parent app can give new ones.',
          on: { NEXT: { target: 'asking', actions: 'forgetOutcome' } },
        },
        asking: {
          description: 'It is asked once.',
          tags: ['busy'],
          invoke: {
            id: 'ask',
            src: 'ask',
            onDone: [
              {
                guard: 'recovered',
                target: '#authRecovery.exhausted',
                description: 'At most one ask for each failed call. ACC-44',
                actions: 'note',
              },
              {
                guard: 'transient',
                target: 'toAsk',
                description: 'The step is not used up: the next refusal asks again. ACC-45',
                actions: 'note',
              },
              {
                target: '#authRecovery.exhausted',
                description: 'Nobody is left to ask.',
                actions: 'note',
              },
            ],
            onError: { target: 'toAsk', actions: 'note' },
          },
        },
      },
    },
    exhausted: {
      description: 'Every step is used up.',
      on: { NEXT: { actions: 'noteExhausted' } },
    },
  },
});
