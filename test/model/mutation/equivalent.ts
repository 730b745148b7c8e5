const LAST_EDGE = 'The last edge of this event has no guard, the same target and the same action.';
const EXCLUSIVE = 'Both guards read one value, so that they never hold together.';

const WINDOW_RUNS = 'The fifth failure comes within the minute that an earlier one began.';
const NO_CLIENT = 'The event names no client, so that there is no deadline that could end.';

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
    'swap websocketAuth.credential.queryTokenUnchecked always 2 and 3': EXCLUSIVE,
    'swap websocketAuth.credential.capability always 1 and 2': EXCLUSIVE,
    'swap websocketAuth.credential.signedBearer.signature always 1 and 2': EXCLUSIVE,
    'action websocketAuth.requestCheck always 4 0 setReason(malformedUpgrade)':
      'The chart starts with this reason, because it fails closed.',
    'entry websocketAuth.rejected 0 setOutcome(rejected)':
      'The chart starts with this outcome, because it fails closed; the action says so once more.',
  },
  account: {
    'swap account.auth.deciding always 2 and 3': EXCLUSIVE,
  },
  accountTokens: {
    'swap accountTokens.starting always 0 and 1': EXCLUSIVE,
    'swap accountTokens.locked always 0 and 1': EXCLUSIVE,
  },
  appServer: {
    'action appServer.idle FAILED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.starting.relaunching xstate.done.actor.relaunch 2 3 startWindow': WINDOW_RUNS,
    'action appServer.starting.relaunching xstate.after.listenTimeout.appServer.starting.relaunching 0 3 startWindow':
      WINDOW_RUNS,
    'action appServer.starting.confirming CHILD.EXITED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.starting.connecting FAILED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.listening FAILED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.listening CHILD.EXITED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.serving.perClient FAILED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.serving.shared FAILED 1 3 startWindow': WINDOW_RUNS,
    'action appServer.serving.shared CHILD.EXITED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.failing FAILED 0 3 startWindow': WINDOW_RUNS,
    'action appServer.starting.relaunching xstate.done.actor.relaunch 2 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.starting.relaunching xstate.done.actor.relaunch 3 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.starting.relaunching xstate.error.actor.relaunch 0 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.starting.relaunching xstate.after.listenTimeout.appServer.starting.relaunching 0 0 stopInitializeTimer':
      NO_CLIENT,
    'action appServer.starting.relaunching xstate.after.listenTimeout.appServer.starting.relaunching 1 0 stopInitializeTimer':
      NO_CLIENT,
    'action appServer.starting.confirming CHILD.EXITED 0 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.starting.confirming CHILD.EXITED 1 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.listening CHILD.EXITED 0 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.listening CHILD.EXITED 1 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.serving.shared CHILD.EXITED 0 0 stopInitializeTimer': NO_CLIENT,
    'action appServer.serving.shared CHILD.EXITED 1 0 stopInitializeTimer': NO_CLIENT,
  },
  pairing: {
    'action pairing.starting RESET 0 0 clearCode':
      'A request clears the code at its start, so that there is none.',
  },
};
