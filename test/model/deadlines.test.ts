/**
 * Each state that waits for an outside answer has a deadline. A state waits for as long as its chart rests in it, so each
 * state in which a chart can rest needs an `after` of its own or of an ancestor, or an entry in the list of exceptions.
 */
import { describe, expect, it } from 'vitest';
import { type AnyActorLogic, type AnyStateMachine, type AnyStateNode, StateMachine } from 'xstate';
import { authorizedRequestTakes, CALL_LIMITS } from '../../machines/shared/deadlines.js';
import { DEFAULT_ACCOUNT_TIMING } from '../../src/account/timing.js';
import { CHARTS } from '../../src/engine/charts.js';
import { DEFAULT_TIMING, SYSTEM_ENV } from '../../src/protocol/timing.js';
import { toChart } from '../../src/visualize/chart.js';

const USER = 'It waits for a person, who may come at any time.';
const REST = 'Nothing is requested, so no answer is awaited; the next request leads out of it.';
const IN_LOGIN = 'The chart login runs meanwhile and has the deadlines of its steps.';
const SERVES = 'The peer is served; it says something when it wants to.';

/** States without a deadline, each with its reason. */
const WITHOUT_DEADLINE: Readonly<Record<string, string>> = {
  'engine.idle': USER,
  'engine.opening.awaitingDecision':
    'The chart remoteControl decides, with its deadlines; over stdio it waits for a client, which may never come. RC-45',
  'engine.running': SERVES,
  'remoteControl.idle': USER,
  'remoteControl.awaitingClientName.toEnable': 'It waits for the first client, which may never come. RC-45',
  'remoteControl.awaitingClientName.toResolve': 'It waits for the first client, which may never come. RC-45',
  link: 'The adapter of the open socket runs as long as the link. Its states have deadlines for pongs and for the close.',
  'link.up.life.oldEnough': 'The region liveness ends a link whose pongs stay away.',
  'link.up.life.stable': 'The region liveness ends a link whose pongs stay away.',
  'virtualClient.open': 'A sweep over all clients ends those that say nothing. RC-34',
  'pairing.unpaired': USER,
  'pairing.claimed': USER,
  'pairing.expired': USER,
  tokenRenewal:
    'The adapter reports the state of the link for as long as the renewal lasts; it does not answer.',
  'clientSession.open.conversation.arrived': 'What opens the app-server connection is decided at once.',
  'clientSession.open.conversation.initializing': 'The chart appServer has a timer for each initialize.',
  'clientSession.open.conversation.initializingLate': 'The chart appServer has a timer for each initialize.',
  'clientSession.open.conversation.initialized': SERVES,
  'clientSession.open.conversation.served': SERVES,
  'clientSession.open.appServer.ready': SERVES,
  'clientSession.open.client.reading': SERVES,
  'clientSession.open.intake.flowing': SERVES,
  'clientSession.open.intake.paused': 'It lasts as long as the app server or the client is slow.',
  'clientSession.open.intake.ended':
    'The chart stdioConnection has the deadlines after the end of the input. RC-77',
  'clientSession.ending': 'The adapter sends the errors and closes the session at once.',
  'listenerConnection.authorizing': 'The upgrade server ends a handshake that is too slow. WSA-16',
  'listenerConnection.open': 'A sweep sends SILENT, without a timer per client. RC-86',
  'stdioConnection.serving': SERVES,
  'account.auth.signedOut': USER,
  'account.auth.apiKey': REST,
  'account.auth.chatgpt.ready': REST,
  'account.auth.chatgpt.expired': USER,
  'account.auth.external.ready': REST,
  'account.login.idle': USER,
  'account.login.signingIn.opening': IN_LOGIN,
  'account.login.signingIn.waiting': IN_LOGIN,
  'account.login.signingIn.exchanging': IN_LOGIN,
  'account.login.signingIn.saving': IN_LOGIN,
  'account.login.signingIn.awaitingSuccess': IN_LOGIN,
  'account.login.signingIn.completing': IN_LOGIN,
  'account.routing.off': 'It is the end of this region when routing is off.',
  'account.routing.unknown': REST,
  'account.routing.known': REST,
  'account.routing.failed': REST,
  'authRecovery.managed.toReload': 'The caller repeats its request and sends NEXT when it is refused again.',
  'authRecovery.managed.toRefresh': 'The caller repeats its request and sends NEXT when it is refused again.',
  'authRecovery.external.ready': 'The caller repeats its request and sends NEXT when it is refused again.',
  'authRecovery.exhausted': 'No step is left. The caller stops the actor.',
  'tokenSaving.saved': REST,
  'tokenSaving.refused': REST,
  'controllerLink.offline.patience.lost': 'All local connections are closed; the region attempts continues.',
  'appServer.idle': REST,
  'appServer.starting.connecting': 'Each initialize has a timer of its own, INITIALIZE.OVERDUE.',
  'appServer.serving.perClient': SERVES,
  'appServer.failing.recent': 'A timer that began with the first failure sends WINDOW.OVER.',
  'appServer.failing.old': 'It waits for the next client, which is the next attempt.',
  'appServer.down.probing': 'It waits for the next client, which is the next attempt.',
  'appServer.down.trying': 'The initialize of the probe has a timer of its own, INITIALIZE.OVERDUE.',
  'appServerAccount.idle': REST,
  'appServerAccount.following.settled': SERVES,
  'appServerAccount.separate': REST,
  'hubNode.serving': SERVES,
  'hubNode.degraded': 'The client of the broker connects again, for ever.',
};

