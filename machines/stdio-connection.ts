import { setup } from 'xstate';
import type { Timing } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';

/** What the `stdioConnection` chart starts with. */
export interface StdioConnectionInput {
  readonly timing: Pick<Timing, 'stdioFirstAnswer' | 'stdioNextAnswer' | 'stdioLastAnswer' | 'stdioFinish'>;
}

/** The events of the `stdioConnection` chart. */
export type StdioConnectionEvent =
  /** The client has sent everything: its end of stdin is closed. */
  | { readonly type: 'INPUT.ENDED' }
  /** The app server is known to answer, or something more was sent to the client. */
  | { readonly type: 'PROGRESS' }
  /** No request of the client waits for a response. */
  | { readonly type: 'ANSWERED' }
  /** The app server has ended. */
  | { readonly type: 'APP_SERVER.CLOSED' }
  /** The streams are gone, or the engine stops. */
  | { readonly type: 'ENDED' };

const stdioConnection = setup({
  types: {
    context: {} as StdioConnectionInput,
    events: {} as StdioConnectionEvent,
    input: {} as StdioConnectionInput,
    /** The app server has the end of its input, so its exit is not a failure. */
    tags: {} as 'appServerMayEnd',
  },
  actions: {
    /** Passes the end of the input on to the app server, after all messages that wait for it. */
    endAppServerInput: notProvided('endAppServerInput'),
    /** Ends the session: requests without a response get an error first. */
    release: notProvided('release'),
  },
  delays: {
    firstAnswerTimeout: ({ context }) => context.timing.stdioFirstAnswer,
    nextAnswerTimeout: ({ context }) => context.timing.stdioNextAnswer,
    lastAnswerTimeout: ({ context }) => context.timing.stdioLastAnswer,
    finishTimeout: ({ context }) => context.timing.stdioFinish,
  },
});

/**
 * The client over stdio after it has closed its input, as `printf … | rc-engine start --listen stdio://` does: its
 * requests are answered before the engine ends. Messages do not pass through the chart. RC-77
 */
export const stdioConnectionMachine = stdioConnection.createMachine({
  id: 'stdioConnection',
  description: 'The client over stdio: it is served, and answered after the end of its input.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ timing: input.timing }),
  initial: 'serving',
  on: {
    ENDED: { target: '.closed', description: 'The streams are gone, or the engine stops.' },
    'APP_SERVER.CLOSED': {
      target: '.closed',
      description: 'The app server has ended, and with it everything.',
    },
  },
  states: {
    serving: {
      description: 'Messages pass in both directions.',
      on: { 'INPUT.ENDED': 'answering' },
    },
    answering: {
      description: 'The client has sent everything and waits for responses.',
      initial: 'first',
      on: { ANSWERED: { target: 'finishing', description: 'Each request has its response.' } },
      states: {
        first: {
          description: 'The app server has answered nothing so far.',
          on: { PROGRESS: 'next' },
          after: {
            firstAnswerTimeout: {
              target: '#stdioConnection.ending',
              description: 'It may be a program that reads its whole input before it answers.',
            },
          },
        },
        next: {
          description: 'The app server answers, and some requests are still open.',
          on: {
            PROGRESS: {
              target: 'next',
              reenter: true,
              description: 'The time starts again at each message.',
            },
          },
          after: {
            nextAnswerTimeout: {
              target: '#stdioConnection.ending',
              description: 'Nothing was sent to the client for too long.',
            },
          },
        },
      },
    },
    ending: {
      description: 'Requests are still open: the app server gets the end of its input and some more time.',
      tags: ['appServerMayEnd'],
      entry: 'endAppServerInput',
      on: { ANSWERED: { target: 'closed', description: 'Each request has its response.' } },
      after: { lastAnswerTimeout: { target: 'closed', description: 'The other requests get an error.' } },
    },
    finishing: {
      description: 'The app server gets the end of its input. What it still sends reaches the client.',
      tags: ['appServerMayEnd'],
      entry: 'endAppServerInput',
      after: { finishTimeout: { target: 'closed', description: 'It runs on, and the engine ends it.' } },
    },
    closed: { type: 'final', description: 'The engine ends with its client.', entry: 'release' },
  },
});
