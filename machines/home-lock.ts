import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type {
  FormerHolderOutcome,
  HolderOutcome,
  HomeLockOutcome,
  LockAttemptOutcome,
  StepOutcome,
} from '../src/protocol/engine-life.js';
import { type Failure, failure } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env } from '../src/protocol/timing.js';
import { actorFailure, decide, decideFailure, notProvided, setReason } from './shared/decision.js';
import { spine } from './shared/spine.js';

/** What the `homeLock` chart starts with. */
export interface HomeLockInput {
  readonly env: Env;
}

interface HomeLockContext extends HomeLockInput {
  /** How many rounds of attempts are over. */
  readonly rounds: number;
  /** Failed attempts of this round. */
  readonly attempts: number;
  readonly lastFailure: Failure | null;
  readonly decision: Decision;
}

/** Two engines that start at the same moment block each other briefly; one succeeds within these attempts. */
const MAX_ATTEMPTS = 8;
/** Between two attempts, ms. A random part keeps two engines from colliding again and again. */
const LOCK_PAUSE = 25;
/** How long the engine that holds the lock may take to write `engine.json`, ms. */
const NAME_WAIT = 1_000;
/** Between two readings of `engine.json`, ms. */
const NAME_PAUSE = 20;
/** How long the disk may take, ms. */
const DISK = 10_000;
/** An engine that was just ending is gone after the first round. */
const MAX_ROUNDS = 2;

type AnEvent = { readonly type: string };
type Outcome = LockAttemptOutcome | HolderOutcome | FormerHolderOutcome | StepOutcome;

function outcomeOf(event: AnEvent): Outcome | null {
  // The types of `provide()` make the host report one of these.
  return 'output' in event ? ((event.output as Outcome | undefined) ?? null) : null;
}

const outcome =
  (kind: Outcome['kind']) =>
  ({ event }: { event: AnEvent }): boolean =>
    outcomeOf(event)?.kind === kind;

function failureIn(context: HomeLockContext, event: AnEvent): Failure {
  const got = outcomeOf(event);
  return got !== null && 'failure' in got ? got.failure : actorFailure(context, event);
}

const homeLock = setup({
  types: {
    context: {} as HomeLockContext,
    input: {} as HomeLockInput,
    output: {} as HomeLockOutcome,
  },
  actors: {
    /** One attempt to take the lock of the operating system. */
    tryLock: fromPromise<LockAttemptOutcome>(notProvided('tryLock')),
    /** Reads once which engine holds the lock. */
    readHolder: fromPromise<HolderOutcome>(notProvided('readHolder')),
    /** Finds out whether the engine of an earlier lock file still runs. */
    checkFormer: fromPromise<FormerHolderOutcome>(notProvided('checkFormer')),
    /** Writes `engine.json`. */
    writeInfo: fromPromise<StepOutcome>(notProvided('writeInfo')),
    /** Gives the lock back. */
    release: fromPromise<unknown>(notProvided('release')),
  },
  actions: {
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    recordFailure: assign(({ context, event }) => decideFailure(context, failureIn(context, event))),
    /** The actor did not answer within the deadline of its state. RC-112 */
    recordOverdue: assign(({ context }) =>
      decideFailure(
        context,
        failure('homeLockTimeout', 'The file system of the home does not respond.', context.env.now()),
      ),
    ),
    countRound: assign(({ context }) => ({ rounds: context.rounds + 1 })),
    clearAttempts: assign({ attempts: 0 }),
    countAttempt: assign(({ context }) => ({ attempts: context.attempts + 1 })),
    recordHolderUnknown: assign(({ context }) =>
      decideFailure(
        context,
        failure(
          'homeInUse',
          'Another engine holds the home directory; its pid is unknown.',
          context.env.now(),
        ),
      ),
    ),
  },
  guards: {
    locked: outcome('locked'),
    busy: outcome('busy'),
    named: outcome('named'),
    gone: outcome('gone'),
    done: outcome('done'),
    busyWithAttemptsLeft: ({ context, event }) =>
      outcome('busy')({ event }) && context.attempts + 1 < MAX_ATTEMPTS,
    roundsLeft: ({ context }) => context.rounds < MAX_ROUNDS,
  },
  delays: {
    diskTimeout: DISK,
    lockPause: ({ context }) => LOCK_PAUSE * (1 + context.env.random()),
    nameTimeout: NAME_WAIT,
    namePause: NAME_PAUSE,
  },
});