/** Deadlines that record no reason, because another one has been recorded and stays. */
const WITHOUT_REASON: Readonly<Record<string, string>> = {
  'hubNode.starting': 'The chart has no reasons: the host reports the error of the start.',
  'hubNode.draining': 'The chart has no reasons; the node stops in any case.',
  'hubNode.closing': 'The chart has no reasons; the node stops in any case.',
  'hubNode.undoing': 'The chart has no reasons: the host reports the error of the start.',
  'homeLock.releasing': 'The reason of the refusal stays.',
  'remoteControl.stopping': 'The reason of the stop stays.',
  'login.browser.opening.asking':
    'Whether the other program answers changes nothing: the port is tried again.',
  'login.device.polling': 'The issuer is asked again. ACC-110',
  'login.awaitingSuccess': 'The sign-in has succeeded; only a page was not loaded. ACC-111',
  'accountTokens.signingOut.revoking': 'Whether the issuer answers changes nothing: the sign-out continues.',
  'accountTokens.releasing': 'The outcome of the change stays.',
  'appServerAccount.restarting.signingOutAgent': 'The reason of the restart stays.',
  'appServerAccount.restarting.ending': 'The reason of the restart stays.',
};

interface Resting {
  readonly machine: AnyStateMachine;
  readonly node: AnyStateNode;
}

const nodesOf = (node: AnyStateNode): AnyStateNode[] => [
  node,
  ...Object.values(node.states).flatMap((child) => nodesOf(child)),
];

const logicOf = (machine: AnyStateMachine, src: unknown): AnyActorLogic | undefined =>
  typeof src === 'string'
    ? (machine.implementations.actors as Readonly<Record<string, AnyActorLogic | undefined>>)[src]
    : undefined;

/** The state invokes an adapter. An invoked chart has deadlines of its own. */
const callsAdapter = ({ machine, node }: Resting): boolean =>
  node.invoke.some(({ src }) => !(logicOf(machine, src) instanceof StateMachine));

const callsChart = ({ machine, node }: Resting): boolean =>
  node.invoke.some(({ src }) => logicOf(machine, src) instanceof StateMachine);

/** What runs while a chart is in a state: its own actors, and those of the states around it. */
const invokesAround = (node: AnyStateNode): AnyStateNode['invoke'] => [
  ...node.invoke,
  ...(node.parent === undefined ? [] : invokesAround(node.parent)),
];

/** The chart leaves the state at once. */
const isPassed = ({ always }: AnyStateNode): boolean =>
  always?.some(({ guard, target }) => guard === undefined && target !== undefined) ?? false;

/** Where a chart rests: the states without children, and those that call an adapter. */
const resting: readonly Resting[] = Object.values(CHARTS).flatMap((machine) =>
  nodesOf(machine.root)
    .map((node): Resting => ({ machine, node }))
    .filter(({ node }) => node.type !== 'final' && node.type !== 'history' && !isPassed(node))
    .filter((at) => (at.node.type === 'atomic' && !callsChart(at)) || callsAdapter(at)),
);

const hasDeadline = (node: AnyStateNode): boolean =>
  node.after.length > 0 || (node.parent !== undefined && hasDeadline(node.parent));

/** The outermost state with a deadline around a state, whose time includes that of all states in it; else the state. */
const limitedBy = (node: AnyStateNode): AnyStateNode => {
  const around = node.parent === undefined ? node : limitedBy(node.parent);
  return around.after.length > 0 ? around : node;
};

const firstOf = (node: AnyStateNode): AnyStateNode => {
  const first = node.initial?.target[0];
  return first === undefined ? node : firstOf(first);
};

/** Where a chart may go from a state, or from one in it or around it. */
const nextOf = (node: AnyStateNode): AnyStateNode[] => {
  const around: AnyStateNode[] = [];
  for (let at = node.parent; at !== undefined; at = at.parent) around.push(at);
  const edges = [...around, ...nodesOf(node)].flatMap((one) => [
    ...[...one.transitions.values()].flat(),
    ...(one.always ?? []),
  ]);
  return edges.flatMap(({ target }) => target ?? []).map((target) => limitedBy(firstOf(target)));
};

/**
 * The longest time that a chart can take when each state takes as long as its deadline allows, each state once.
 * @param without Top-level states that are not on the way.
 */
