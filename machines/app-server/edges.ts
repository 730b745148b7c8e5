/** Transitions that several states of the chart `appServer` have. */

export const FAILURE_ACTIONS = [
  'stopInitializeTimer',
  'recordFailure',
  'countFailure',
  'startWindow',
] as const;
const BREAKER_ACTIONS = ['stopInitializeTimer', 'recordBreaker', 'countFailure', 'startWindow'] as const;

/** The shared child failed: a pause, or after too many failures none for now. */
export const afterSharedFailure = (description: string, ...more: 'retireChild'[]) =>
  [
    {
      guard: 'tooManyFailures',
      target: '#appServer.down',
      description: `${description} It is the fifth failure within a minute.`,
      actions: [...BREAKER_ACTIONS, ...more],
    },
    { target: '#appServer.backingOff', description, actions: [...FAILURE_ACTIONS, ...more] },
  ] as const;

/** The connection of one client failed, and no other client is served. */
export const afterClientFailure = (description: string) =>
  [
    {
      guard: 'tooManyFailures',
      target: '#appServer.down',
      description: `${description} It is the fifth failure within a minute.`,
      actions: [...BREAKER_ACTIONS],
    },
    { target: '#appServer.failing', description, actions: [...FAILURE_ACTIONS] },
  ] as const;

export const starved = {
  target: '#appServer.failing',
  description: 'The engine has no file descriptors; the failure does not count.',
  actions: ['recordFailure', 'startWindow'],
} as const;

export const answered = {
  target: '#appServer.serving.perClient',
  description: 'A client got an answer.',
  actions: ['stopInitializeTimer', 'setServing'],
} as const;

export const admit = { description: 'One more client connects.', actions: 'admitWaiting' } as const;

export const socketGone = {
  target: '#appServer.starting.relaunching',
  description: 'The old child serves its clients until the last one leaves; new clients get a new child.',
  actions: ['recordSocketGone', 'retireChild'],
} as const;

export const unreachable = {
  target: '#appServer.starting.confirming',
  description: 'A client could not connect: the child is about to exit, or its socket file is gone.',
} as const;

/** Targets the state itself: only a state that is entered again starts its timer again. */
export const checkSocket = <T extends string>(self: T) =>
  ({
    socketCheckInterval: {
      target: self,
      reenter: true,
      description: 'Checks whether the socket file still exists.',
      actions: 'checkSocket',
    },
  }) as const;
