import { assign, fromPromise, sendParent, setup } from 'xstate';
import type {
  CodeOutcome,
  DeviceOutcome,
  DevicePoll,
  ExchangeStep,
  LoginOutcome,
  PlaceOutcome,
  PortOutcome,
  SaveOutcome,
  StoredAccount,
} from '../../src/protocol/account.js';
import type { Decision } from '../../src/protocol/decision.js';
import { type Failure, failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import type { Env } from '../../src/protocol/timing.js';
import { actorFailure, decide, notProvided } from '../shared/decision.js';

/** Limits of a sign-in, and the ports that its browser may return to. */
export interface LoginLimits {
  /** How long a browser sign-in may take, ms. ACC-77 */
  readonly loginTimeout: number;
  /** Limit of one request to the issuer, ms. ACC-92 */
  readonly issuerTimeout: number;
  /** Ports of 127.0.0.1 in the order they are tried. ACC-70 */
  readonly loginPorts: readonly number[];
}

/** What the `login` chart starts with. */
export interface LoginInput extends LoginLimits {
  readonly env: Env;
  readonly loginId: string;
  readonly kind: 'browser' | 'device';
}

/** The events of the `login` chart. */
export interface LoginEvent {
  /** The credentials are saved: do not wait for the browser any longer. ACC-111 */
  readonly type: 'FINISH';
}

/** How far a sign-in is: events to the chart that invoked it. */
export type LoginProgress =
  /** Its URL or code is known. */
  | { readonly type: 'SIGN_IN.OPENED' }
  /** The person has approved it. */
  | { readonly type: 'SIGN_IN.APPROVED' }
  /** The tokens are granted and are being saved: it is too late to cancel. */
  | { readonly type: 'SIGN_IN.SAVING' }
  /** They are saved; the browser loads the success page next. */
  | { readonly type: 'SIGN_IN.SAVED'; readonly stored: StoredAccount }
  /** The browser is not waited for, or not any longer. */
  | { readonly type: 'SIGN_IN.COMPLETING' };

/** What the `login` chart knows. */
export interface LoginContext extends LoginInput {
  /** Index of the port that is tried, and the number of attempts at it. */
  readonly port: number;
  readonly attempt: number;
  /** Between two polls of a device code, ms: as the issuer asked first, and with its `slow_down`. ACC-80 */
  readonly interval: { readonly first: number; readonly now: number };
  /** Monotonic ms at which the device code ends. */
  readonly codeEnds: number;
  /** Before the next poll, ms. */
  readonly pause: number;
  readonly outcome: LoginOutcome | null;
  readonly decision: Decision;
}

/** Input of the actors: which sign-in. */
export interface LoginRef {
  readonly loginId: string;
}

type AnEvent = { readonly type: string };
type Outcome =
  | CodeOutcome
  | DeviceOutcome
  | DevicePoll
  | ExchangeStep
  | LoginOutcome
  | PlaceOutcome
  | PortOutcome
  | SaveOutcome;

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

function failureIn(event: AnEvent, context: LoginContext): Failure {
  const got = outcomeOf(event);
  return got !== null && 'failure' in got ? got.failure : actorFailure(context, event);
}

/** Attempts at one port after the first, and the pause before each, ms. ACC-70 */
const PORT_RETRIES = 10;
const PORT_PAUSE = 200;
/** How long a program that uses the port may take to answer, ms. */
const CANCEL_TIMEOUT = 2_000;
/** How long a device code can be typed, ms. ACC-80 */
const CODE_LIFETIME = 15 * 60_000;
/** By how much the issuer's `slow_down` makes each later pause longer, ms. RFC 8628 section 3.5 */
const SLOW_DOWN = 5_000;
/** How long the browser may take to load the success page after the tokens are saved, ms. ACC-111 */
const SUCCESS_PAGE = 5_000;
/** How long the disk may take, ms. */
const DISK = 30_000;
/** The adapters give up first, with a better message, ms. */
const MARGIN = 5_000;
/** Limit of a write and of an announcement, which wait for locks, refreshes and the app server, ms. */
const LONG = 300_000;

/** What is left of the time for the device code, ms. */
const timeLeft = ({ codeEnds, env }: LoginContext): number => codeEnds - env.monotonic();

/** Actors, guards, actions and delays of the chart `login`, by name. */
export const loginSetup = setup({
  types: {
    context: {} as LoginContext,
    events: {} as LoginEvent,
    input: {} as LoginInput,
    output: {} as LoginOutcome,
  },
  actors: {
    /** Whether a sign-in can be saved. A person should not go through one that cannot. ACC-113 */
    checkPlace: fromPromise<PlaceOutcome>(notProvided('checkPlace')),
    /** One attempt to listen on a port for the browser. ACC-70 */
    openPort: fromPromise<PortOutcome, LoginRef & { port: number }>(notProvided('openPort')),
    /** Asks the program that uses the port once to cancel its sign-in. ACC-70 */
    requestCancel: fromPromise<unknown, { port: number }>(notProvided('requestCancel')),
    /** Waits for the browser. ACC-74 */
    awaitCallback: fromPromise<CodeOutcome, LoginRef>(notProvided('awaitCallback')),
    /** Ends when another program asks for the port. */
    awaitOther: fromPromise<unknown, LoginRef>(notProvided('awaitOther')),
    /** Requests a code for another device. ACC-79 */
    requestDeviceCode: fromPromise<DeviceOutcome, LoginRef>(notProvided('requestDeviceCode')),
    /** Asks once whether that code was typed. ACC-80 */
    pollDevice: fromPromise<DevicePoll, LoginRef>(notProvided('pollDevice')),
    /** Exchanges the authorization code for tokens. ACC-75 */
    exchangeCode: fromPromise<ExchangeStep, LoginRef>(notProvided('exchangeCode')),
    /** Saves the tokens. Never aborted. ACC-76 */
    saveSignIn: fromPromise<SaveOutcome, LoginRef>(notProvided('saveSignIn')),
    awaitSuccessPage: fromPromise<unknown, LoginRef>(notProvided('awaitSuccessPage')),
    /** Announces the new account, then looks up its workspace when routing is on. ACC-60 */
    completeSignIn: fromPromise<LoginOutcome>(notProvided('completeSignIn')),
  },
  actions: {
    setReason: assign(({ context }, p: { reason: Reason }) => decide(context, p.reason)),
    /** The sign-in could not be started. */
    recordNotOpened: assign(({ context, event }) => {
      const failed = failureIn(event, context);
      return {
        outcome: { kind: 'notOpened', failure: failed },
        ...decide(context, failed.reason, failed.message),
      };
    }),
    recordPortsBusy: assign(({ context }) => {
      const message = `other programs use port ${context.loginPorts.join(' and ')} of 127.0.0.1`;
      return {
        outcome: { kind: 'notOpened', failure: failure('loginPortsBusy', message, context.env.now()) },
        ...decide(context, 'loginPortsBusy', message),
      };
    }),
    recordSilence: assign(({ context }, p: { reason: Reason; message: string }) => ({
      outcome: { kind: 'notOpened', failure: failure(p.reason, p.message, context.env.now()) },
      ...decide(context, p.reason, p.message),
    })),
    recordFailure: assign(({ context, event }) => {
      const failed = failureIn(event, context);
      return {
        outcome: { kind: 'failed', failure: failed },
        ...decide(context, failed.reason, failed.message),
      };
    }),
    recordEnd: assign(({ context }, p: { reason: Reason; message: string }) => ({
      outcome: { kind: 'failed', failure: failure(p.reason, p.message, context.env.now()) },
      ...decide(context, p.reason, p.message),
    })),
    recordSuccess: assign(({ context }) => ({
      outcome: { kind: 'finished' },
      ...decide(context, 'signedIn'),
    })),

    // Ports
    countAttempt: assign(({ context }) => ({ attempt: context.attempt + 1 })),
    nextPort: assign(({ context }) => ({ port: context.port + 1, attempt: 0 })),

    // Device codes
    startCode: assign(({ context, event }) => {
      const got = outcomeOf(event);
      const interval = got?.kind === 'opened' && 'interval' in got ? got.interval : 0;
      return {
        interval: { first: interval, now: interval },
        codeEnds: context.env.monotonic() + CODE_LIFETIME,
      };
    }),
    slowDown: assign(({ context: { interval } }) => ({
      interval: { ...interval, now: interval.now + SLOW_DOWN },
    })),
    /** A pause that outlasts the code is cut, so that one more poll finds out whether the code was typed. */
    schedulePoll: assign(({ context, event }) => {
      const got = outcomeOf(event);
      const least = got !== null && 'retryAfter' in got ? got.retryAfter : 0;
      return { pause: Math.min(Math.max(context.interval.now, least), timeLeft(context)) };
    }),

    // How far it is
    notifyOpened: sendParent({ type: 'SIGN_IN.OPENED' }),
    notifyApproved: sendParent({ type: 'SIGN_IN.APPROVED' }),
    notifySaving: sendParent({ type: 'SIGN_IN.SAVING' }),
    notifySaved: sendParent(({ event }): LoginProgress => {
      const got = outcomeOf(event);
      return got?.kind === 'saved'
        ? { type: 'SIGN_IN.SAVED', stored: got.stored }
        : { type: 'SIGN_IN.COMPLETING' };
    }),
    notifyCompleting: sendParent({ type: 'SIGN_IN.COMPLETING' }),
    /** Shows the failure in the browser that waits. */
    showFailure: notProvided('showFailure'),
  },
  guards: {
    isBrowser: ({ context }) => context.kind === 'browser',
    prepared: outcome('prepared'),
    opened: outcome('opened'),
    inUse: outcome('inUse'),
    firstAttempt: ({ context, event }) =>
      outcomeOf(event)?.kind === 'inUse' && context.port === 0 && context.attempt === 0,
    attemptsLeft: ({ context, event }) =>
      outcomeOf(event)?.kind === 'inUse' && context.attempt < PORT_RETRIES,
    portsLeft: ({ context, event }) =>
      outcomeOf(event)?.kind === 'inUse' && context.port + 1 < context.loginPorts.length,
    codeReceived: outcome('code'),
    codeOverAfterRetry: ({ context, event }) =>
      outcomeOf(event)?.kind === 'retry' && timeLeft(context) < context.interval.first,
    codeOver: ({ context, event }) =>
      outcomeOf(event)?.kind === 'pending' && timeLeft(context) < context.interval.first,
    mustSlowDown: ({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'pending' && got.slowDown;
    },
    notYet: outcome('pending', 'retry'),
    granted: outcome('granted'),
    savedWithLocalPage: ({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'saved' && got.page === 'local';
    },
    saved: outcome('saved'),
    finished: outcome('finished'),
  },
  delays: {
    diskTimeout: DISK,
    portTimeout: MARGIN,
    portPause: PORT_PAUSE,
    cancelTimeout: CANCEL_TIMEOUT,
    loginTimeout: ({ context }) => context.loginTimeout,
    requestTimeout: ({ context }) => context.issuerTimeout + MARGIN,
    pollPause: ({ context }) => context.pause,
    /** The space is taken, the code is exchanged for tokens, and these for an API key. */
    exchangeTimeout: ({ context }) => DISK + 2 * context.issuerTimeout + MARGIN,
    saveTimeout: LONG,
    successPageTimeout: ({ context }) => Math.min(context.loginTimeout, SUCCESS_PAGE),
    completeTimeout: LONG,
  },
});
