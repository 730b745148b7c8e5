import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type { Failure } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env, Timing } from '../src/protocol/timing.js';
import {
  authorizedRequestTakes,
  CALL_LIMITS,
  type OverdueReason,
  overdueFailure,
  recordOverdue,
} from './shared/deadlines.js';
import { actorFailure, decide, notProvided, setReason } from './shared/decision.js';
import { spine } from './shared/spine.js';

/** What the `authorizedRequest` chart starts with. */
export interface AuthorizedRequestInput {
  readonly env: Env;
  readonly timing: Pick<Timing, 'requestTimeout'>;
  /**
   * `newToken`: the request is repeated once, when recovery has brought another token. RC-49. `eachStep`: it is repeated
   * after each recovery step, until it is accepted or no step is left. ACC-60
   */
  readonly repeats: 'newToken' | 'eachStep';
}

/** The response of the backend, which the adapter keeps: the chart needs to know only whether the account was refused. */
export interface RequestOutcome {
  readonly kind: 'answered' | 'refused';
}

/** What a recovery step brought. */
export type StepOutcome =
  | { readonly kind: 'recovered'; readonly newToken: boolean }
  /** It failed, or no step is left. */
  | { readonly kind: 'notRecovered'; readonly failure: Failure };

/** Exported for the type declarations of the machine. */
export interface AuthorizedRequestContext extends AuthorizedRequestInput {
  readonly decision: Decision;
  readonly failure: Failure | null;
}

/** How the `authorizedRequest` chart ended. */
export interface AuthorizedRequestOutput {
  /** An adapter failed or did not answer; null: the caller has the last response of the backend. */
  readonly failure: Failure | null;
}

const outputIn = (event: { readonly type: string }): RequestOutcome | StepOutcome | null => {
  if (!('output' in event)) return null;
  const { output } = event;
  // The types of `provide()` make the host report one of these types.
  return typeof output === 'object' && output !== null && 'kind' in output
    ? (output as RequestOutcome | StepOutcome)
    : null;
};

const fail = (context: AuthorizedRequestContext, failure: Failure) => ({
  ...decide(context, failure.reason, failure.message),
  failure,
});

const authorizedRequest = setup({
  types: {
    context: {} as AuthorizedRequestContext,
    input: {} as AuthorizedRequestInput,
    output: {} as AuthorizedRequestOutput,
  },
  actors: {
    /** Sends the request once, with the token in use. */
    request: fromPromise<RequestOutcome>(notProvided('request')),
    /** Takes one step of the recovery that belongs to this request. ACC-64 */
    recoverAuth: fromPromise<StepOutcome>(notProvided('recoverAuth')),
  },
  actions: {
    setReason: assign(({ context }, p: { reason: Reason }) => decide(context, p.reason)),
    recordFailure: assign(({ context, event }) => {
      const got = outputIn(event);
      return got?.kind === 'notRecovered' ? decide(context, got.failure.reason, got.failure.message) : {};
    }),
    recordActorError: assign(({ context, event }) => fail(context, actorFailure(context, event))),
    recordOverdue: assign(({ context }, { reason }: { reason: OverdueReason }) =>
      fail(context, overdueFailure(context, reason)),
    ),
  },
  guards: {
    refused: ({ event }) => outputIn(event)?.kind === 'refused',
    refusedAndRepeats: ({ context, event }) =>
      context.repeats === 'eachStep' && outputIn(event)?.kind === 'refused',
    recovered: ({ event }) => outputIn(event)?.kind === 'recovered',
    sameToken: ({ context, event }) => {
      const got = outputIn(event);
      return context.repeats === 'newToken' && got?.kind === 'recovered' && !got.newToken;
    },
  },
  delays: {
    requestLimit: ({ context }) => authorizedRequestTakes(context.timing),
    recoveryLimit: CALL_LIMITS.recovery,
  },
});

const refused = setReason('backendUnauthorized');
const failed = { target: 'failed', actions: 'recordActorError' } as const;
const overdue = (reason: OverdueReason) =>
  ({
    target: 'failed',
    description: 'There is no result within the limit of the chart. RC-112',
    actions: recordOverdue(reason),
  }) as const;

/**
 * One request that needs the account, outside of the connection loop: about paired devices, or the lookup of the workspace.
 * When the backend refuses the account, a recovery of its own takes its steps, and the request is repeated. ACC-64
 */
export const authorizedRequestMachine = authorizedRequest.createMachine({
  id: 'authorizedRequest',
  description: 'One request that needs the account, repeated after recovery when the account is refused.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
    failure: null,
  }),
  output: ({ context }) => ({ failure: context.failure }),
  initial: 'requesting',
  states: {
    requesting: {
      description: 'Sends the request.',
      invoke: {
        id: 'request',
        src: 'request',
        onDone: [
          {
            guard: 'refused',
            target: 'recovering',
            description: 'The backend answered 401 or 403: the token of the account is refused.',
            actions: refused,
            ...spine,
          },
          { target: 'answered' },
        ],
        onError: failed,
      },
      after: { requestLimit: overdue('backendTimeout') },
    },
    recovering: {
      description: 'The account takes one recovery step.',
      invoke: {
        id: 'recoverAuth',
        src: 'recoverAuth',
        onDone: [
          {
            guard: 'sameToken',
            target: 'recovering',
            reenter: true,
            description: 'The same token would be refused again: the next step follows. RC-49',
          },
          {
            guard: 'recovered',
            target: 'requestingAgain',
            actions: setReason('authRecovered'),
            ...spine,
          },
          {
            target: 'answered',
            description: 'There is no other token: the refusal is the response.',
            actions: 'recordFailure',
          },
        ],
        onError: failed,
      },
      after: { recoveryLimit: overdue('accountTimeout') },
    },
    requestingAgain: {
      description: 'Sends the request with what the step brought.',
      invoke: {
        id: 'requestAgain',
        src: 'request',
        onDone: [
          {
            guard: 'refusedAndRepeats',
            target: 'recovering',
            description: 'The next step may bring another token. ACC-60',
            actions: refused,
          },
          { target: 'answered', ...spine },
        ],
        onError: failed,
      },
      after: { requestLimit: overdue('backendTimeout') },
    },
    answered: { type: 'final', description: 'The caller has the last response of the backend.' },
    failed: { type: 'final', description: 'There is no response.' },
  },
});
