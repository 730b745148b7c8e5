const LAST_EDGE = 'The last edge of this event has no guard, the same target and the same action.';

/** Mutants that do the same as the chart, by chart and id, each with its reason. They are not counted. */
export const EQUIVALENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  authRecovery: {
    'swap authRecovery.start always 0 and 1': 'The mode is one of both: the guards never hold together.',
    'drop authRecovery.managed.refreshing xstate.done.actor.refresh 0': LAST_EDGE,
    'drop authRecovery.external.requesting xstate.done.actor.requestExternalTokens 0': LAST_EDGE,
    'action authRecovery.managed.toReload NEXT 0 0 clearOutcome':
      'It is the first step, so that there is no outcome that could be cleared.',
  },
  pairing: {
    'action pairing.starting RESET 0 0 clearCode':
      'A request clears the code at its start, so that there is none.',
  },
};
