import { assign, emit, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import { failure, type RecoveryOutcome } from '../src/protocol/outcomes.js';
import type { Env } from '../src/protocol/timing.js';
import { CALL_LIMITS, type OverdueReason, overdueFailure, recordOverdue } from './shared/deadlines.js';
import { actorFailure, decide, notProvided } from './shared/decision.js';

/** Which recovery steps exist for refused tokens. ACC-64 */
export type RecoveryMode =
  /** A sign-in that the engine manages: reload the file, then refresh at the issuer. */
  | 'managed'
  /** A parent app owns the tokens: request new ones from it. */
  | 'external'
  /** An API key, a token from the environment, or no sign-in: there is no step. */
  | 'none';

/** What the `authRecovery` chart starts with. */
export interface AuthRecoveryInput {
  readonly env: Env;
  readonly mode: RecoveryMode;
  /** The account whose tokens were refused. */
  readonly accountId: string | null;
}

interface Context extends AuthRecoveryInput {
  /** Outcome of the last step; null before the first one and while a step runs. */
  readonly outcome: RecoveryOutcome | null;
  readonly decision: Decision;
}

/** The events of the `authRecovery` chart. */
export type AuthRecoveryEvent =
  /** A call was refused with 401: take the next step. */
  | {
      readonly type: 'NEXT';
      /** The refused tokens come from a refresh, and no call has succeeded with them. */
      readonly renewedTokenRejected: boolean;
    }
  /** Nobody needs another step. A step that is being taken is finished first. */
  | { readonly type: 'STOP' };

/** The response to a NEXT, emitted once for each. */
export interface AuthRecoveryStep {
  readonly type: 'STEP';
  readonly outcome: RecoveryOutcome;
}

const outcomeOf = (event: { readonly type: string }): RecoveryOutcome | null => {
  if (!('output' in event)) return null;
  const { output } = event;
  // The types of `provide()` make the host report this type.
  return typeof output === 'object' && output !== null && 'kind' in output
    ? (output as RecoveryOutcome)
    : null;
};

const unknown = ({ env }: Context): RecoveryOutcome => ({
  kind: 'transient',
  failure: failure('engineFault', 'A recovery step ended without an outcome.', env.now()),
});

const NO_MORE = 'The backend refuses the account tokens, and there is no further way to renew them.';

const authRecovery = setup({
  types: {
    context: {} as Context,
    events: {} as AuthRecoveryEvent,
    input: {} as AuthRecoveryInput,
    emitted: {} as AuthRecoveryStep,
    tags: {} as 'busy',
  },
  actors: {
    /** Reads the account file again. Only tokens of the same account are accepted. ACC-50 */
    reload: fromPromise<RecoveryOutcome, { accountId: string | null }>(notProvided('reload')),
    /** Redeems the refresh token. ACC-51 */
    refresh: fromPromise<RecoveryOutcome>(notProvided('refresh')),
    /** Requests new tokens from the parent app. ACC-41 */
    requestExternalTokens: fromPromise<RecoveryOutcome>(notProvided('requestExternalTokens')),
  },
  actions: {
    recordOutcome: assign(({ context, event }) => {
      const error = actorFailure(context, event);
      const outcome = outcomeOf(event) ?? { kind: 'transient' as const, failure: error };
      return outcome.kind === 'recovered'
        ? { outcome, ...decide(context, 'authRecovered') }
        : { outcome, ...decide(context, outcome.failure.reason, outcome.failure.message) };
    }),
    /** The step did not end within its deadline. It is not used up. RC-112 */
    recordOverdue: assign(({ context }, { reason }: { reason: OverdueReason }) => {
      const failed = overdueFailure(context, reason);
      return {
        outcome: { kind: 'transient' as const, failure: failed },
        ...decide(context, failed.reason, failed.message),
      };
    }),
    recordExhausted: assign(({ context }) => ({
      outcome:
        // The failure of the last step is more specific than that no steps are left.
        context.outcome?.kind === 'exhausted'
          ? context.outcome
          : { kind: 'exhausted' as const, failure: failure('authRejected', NO_MORE, context.env.now()) },
      ...decide(context, 'authRejected', NO_MORE),
    })),
    clearOutcome: assign({ outcome: null }),
    /** The caller of NEXT gets the outcome. */
    respond: emit(({ context }) => ({ type: 'STEP' as const, outcome: context.outcome ?? unknown(context) })),
  },
  guards: {
    managed: ({ context }) => context.mode === 'managed',
    external: ({ context }) => context.mode === 'external',
    recovered: ({ event }) => outcomeOf(event)?.kind === 'recovered',
    transient: ({ event }) => outcomeOf(event)?.kind === 'transient',
    renewedTokenRejected: ({ event }) => event.type === 'NEXT' && event.renewedTokenRejected,
  },
  delays: { stepLimit: CALL_LIMITS.recoveryStep },
});

const overdue = <T extends string>(target: T) =>
  ({
    target,
    description: 'There is no result within the limit of the chart. RC-112',
    actions: [recordOverdue('accountTimeout'), 'respond'],
  }) as const;

/** A step has ended. */
const stepped = ['recordOutcome', 'respond'] as const;
const exhausted = ['recordExhausted', 'respond'] as const;

/**
 * Recovery after a call was refused with 401. There is one instance for each failing call or connection loop. Each NEXT
 * takes one step; then the caller repeats the call or gives up. ACC-64
 */
export const authRecoveryMachine = authRecovery.createMachine({
  id: 'authRecovery',
  description: 'The recovery steps after a 401.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    outcome: null,
    decision: { reason: 'backendUnauthorized', detail: null, at: input.env.now() },
  }),
  initial: 'start',
  on: {
    STOP: { target: '.stopped', description: 'The operation has ended, or starts from the first step.' },
  },
  states: {
    start: {
      description: 'Selects the steps by the owner of the refused tokens.',
      always: [
        { guard: 'managed', target: 'managed' },
        { guard: 'external', target: 'external' },
        {
          target: 'exhausted',
          description: 'An API key or no sign-in: there is no recovery step. ACC-64, ACC-67',
        },
      ],
    },
    managed: {
      description: 'The engine manages the sign-in. ACC-65',
      initial: 'toReload',
      states: {
        toReload: {
          description: 'The next step reloads the file: another process may have refreshed the tokens.',
          on: { NEXT: { target: 'reloading', actions: 'clearOutcome' } },
        },
        reloading: {
          description: 'The account file is read again.',
          tags: ['busy'],
          on: { STOP: { description: 'The step is finished first.' } },
          invoke: {
            id: 'reload',
            src: 'reload',
            input: ({ context }) => ({ accountId: context.accountId }),
            onDone: [
              {
                guard: 'recovered',
                target: 'toRefresh',
                description: 'The call is repeated even if the tokens are the same.',
                actions: stepped,
              },
              {
                target: '#authRecovery.exhausted',
                description: 'The file holds another account or none, which is not accepted here. ACC-50',
                actions: stepped,
              },
            ],
            onError: { target: 'toRefresh', actions: stepped },
          },
          after: { stepLimit: overdue('toRefresh') },
        },
        toRefresh: {
          description: 'The next step refreshes the tokens at the issuer.',
          on: {
            NEXT: [
              {
                guard: 'renewedTokenRejected',
                target: '#authRecovery.exhausted',
                description: 'Refreshed tokens were refused, too: another refresh would not help. RC-28',
                actions: exhausted,
              },
              { target: 'refreshing', actions: 'clearOutcome' },
            ],
          },
        },
        refreshing: {
          description: 'The refresh token is being redeemed.',
          tags: ['busy'],
          on: { STOP: { description: 'The step is finished first.' } },
          invoke: {
            id: 'refresh',
            src: 'refresh',
            onDone: [
              { guard: 'recovered', target: '#authRecovery.exhausted', actions: stepped },
              {
                guard: 'transient',
                target: 'toRefresh',
                description: 'The failure is temporary, so the step may be repeated.',
                actions: stepped,
              },
              {
                target: '#authRecovery.exhausted',
                description: 'The issuer rejected the refresh token for good. ACC-54',
                actions: stepped,
              },
            ],
            onError: { target: 'toRefresh', actions: stepped },
          },
          after: { stepLimit: overdue('toRefresh') },
        },
      },
    },
    external: {
      description: 'A parent app owns the tokens. ACC-66',
      initial: 'ready',
      states: {
        ready: {
          description: 'The next step requests new tokens from the parent app.',
          on: { NEXT: { target: 'requesting', actions: 'clearOutcome' } },
        },
        requesting: {
          description: 'New tokens were requested from the parent app.',
          tags: ['busy'],
          on: { STOP: { description: 'The step is finished first.' } },
          invoke: {
            id: 'requestExternalTokens',
            src: 'requestExternalTokens',
            onDone: [
              {
                guard: 'recovered',
                target: '#authRecovery.exhausted',
                description: 'At most one successful request for each failing call. ACC-44',
                actions: stepped,
              },
              {
                guard: 'transient',
                target: 'ready',
                description: 'The step is not used up: the next 401 requests again. ACC-45',
                actions: stepped,
              },
              {
                target: '#authRecovery.exhausted',
                description: 'The parent app cannot provide new tokens.',
                actions: stepped,
              },
            ],
            onError: { target: 'ready', actions: stepped },
          },
          after: { stepLimit: overdue('ready') },
        },
      },
    },
    exhausted: {
      description: 'No step is left.',
      on: { NEXT: { actions: exhausted } },
    },
    stopped: { type: 'final', description: 'No step is needed.' },
  },
});
