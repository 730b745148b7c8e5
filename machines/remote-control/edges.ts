/** Transitions that several waiting states of the chart `remoteControl` share. */
import { type OverdueReason, recordOverdue } from '../shared/deadlines.js';
import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';

/** What a state does when its adapter does not answer. RC-112 */
export const overdue = <T extends string>(target: T, reason: OverdueReason) =>
  ({
    target,
    description: 'There is no answer within the limit of the chart. RC-112',
    actions: recordOverdue(reason),
  }) as const;

export const retry = {
  pause: {
    target: '#remoteControl.active.preparing',
    description: 'The pause is over: tries again.',
    actions: setReason('retrying'),
    ...spine,
  },
} as const;

/** Events that end a pause early. They do not shorten a Retry-After, because `preparing` returns to it. RC-25 */
export const retryEarly = {
  'AUTH.CHANGED': {
    guard: 'sameAccount',
    target: '#remoteControl.active.preparing',
    description: 'A newer sign-in of this account arrived. RC-29',
    actions: ['assignAccount', setReason('authChanged')],
  },
  ENABLE: {
    target: '#remoteControl.active.preparing',
    description: 'A client enables it again: tries at once.',
    actions: ['assignPreference', 'clearUnresolved', setReason('enabled')],
  },
  WAKE: {
    target: '#remoteControl.active.preparing',
    description: 'The machine woke up: tries again at once. RC-25a',
    actions: setReason('wokeUp'),
  },
} as const;

/** Ends a pause early, but not one after an HTTP response. RC-109 */
export const retryAtNewNetwork = {
  'NETWORK.CHANGED': {
    guard: 'networkInDoubt',
    target: '#remoteControl.active.preparing',
    description:
      'The network addresses changed, and no response has shown that the network works: tries again. RC-109',
    actions: ['countNetworkCut', setReason('wokeUp')],
  },
} as const;
