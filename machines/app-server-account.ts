import { assign, fromPromise, setup } from 'xstate';
import type { ConnectAccountOutcome, HandOverOutcome } from '../src/protocol/app-server-account.js';
import type { Decision } from '../src/protocol/decision.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env } from '../src/protocol/timing.js';
import { CALL_LIMITS } from './shared/deadlines.js';
import { actorFailure, decide, notProvided, setReason } from './shared/decision.js';

/** What the `appServerAccount` chart starts with. */
export interface AppServerAccountInput {
  readonly env: Env;
}

interface AppServerAccountContext extends AppServerAccountInput {
  /** Why the chart is in its state: one object for each decision. */
  readonly decision: Decision;
}

/** The events of the `appServerAccount` chart. */
export type AppServerAccountEvent =
  /** A client is about to use a shared app server, and somebody is signed in. */
  | { readonly type: 'NEEDED' }
  /** Another account is signed in. ACC-101 */
  | {
      readonly type: 'CHANGED';
      /** One child that listens serves all clients. */
      readonly shared: boolean;
      /** At least one child runs. */
      readonly running: boolean;
      /** The account is in the account file, which a new child may read. */
      readonly onDisk: boolean;
    }
  /** The same account has new tokens. */
  | { readonly type: 'RENEWED' }
  | { readonly type: 'SIGNED_OUT' }
  /** The app server requests new tokens. ACC-104 */
  | { readonly type: 'ASKED' }
  /** The child or its connection to the engine has ended. */
  | { readonly type: 'GONE' }
  /** The response and the notifications of the change were sent. */
  | { readonly type: 'RELEASE' };

/** How long the app server may take to say who is signed in there, ms. */
const CONNECT_TIMEOUT = 5_000;
/** How long it may take to accept the account, ms. */
const HAND_OVER_TIMEOUT = 10_000;
/** How long the app server may take to delete an API key, ms. */
const SIGN_OUT_TIMEOUT = 2_000;
/** How long children may take to end, ms. */
const RESTART_TIMEOUT = 10_000;
/** How long the clients of ended children wait for the response to the change, ms. */
const HOLD_TIMEOUT = 15_000;
/** Tokens that were renewed within this time are not renewed again for the app server, ms. */
const FRESH_FOR = 30_000;

type AnEvent = { readonly type: string };

const outputOf = (event: AnEvent): ConnectAccountOutcome | HandOverOutcome | null =>
  // The types of `provide()` make the host report one of these.
  'output' in event ? (event.output as ConnectAccountOutcome | HandOverOutcome) : null;

const chart = setup({
  types: {
    context: {} as AppServerAccountContext,
    events: {} as AppServerAccountEvent,
    input: {} as AppServerAccountInput,
    /** `preparing`: a client waits before it uses the app server. `ending`: children are being ended. */
    tags: {} as 'preparing' | 'ending' | 'holding',
  },
  actors: {
    /** Opens the connection of the engine and reads who is signed in at the app server. */
    connect: fromPromise<ConnectAccountOutcome>(notProvided('connect')),
    /** Sends `account/login/start` of the fitting kind. */
    handOver: fromPromise<HandOverOutcome>(notProvided('handOver')),
    /** Renews the tokens and answers the request of the app server. */
    renew: fromPromise<void>(notProvided('renew')),
    /** Deletes an API key of the engine that the app server has stored. */
    signOutAgent: fromPromise<void>(notProvided('signOutAgent')),
    /** Ends all children. */
    restart: fromPromise<void>(notProvided('restart')),
  },
  actions: {
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    recordFailure: assign(({ context, event }) => {
      const got = outputOf(event);
      return got?.kind === 'failed' ? decide(context, got.failure.reason, got.failure.message) : {};
    }),
    recordActorError: assign(({ context, event }) => {
      const { reason, message } = actorFailure(context, event);
      return decide(context, reason, message);
    }),
    /** Answers the request for new tokens with an error. */
    refuseTokens: notProvided('refuseTokens'),
    /** Ends the connection of the engine to the app server. */
    disconnect: notProvided('disconnect'),
    /** Ends the connections whose children have ended, or gives them new children. */
    releaseClients: notProvided('releaseClients'),
  },
  guards: {
    canHandOver: ({ event }) => event.type === 'CHANGED' && event.shared && event.running,
    mustRestart: ({ event }) => event.type === 'CHANGED' && event.running && event.onDisk,
    unclaimed: ({ event }) => outputOf(event)?.kind === 'unclaimed',
    keepsOwn: ({ event }) => outputOf(event)?.kind === 'keepsOwn',
    accepted: ({ event }) => outputOf(event)?.kind === 'accepted',
  },
  delays: {
    renewTimeout: CALL_LIMITS.recovery,
    connectTimeout: CONNECT_TIMEOUT,
    handOverTimeout: HAND_OVER_TIMEOUT,
    signOutTimeout: SIGN_OUT_TIMEOUT,
    restartTimeout: RESTART_TIMEOUT,
    holdTimeout: HOLD_TIMEOUT,
    freshFor: FRESH_FOR,
  },
});

const accepted = {
  guard: 'accepted',
  target: 'following',
  actions: setReason('appServerAccountShared'),
} as const;
const silent = setReason('appServerAccountSilent');

