/** What must hold whatever happens outside the engine. */
import type { AnyStateNode, SnapshotFrom } from 'xstate';
import type { pairingMachine } from '../../../machines/pairing.js';
import { isWired, type Request, wireOf } from '../wiring.js';
import { type Charts, ProductBoard, requestsOf } from './board.js';
import { type EngineLeg, type EngineNode, type EngineWorld, remoteControlOf } from './engine-world.js';
import type { Law, OutsideAct } from './search.js';

type PairingSnapshot = SnapshotFrom<typeof pairingMachine>;

/**
 * States that wait for a person, or for the next request of another chart, and so need no delay and no answer. In
 * `awaitingAuth.missing` and `waitingForAccount` the engine looks for a sign-in each second.
 */
export const WAITS: readonly string[] = [
  ...[
    'remoteControl.idle',
    'remoteControl.awaitingClientName.toEnable',
    'remoteControl.awaitingClientName.toResolve',
  ],
  ...['remoteControl.active.awaitingAuth.missing', 'remoteControl.resolvingPreference.waitingForAccount'],
  ...[
    'pairing.unpaired',
    'pairing.claimed',
    'pairing.expired',
    'account.auth.signedOut',
    'account.auth.apiKey',
    'account.auth.chatgpt.ready',
  ],
  ...['account.auth.chatgpt.expired', 'account.auth.external.ready', 'account.login.idle'],
  ...['account.routing.off', 'account.routing.unknown', 'account.routing.known', 'account.routing.failed'],
  ...['authRecovery.managed.toReload', 'authRecovery.managed.toRefresh', 'authRecovery.external.ready'],
  'authRecovery.exhausted',
];

export function engineLaws(charts: Charts): readonly Law<EngineWorld>[] {
  return [
    { name: 'no deadlock', stuck: (node, acts) => deadlockIn(charts, node, acts) },
    { name: 'a token never outlives its identity', broken: tokenWithoutIdentity },
    { name: 'a pairing code belongs to the identity in use', broken: codeOfAnotherIdentity },
    { name: 'disable always ends in idle', broken: notIdleAfterDisable },
    { name: 'one enrollment at a time', broken: (leg) => secondEnrollment(charts, leg) },
  ];
}

// --- no deadlock

function deadlockIn(
  charts: Charts,
  { situation }: EngineNode,
  acts: readonly OutsideAct<EngineWorld>[],
): string | undefined {
  const board = new ProductBoard(charts, situation);
  const offered = new Set(acts.map(({ words }) => words.split(':')[0]));
  const isAnswered = (request: Request, seen: ReadonlySet<string>): boolean => {
    if (!isWired(board, charts.wiring, request)) return offered.has(request.src);
    const wire = wireOf(charts.wiring, request);
    return (wire?.by ?? wire?.needs ?? []).some(
      (chart) => !seen.has(chart) && works(chart, new Set([...seen, chart])),
    );
  };
  /** Something outside or a delay moves the chart. */
  const works = (chart: string, seen: ReadonlySet<string>): boolean => {
    const position = situation.positions.get(chart);
    if (position === undefined) return false;
    if (position.snapshot.status !== 'active' || position.timers.length > 0) return true;
    return requestsOf(chart, position).some((request) => isAnswered(request, seen));
  };
  for (const [chart, position] of situation.positions) {
    if (position.snapshot.status !== 'active') continue;
    const requests = requestsOf(chart, position);
    for (const leaf of position.snapshot._nodes) {
      if (leaf.type !== 'atomic' || WAITS.includes(leaf.id)) continue;
      const around = nodesAround(leaf);
      const hasDelay = position.timers.some(({ event }) =>
        event.type.startsWith('xstate.after.')
          ? around.some(({ id }) => event.type.endsWith(`.${id}`))
          : true,
      );
      const ids = new Set(around.flatMap(({ invoke }) => invoke.map(({ id }) => id)));
      const isAsked = requests.some(
        (request) => ids.has(request.id) && isAnswered(request, new Set([chart])),
      );
      if (!hasDelay && !isAsked) return `${leaf.id} waits for nothing: no delay runs, and nobody was asked.`;
    }
  }
  return undefined;
}

function nodesAround(leaf: AnyStateNode): AnyStateNode[] {
  const around: AnyStateNode[] = [];
  for (let node: AnyStateNode | undefined = leaf; node !== undefined; node = node.parent) around.push(node);
  return around;
}

// --- token and identity

function tokenWithoutIdentity({ after }: EngineLeg): string | undefined {
  const context = remoteControlOf(after)?.context;
  if (context === undefined || context.token === null) return undefined;
  const { enrollment, token, lostServerId } = context;
  if (typeof enrollment === 'string') return `There is a server token and no identity (${enrollment}).`;
  const owner = token.secret.reveal();
  if (owner !== enrollment.serverId) return `The token of ${owner} is used for ${enrollment.serverId}.`;
  if (lostServerId === owner)
    return `The token of ${owner} is kept, although the backend does not know ${owner}.`;
  return undefined;
}

function codeOfAnotherIdentity({ after }: EngineLeg): string | undefined {
  const pairing = after.situation.positions.get('pairing')?.snapshot as PairingSnapshot | undefined;
  const enrollment = remoteControlOf(after)?.context.enrollment;
  const code = pairing?.matches('codeShown') === true ? pairing.context.code : null;
  if (code === null) return undefined;
  const inUse = typeof enrollment === 'object' ? enrollment.environmentId : 'none';
  return code.environmentId === inUse
    ? undefined
    : `The code of environment ${code.environmentId} is shown, and the one in use is ${inUse}.`;
}

// --- disable

function notIdleAfterDisable({ after }: EngineLeg): string | undefined {
  const snapshot = remoteControlOf(after);
  if (after.world.wanted === 'on' || snapshot === undefined || snapshot.status !== 'active') return undefined;
  if (snapshot.matches('idle') || snapshot.matches('stopping')) return undefined;
  return `Remote control was disabled and is in ${JSON.stringify(snapshot.value)}.`;
}

// --- enrollment

function secondEnrollment(charts: Charts, { before, after, steps }: EngineLeg): string | undefined {
  const running = new ProductBoard(charts, after.situation).requests().filter(({ src }) => src === 'enroll');
  if (running.length > 1) return `${running.length} requests to enroll are in progress.`;
  const started = steps.some(({ move }) =>
    move.effects.some(({ kind, value }) => kind === 'start' && Array.isArray(value) && value[0] === 'enroll'),
  );
  if (!started) return undefined;
  const context = remoteControlOf(after)?.context;
  const previous = remoteControlOf(before)?.context;
  if (context === undefined || context.account?.accountId !== previous?.account?.accountId) return undefined;
  const known = context.account === null ? undefined : after.world.store[context.account.accountId];
  const inUse = typeof context.enrollment === 'string' ? known : context.enrollment;
  if (inUse === undefined || after.world.gone.includes(inUse.serverId)) return undefined;
  return `It enrolls again, although it has the identity ${inUse.serverId}, which the backend knows.`;
}
