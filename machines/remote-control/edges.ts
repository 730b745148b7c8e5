/** Edges that many states of the chart `remoteControl` have in common. */
import { setReason } from '../shared/decision.js';

export const tryAgain = {
  pause: { target: '#remoteControl.active.preparing', actions: setReason('retrying') },
} as const;

/** What ends an ordinary pause before its time. A Retry-After is not one: `preparing` goes back to it. RC-25 */
export const cutShort = {
  'AUTH.CHANGED': {
    guard: 'sameAccount',
    target: '#remoteControl.active.preparing',
    description: 'A newer sign-in of this account.',
    actions: ['keepAccount', setReason('authChanged')],
  },
  ENABLE: { target: '#remoteControl.active.preparing', actions: ['noteWish', setReason('enabled')] },
  WAKE: {
    target: '#remoteControl.active.preparing',
    description: 'The machine woke up: try again at once. RC-25a',
    actions: setReason('wokeUp'),
  },
} as const;
