/** Planted faults of the identity and its token. */
import type { Planted } from './planted.js';

const ENROLLMENT = 'machines/remote-control/enrollment.ts';
const LINK = 'machines/remote-control/link.ts';
const SETUP = 'machines/remote-control/setup.ts';
const SERVICE = 'src/remote-control/service.ts';

export const IDENTITY_FAULTS: readonly Planted[] = [
  {
    name: 'identity-cleared-first',
    what: 'the old identity is deleted from the store before a new one is granted',
    patches: [
      {
        file: SERVICE,
        find: 'this.#deps.counters.enrollRequests += 1;',
        replace: 'this.#deps.counters.enrollRequests += 1;\n      await this.#deps.store.clearAll();',
      },
    ],
  },
  {
    name: 'identity-used-before-stored',
    what: 'a new identity connects before it is written',
    patches: [
      {
        file: ENROLLMENT,
        find: "target: 'persisting', actions: ['assignGrant', setReason('enrolled')] }",
        replace:
          "target: '#remoteControl.active.connecting', actions: ['assignGrant', setReason('enrolled')] }",
      },
    ],
  },
  {
    name: 'enrolls-again-when-not-stored',
    what: 'when the store fails, another identity is requested',
    patches: [
      { file: ENROLLMENT, find: "after: { pause: 'persisting' }", replace: "after: { pause: 'requesting' }" },
    ],
  },
  {
    name: 'any-404-is-gone',
    what: 'an ambiguous 404 counts as the loss of the identity',
    patches: [
      {
        file: LINK,
        find: "        guard: 'ambiguousNotFound',\n        target: 'verifyingEnrollment',",
        replace: "        guard: 'ambiguousNotFound',\n        target: 'reenrolling',",
      },
    ],
  },
  {
    name: 'read-error-is-empty-store',
    what: 'a store that cannot be read counts as an empty one',
    patches: [
      {
        file: ENROLLMENT,
        find: "{ guard: 'none', target: '#remoteControl.active.enrolling', actions: 'assignEnrollment' },\n          { target: '#remoteControl.active.backingOff.failed', actions: 'recordFailure' },",
        replace: "{ target: '#remoteControl.active.enrolling', actions: 'assignEnrollment' },",
      },
    ],
  },
  {
    name: 'conflict-reenrolls',
    what: 'a 409 leads to a new identity at once',
    patches: [
      {
        file: LINK,
        find: "        target: 'backingOff.handover',",
        replace: "        target: 'reenrolling',",
      },
    ],
  },
  {
    name: 'refused-token-kept',
    what: 'a token that the backend refused is used again',
    patches: [
      { file: LINK, find: "  entry: 'clearToken',\n  on: retryEarly,", replace: '  on: retryEarly,' },
    ],
  },
  {
    name: 'token-outlives-identity',
    what: 'the token of the former identity is used with the new one',
    patches: [
      {
        file: SETUP,
        find: "'enrollment' in got ? { enrollment: got.enrollment, token: got.token }",
        replace: "'enrollment' in got ? { enrollment: got.enrollment, token: context.token ?? got.token }",
      },
      {
        file: SETUP,
        find: 'assignGrant: assign(({ event }) => {',
        replace: 'assignGrant: assign(({ context, event }) => {',
      },
      {
        file: ENROLLMENT,
        find: "entry: ['clearToken', 'markIdentityLost']",
        replace: "entry: ['markIdentityLost']",
      },
    ],
  },
  {
    name: 'identity-of-other-account',
    what: 'after a change of the account, the identity and token of the former one stay',
    patches: [{ file: SETUP, find: '...(isOther(context, account) ? NOTHING_KNOWN : {}),', replace: '' }],
  },
  {
    name: 'sign-out-ignored',
    what: 'the link stays after the person has signed out or changed the account',
    patches: [
      {
        file: 'src/engine/engine.ts',
        find: "account.watch((changed) => actor.send({ type: 'AUTH.CHANGED', account: changed }));",
        replace: 'account.watch(() => {});',
      },
    ],
  },
  {
    name: 'expired-token-used',
    what: 'the end of the life of a server token is not noticed',
    patches: [
      {
        file: 'machines/remote-control/guards.ts',
        find: 'tokenEndsWithin(context, context.timing.refreshRequired) ||',
        replace: 'context.token === null ||',
      },
      {
        file: 'machines/remote-control/guards.ts',
        find: '(tokenEndsWithin(context, context.timing.refreshProactive) &&',
        replace: '(context.token === null &&',
      },
    ],
  },
];