const refused = {
  target: '#homeLock.refused',
  description: 'The lock file cannot be used.',
  actions: 'recordFailure',
} as const;
const unwritten = {
  target: 'releasing',
  description: '`engine.json` cannot be read or written.',
  actions: 'recordFailure',
} as const;
const silent = { actions: 'recordOverdue', description: 'The file system does not respond. RC-112' } as const;
/** Whether this engine gets its home directory for itself. RC-8 */
export const homeLockMachine = homeLock.createMachine({
  id: 'homeLock',
  description: 'Takes the lock of a home directory, or finds out which engine holds it.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    rounds: 0,
    attempts: 0,
    lastFailure: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  output: ({ context: { lastFailure } }) =>
    lastFailure === null ? { kind: 'held' } : { kind: 'refused', failure: lastFailure },
  initial: 'locking',
  states: {
    locking: {
      description: 'Waits briefly for the lock: two engines that start together block each other.',
      entry: 'clearAttempts',
      exit: 'countRound',
      initial: 'trying',
      states: {
        trying: {
          description: 'One attempt.',
          invoke: {
            id: 'tryLock',
            src: 'tryLock',
            onDone: [
              { guard: 'locked', target: '#homeLock.checking', ...spine },
              { guard: 'busyWithAttemptsLeft', target: 'pausing', actions: 'countAttempt' },
              { guard: 'busy', target: '#homeLock.identifying', actions: setReason('homeBusy') },
              refused,
            ],
            onError: refused,
          },
          after: { diskTimeout: { target: '#homeLock.refused', ...silent } },
        },
        pausing: {
          description: 'Another process has the lock for a moment.',
          after: { lockPause: 'trying' },
        },
      },
    },
    identifying: {
      description: 'Another process holds the lock; an engine writes its pid right after it got it.',
      initial: 'reading',
      after: {
        nameTimeout: [
          {
            guard: 'roundsLeft',
            target: 'locking',
            description: 'No engine that runs has the lock: one was just ending. It is tried once more.',
          },
          {
            target: 'refused',
            description: 'An engine holds the home, and its pid stays unknown.',
            actions: 'recordHolderUnknown',
          },
        ],
      },
      states: {
        reading: {
          description: 'Reads `engine.json` once.',
          invoke: {
            id: 'readHolder',
            src: 'readHolder',
            onDone: [
              {
                guard: 'named',
                target: '#homeLock.refused',
                description: 'An engine that runs holds the home; its pid is known.',
                actions: 'recordFailure',
              },
              { target: 'pausing' },
            ],
            onError: refused,
          },
        },
        pausing: {
          description: 'Its pid is not there yet.',
          after: { namePause: 'reading' },
        },
      },
    },
    checking: {
      description: 'A deleted lock file frees nothing: the engine that had it may still run.',
      invoke: {
        id: 'checkFormer',
        src: 'checkFormer',
        onDone: [
          { guard: 'gone', target: 'writing', ...spine },
          {
            target: 'releasing',
            description: 'It runs: the home is its own.',
            actions: 'recordFailure',
          },
        ],
        onError: unwritten,
      },
      after: { diskTimeout: { target: 'releasing', ...silent } },
    },
    writing: {
      description: 'Writes the pid for others.',
      invoke: {
        id: 'writeInfo',
        src: 'writeInfo',
        onDone: [{ guard: 'done', target: 'held', actions: setReason('homeLocked'), ...spine }, unwritten],
        onError: unwritten,
      },
      after: { diskTimeout: { target: 'releasing', ...silent } },
    },
    releasing: {
      description: 'Gives the lock back.',
      invoke: { id: 'release', src: 'release', onDone: 'refused', onError: 'refused' },
      after: { diskTimeout: { target: 'refused', description: 'The end of the process releases it.' } },
    },
    held: { type: 'final', description: 'The home belongs to this engine until it gives back the lock.' },
    refused: { type: 'final', description: 'The home cannot be used; the output says why.' },
  },
});
