const LAST_EDGE = 'The last edge of this event has no guard, the same target and the same action.';
const EXCLUSIVE = 'Both guards read one value, so that they never hold together.';

/** Mutants that do the same as the chart, by chart and id, each with its reason. They are not counted. */
export const EQUIVALENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  authRecovery: {
    'swap authRecovery.start always 0 and 1': 'The mode is one of both: the guards never hold together.',
    'drop authRecovery.managed.refreshing xstate.done.actor.refresh 0': LAST_EDGE,
    'drop authRecovery.external.requesting xstate.done.actor.requestExternalTokens 0': LAST_EDGE,
    'action authRecovery.managed.toReload NEXT 0 0 clearOutcome':
      'It is the first step, so that there is no outcome that could be cleared.',
  },
  websocketAuth: {
    'swap websocketAuth.requestCheck always 0 and 1': EXCLUSIVE,
    'swap websocketAuth.requestCheck always 1 and 2': EXCLUSIVE,
    'swap websocketAuth.requestCheck always 2 and 3': EXCLUSIVE,
    'swap websocketAuth.admission always 0 and 1': EXCLUSIVE,
    'swap websocketAuth.admission always 1 and 2': EXCLUSIVE,
    'swap websocketAuth.admission always 2 and 3': EXCLUSIVE,
    'swap websocketAuth.credential.mode always 0 and 1': EXCLUSIVE,
    'swap websocketAuth.credential.mode always 1 and 2': EXCLUSIVE,
    'swap websocketAuth.credential.mode always 2 and 3': EXCLUSIVE,
    'swap websocketAuth.credential.capability always 0 and 1': EXCLUSIVE,
    'swap websocketAuth.credential.signedBearer.signature always 0 and 1': EXCLUSIVE,
    'entry websocketAuth.rejected 0 setOutcome(rejected)':
      'The chart starts with this outcome, because it fails closed; the action says so once more.',
  },
  pairing: {
    'action pairing.starting RESET 0 0 clearCode':
      'A request clears the code at its start, so that there is none.',
  },
};