/** Whether the app server behind the engine uses the account of the engine. ACC-101 */
export const appServerAccountMachine = chart.createMachine({
  id: 'appServerAccount',
  description:
    'Hands the account of the engine to the app server behind it, or restarts that when the account changes.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  initial: 'idle',
  on: {
    SIGNED_OUT: {
      target: '.restarting',
      description: 'Nothing may go on with the old tokens. ACC-102',
      actions: setReason('appServerAccountSignedOut'),
    },
    GONE: { target: '.idle', actions: setReason('appServerAccountIdle') },
  },
  states: {
    idle: {
      description:
        'The app server has not been given the account: none runs, or each client has its own child.',
      entry: 'disconnect',
      on: {
        NEEDED: { target: 'connecting', actions: setReason('appServerAccountConnecting') },
        CHANGED: [
          { guard: 'canHandOver', target: 'connecting', actions: setReason('appServerAccountConnecting') },
          { guard: 'mustRestart', target: 'restarting', actions: setReason('appServerAccountChanged') },
        ],
        GONE: { description: 'Nothing was handed over.' },
      },
    },
    connecting: {
      description: 'Asks the app server who is signed in there.',
      tags: ['preparing'],
      invoke: {
        id: 'connect',
        src: 'connect',
        onDone: [
          { guard: 'unclaimed', target: 'handingOver' },
          { guard: 'keepsOwn', target: 'separate', actions: setReason('appServerAccountOwn') },
          { target: 'separate', actions: 'recordFailure' },
        ],
        onError: { target: 'separate', actions: 'recordActorError' },
      },
      after: { connectTimeout: { target: 'separate', actions: setReason('appServerAccountSilent') } },
      on: { CHANGED: { target: 'connecting', reenter: true } },
    },
    handingOver: {
      description: 'Signs the app server in with the account of the engine.',
      tags: ['preparing'],
      invoke: {
        id: 'handOver',
        src: 'handOver',
        onDone: [accepted, { target: 'separate', actions: 'recordFailure' }],
        onError: { target: 'separate', actions: 'recordActorError' },
      },
      after: { handOverTimeout: { target: 'separate', actions: silent } },
      on: {
        CHANGED: {
          target: 'replacing',
          description: 'The app server may have the earlier account already.',
        },
        RENEWED: { target: 'handingOver', reenter: true },
      },
    },
    replacing: {
      description:
        'Signs the app server in with another account of the engine. One that does not accept it keeps the earlier one, and is ended. ACC-103',
      tags: ['preparing'],
      invoke: {
        id: 'replace',
        src: 'handOver',
        onDone: [accepted, { target: 'restarting', actions: 'recordFailure' }],
        onError: { target: 'restarting', actions: 'recordActorError' },
      },
      after: { handOverTimeout: { target: 'restarting', actions: silent } },
      on: {
        CHANGED: { target: 'replacing', reenter: true },
        RENEWED: { target: 'replacing', reenter: true },
      },
    },
    following: {
      description: 'The app server uses the account of the engine.',
      initial: 'settled',
      on: {
        CHANGED: {
          target: 'replacing',
          actions: setReason('appServerAccountConnecting'),
        },
        RENEWED: { target: 'handingOver', description: 'The same account, with new tokens.' },
      },
      states: {
        settled: {
          description: 'A request for new tokens is granted.',
          on: { ASKED: { target: 'renewing', actions: setReason('appServerAccountRenewing') } },
        },
        renewing: {
          description:
            'New tokens are requested from the issuer or the parent app. A second request gets the same response.',
          invoke: {
            id: 'renew',
            src: 'renew',
            onDone: { target: 'fresh', actions: setReason('appServerAccountShared') },
            onError: { target: 'settled', actions: ['refuseTokens', 'recordActorError'] },
          },
          after: {
            renewTimeout: {
              target: 'settled',
              description: 'The tokens did not arrive in time: the app server gets an error. RC-112',
              actions: ['refuseTokens', setReason('accountTimeout')],
            },
          },
          on: {
            RENEWED: { description: 'These are the tokens of the response.' },
          },
        },
        fresh: {
          description: 'The tokens are new: another request for new ones would not help.',
          on: { ASKED: { actions: 'refuseTokens' } },
          after: { freshFor: 'settled' },
        },
      },
    },
    separate: {
      description: 'The agent keeps a sign-in of its own.',
      on: {
        CHANGED: {
          guard: 'mustRestart',
          target: 'restarting',
          actions: setReason('appServerAccountChanged'),
        },
      },
    },
    restarting: {
      description: 'Ends the children; a child that is started later reads the account again.',
      tags: ['ending', 'holding'],
      initial: 'signingOutAgent',
      on: {
        SIGNED_OUT: { description: 'The children are ending already.' },
        GONE: { description: 'The children are ending.' },
      },
      states: {
        signingOutAgent: {
          description: 'An API key that the engine gave to the app server is deleted there.',
          invoke: {
            id: 'signOutAgent',
            src: 'signOutAgent',
            onDone: 'ending',
            onError: { target: 'ending', actions: 'recordActorError' },
          },
          after: { signOutTimeout: 'ending' },
        },
        ending: {
          description: 'The children are being ended.',
          invoke: {
            id: 'restart',
            src: 'restart',
            onDone: '#appServerAccount.holding',
            onError: { target: '#appServerAccount.holding', actions: 'recordActorError' },
          },
          after: { restartTimeout: '#appServerAccount.holding' },
        },
      },
    },
    holding: {
      description: 'Their clients stay connected until the response to the change was sent.',
      tags: ['holding'],
      exit: 'releaseClients',
      on: {
        RELEASE: { target: 'idle', actions: setReason('appServerAccountIdle') },
        GONE: { description: 'The children have ended.' },
        NEEDED: { target: 'connecting', actions: setReason('appServerAccountConnecting') },
        CHANGED: [
          { guard: 'canHandOver', target: 'connecting', actions: setReason('appServerAccountConnecting') },
          { guard: 'mustRestart', target: 'restarting', actions: setReason('appServerAccountChanged') },
        ],
      },
      after: { holdTimeout: { target: 'idle', actions: setReason('appServerAccountIdle') } },
    },
  },
});