function longestTime(machine: AnyStateMachine, context: unknown, without: readonly string[]): number {
  const timeOf = (node: AnyStateNode): number =>
    Math.max(
      0,
      ...node.after.map(({ delay }) => {
        const defined = machine.implementations.delays[delay as never] as unknown;
        const time = typeof defined === 'function' ? (defined({ context }) as unknown) : (defined ?? delay);
        return typeof time === 'number' ? time : Number.NaN;
      }),
    );
  const from = (node: AnyStateNode, before: readonly AnyStateNode[]): number =>
    timeOf(node) +
    Math.max(
      0,
      ...nextOf(node)
        .filter((next) => next !== node && !before.includes(next) && !without.includes(next.path[0] ?? ''))
        .map((next) => from(next, [...before, node])),
    );
  return from(limitedBy(firstOf(machine.root)), []);
}

describe('limits that contain others', () => {
  const { lockTimeout, issuerTimeout } = DEFAULT_ACCOUNT_TIMING;

  it.each([
    // Reload, lock, reload, prepare, redeem, save, release.
    ['a refresh', ['signingOut', 'removing', 'writing'], [10, 45, 10, 10, 35, 60, 5]],
    // Revoke, look up, lock, delete, release.
    ['a sign-out', ['reloading', 'refreshing', 'writing'], [30, 10, 45, 60, 5]],
    // Lock, write, release.
    ['a write', ['reloading', 'refreshing', 'signingOut', 'removing'], [45, 60, 5]],
  ])('RC-112: all steps of %s fit into the limit of a call of the account', (_, without, seconds) => {
    const context = { env: SYSTEM_ENV, lockTimeout, issuerTimeout };
    const time = longestTime(CHARTS.accountTokens, context, without);
    expect(time / 1_000).toBe(seconds.reduce((sum, one) => sum + one, 0));
    expect(time).toBeLessThan(CALL_LIMITS.account);
  });

  it('RC-112: a call that contains another one has the longer limit', () => {
    const { account, recoveryStep, recovery } = CALL_LIMITS;
    expect(account).toBeLessThan(recoveryStep);
    expect(recoveryStep).toBeLessThan(recovery);
    const { requestTimeout } = DEFAULT_TIMING;
    // It may wait for another request, and both may refresh the tokens of the account.
    expect(2 * requestTimeout + 2 * account).toBeLessThan(authorizedRequestTakes(DEFAULT_TIMING));
  });
});

describe('deadlines', () => {
  it('each state that waits has one, or a reason why it has none', () => {
    const without = resting.filter(({ node }) => !hasDeadline(node)).map(({ node }) => node.id);
    expect(without.filter((id) => WITHOUT_DEADLINE[id] === undefined)).toEqual([]);
  });

  it('each exception is a state that waits without a deadline', () => {
    const without = new Set(resting.filter(({ node }) => !hasDeadline(node)).map(({ node }) => node.id));
    expect(Object.keys(WITHOUT_DEADLINE).filter((id) => !without.has(id))).toEqual([]);
  });

  it('a state excused because nothing is requested, or a person is awaited, calls nobody', () => {
    const excused = resting.filter(({ node }) => [USER, REST].includes(WITHOUT_DEADLINE[node.id] ?? ''));
    expect(excused.length).toBeGreaterThan(10);
    const calling = excused.filter(({ node }) => invokesAround(node).length > 0);
    expect(calling.map(({ node }) => node.id)).toEqual([]);
  });

  it('a state excused because another chart has the deadlines names a chart, and runs it where it says so', () => {
    const reasons = Object.entries(WITHOUT_DEADLINE);
    const named = reasons.flatMap(([id, why]) =>
      [...why.matchAll(/\bchart (\w+)/g)].map(([, chart]) => ({ id, chart })),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ chart }) => chart === undefined || !(chart in CHARTS))).toEqual([]);
    const inLogin = resting.filter(({ node }) => WITHOUT_DEADLINE[node.id] === IN_LOGIN);
    expect(inLogin.length).toBeGreaterThan(0);
    const alone = inLogin.filter(
      ({ machine, node }) =>
        !invokesAround(node).some(
          ({ src }) => logicOf(machine, src) instanceof StateMachine && String(src) === 'login',
        ),
    );
    expect(alone.map(({ node }) => node.id)).toEqual([]);
  });

  it('RC-112: a state that calls an adapter says why its deadline ends it', () => {
    const charts = new Map(Object.values(CHARTS).map((machine) => [machine.id, toChart(machine)]));
    const calling = resting
      .filter(callsAdapter)
      .flatMap(({ machine, node }) =>
        (charts.get(machine.id)?.edges ?? [])
          .filter(({ source, trigger }) => source === node.id && trigger.kind === 'after')
          .map((edge) => ({ edge, node })),
      );
    expect(calling.length).toBeGreaterThan(20);
    // An action that records a failure finds the reason in the event.
    const silent = calling.filter(
      ({ edge }) =>
        edge.reasons.length === 0 && !edge.actions.some((name) => /^(record|fallBack)/.test(name)),
    );
    expect(silent.map(({ node }) => node.id).filter((id) => WITHOUT_REASON[id] === undefined)).toEqual([]);
    expect(silent.map(({ node }) => node.id).sort()).toEqual(Object.keys(WITHOUT_REASON).sort());
  });
});
