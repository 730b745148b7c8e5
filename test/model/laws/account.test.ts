import type { AccountContext } from '../../../machines/account/types.js';
import { lawsOf, type Moment, tagLaws } from './walks.js';

type Context = AccountContext;

const keyOf = ({ external, stored }: Context): string | null => {
  const account = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
  return account === null ? null : `${account.accountId ?? ''}#${account.generation}`;
};
const responded = ({ was, is }: Moment<Context>): boolean => is.response !== was.response;
const ticketIn = ({ event }: Moment<Context>): number =>
  typeof event.ticket === 'number' ? event.ticket : 0;
const entered = ({ from, to }: Moment<Context>, state: string): boolean =>
  to.includes(state) && !from.includes(state);
/** The reason of a failure that an actor reported. */
const failureIn = ({ output }: Moment<Context>['event']): string | undefined =>
  (output as { readonly failure?: { readonly reason: string } } | undefined)?.failure?.reason;
const BUSY = ['auth.chatgpt.refreshing', 'auth.external.requesting', 'auth.storingApiKey', 'auth.signingOut'];

lawsOf<Context>('account', [
  ...tagLaws({
    busy: BUSY,
    refreshing: ['auth.chatgpt.refreshing', 'auth.external.requesting'],
    signingIn: ['login.signingIn'],
    opening: ['login.signingIn.opening'],
    saved: ['login.signingIn.saving', 'login.signingIn.awaitingSuccess', 'login.signingIn.completing'],
    looking: ['routing.looking'],
  }),
  {
    title: 'ACC-26: there is a sign-in in context exactly while one is in progress',
    holds: ({ to, is }) => (is.login !== null) === to.includes('login.signingIn'),
  },
  {
    title: 'ACC-24: a sign-in that ends leaves its result, or the error of a request that could not start it',
    when: ({ from, to }) => from.includes('login.signingIn') && !to.includes('login.signingIn'),
    holds: ({ was, is, from }) =>
      is.endedLogin?.loginId === was.login?.id || from.includes('login.signingIn.opening'),
  },
  {
    title: 'ACC-24: clients are notified once of each sign-in that ended',
    when: ({ was, is }) => is.endedLogin !== was.endedLogin,
    holds: ({ did }) => did.filter((name) => name.startsWith('notify')).length === 1,
  },
  {
    title: 'ACC-70: whatever ends a sign-in closes its callback server',
    when: ({ from, to }) => from.includes('login.signingIn') && !to.includes('login.signingIn'),
    holds: ({ did }) => did.includes('closeLogin'),
  },
  {
    title: 'ACC-55: after a sign-out that worked, no external tokens remain',
    when: ({ is, was }) => is.decision !== was.decision && is.decision.reason === 'signedOut',
    holds: ({ is, to }) => is.external === null && !to.includes('auth.external'),
  },
  {
    title: 'ACC-35: external tokens are in use exactly while there are some',
    when: ({ to }) => !BUSY.some((state) => to.includes(state)),
    holds: ({ to, is }) => to.includes('auth.external') === (is.external !== null),
  },
  {
    title: 'ACC-54: what is expired belongs to the stored tokens, or to none in use',
    when: ({ to }) => to.includes('auth.chatgpt.ready'),
    holds: ({ is }) =>
      is.expired === null ||
      is.stored.kind !== 'chatgpt' ||
      is.expired.generation !== is.stored.account.generation,
  },
  {
    title: 'ACC-54: other tokens take the mark of expired ones away',
    when: ({ event, was, is }) =>
      event.type === 'STORED.CHANGED' &&
      is.stored !== was.stored &&
      (is.stored.kind !== 'chatgpt' || is.stored.account.generation !== was.expired?.generation),
    holds: ({ is }) => is.expired === null,
  },
  {
    title: 'ACC-60: a known workspace belongs to the tokens in use, and another account knows none',
    holds: ({ is, to }) =>
      to.includes('routing.known')
        ? is.workspace !== null && is.workspaceAccountKey === keyOf(is)
        : is.workspace === null,
  },
  {
    title: 'ACC-60: without a lookup, nothing of an earlier one is left',
    when: ({ to }) => to.includes('routing.unknown'),
    holds: ({ is }) =>
      is.workspace === null && is.workspaceFailure === null && is.workspaceAccountKey === null,
  },
  {
    title: 'what an actor reports as failed is the decision, so that status can say it',
    when: ({ event }) => failureIn(event) !== undefined,
    holds: ({ event, is }) => is.decision.reason === failureIn(event),
  },
  {
    title: 'an error of an adapter is the decision, except of the success page, which is no failure',
    when: ({ event, actor }) => event.type.startsWith('xstate.error.actor.') && actor !== 'awaitSuccessPage',
    holds: ({ is }) => is.decision.reason === 'engineFault',
  },
  {
    title: 'RC-112: a limit of a request is the decision',
    when: ({ event, words }) =>
      event.type.startsWith('xstate.after.accountLimit') && !words.includes(' and '),
    holds: ({ is }) => is.decision.reason === 'accountTimeout',
  },
  {
    title: 'a change of the stored sign-in while nothing is requested is the decision',
    when: ({ event, from }) =>
      event.type === 'STORED.CHANGED' &&
      !BUSY.some((state) => from.includes(state)) &&
      !from.includes('auth.external'),
    holds: ({ event, is }) => is.stored === event.stored && is.decision.reason === 'authChanged',
  },
  {
    title: 'ACC-26: a sign-in that displaces another one has its own id and ticket',
    when: ({ event, from, to, is, was }) =>
      ['LOGIN.BROWSER', 'LOGIN.DEVICE'].includes(event.type) &&
      from.includes('login.signingIn') &&
      to.includes('login.signingIn') &&
      is.login !== was.login,
    holds: ({ event, is, was, did }) =>
      is.login?.id === event.loginId &&
      is.endedLogin?.loginId === was.login?.id &&
      did.includes('notifyDisplaced') &&
      (is as unknown as { ticket: { login: number } }).ticket.login === event.ticket,
  },
  {
    title: 'a request that is answered at once gets the response with its ticket',
    when: (moment) => responded(moment) && ticketIn(moment) !== 0,
    holds: (moment) => moment.is.response?.ticket === ticketIn(moment),
  },
  {
    title: 'a request that is worked on gets one response, when the work ends',
    when: ({ from, to, actor }) =>
      actor !== null &&
      BUSY.some((state) => from.includes(state)) &&
      !BUSY.some((state) => to.includes(state)),
    holds: responded,
  },
  {
    title:
      'a request to open a sign-in gets its response when the address or code is known, or cannot be had',
    when: ({ from, to, actor, event }) =>
      (actor === 'login' || event.type === 'SIGN_IN.OPENED') &&
      from.includes('login.signingIn.opening') &&
      !to.includes('login.signingIn.opening'),
    holds: (moment) =>
      responded(moment) && (moment.is.response?.kind === 'done') === moment.to.includes('login.signingIn'),
  },
  {
    title: 'every request gets a response at once, or is worked on',
    when: (moment) => ticketIn(moment) !== 0,
    holds: (moment) =>
      responded(moment) ||
      BUSY.some((state) => entered(moment, state)) ||
      moment.to.some((state) => BUSY.includes(state) || /opening|requesting/.test(state)),
  },
]);
