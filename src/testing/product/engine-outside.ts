/** What the backend, the store, the account file and people can do in a situation. */
import type { ChatgptAccount, StoredAccount } from '../../protocol/account.js';
import type { Enrollment, ServerToken } from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import { DEFAULT_TIMING, type Env } from '../../protocol/timing.js';
import { notifyChanged } from '../charts/engine-wiring.js';
import { failure, type SimulatedEnv } from '../charts/model.js';
import { isWired, type Request } from '../wiring.js';
import { type Charts, NOTHING_RUNS, nextDelay, type Performer, ProductBoard } from './board.js';
import { WAITS } from './engine-laws.js';
import {
  type AccountSnapshot,
  type EngineAct,
  type EngineNode,
  type EngineWorld,
  type RemoteControlSnapshot,
  remoteControlOf,
} from './engine-world.js';

const HOUR = 3_600_000;
const MINUTE = 60_000;
/** Generations and server ids have their own alphabets, so that a key can rename them. */
const FIRST_GENERATION = 1_000;

/** `off`: remote control is off, and nothing is stored. `connected`: it is connected with a stored identity. */
export type EngineBeginning = 'off' | 'connected';

const ANNA: ChatgptAccount = {
  ...{ accountId: 'anna', generation: FIRST_GENERATION, email: null, plan: 'plus', userId: null },
};
const stored = (accountId: string, generation: number): StoredAccount => ({
  ...{ kind: 'chatgpt', source: 'file', ineligible: null },
  account: { ...ANNA, accountId, generation },
});
const NOBODY: StoredAccount = { kind: 'none', failure: failure('authMissing') };

const WAY_TO_A_LINK = [
  ...['a person enables', 'anna has no identity', 'enroll: granted', 'written', 'dial: open'],
] as const;

/** Starts the charts of an engine with the sign-in of anna. Remote control is off. */
export function startEngine(board: Performer, env: Env): void {
  const start = (chart: string, input: unknown) => board.perform({ kind: 'start', chart, input });
  const timing = DEFAULT_TIMING;
  start('account', {
    ...{ env, timing, policy: { forcedMethod: null, workspaces: null } },
    ...{ routing: false, limits: { loginTimeout: 600_000, issuerTimeout: 30_000, loginPorts: [1455] } },
  });
  board.send('account', { type: 'STORED.CHANGED', stored: stored('anna', FIRST_GENERATION) } as never);
  start('remoteControl', {
    ...{ env, timing, target: { ok: true, socketUrl: 'wss://backend.test/server' } },
    ...{ store: 'present', serverName: 'host', clientName: null, authStartup: 'recoverable' },
    onConflict: 'wait',
  });
  start('pairing', { env, timing });
  board.settle();
}

/** The world outside, which may do anything at any time. */
export class Outside {
  readonly #charts: Charts;
  readonly #env: SimulatedEnv;

  constructor(charts: Charts, env: SimulatedEnv) {
    this.#charts = charts;
    this.#env = env;
  }

  start(begin: EngineBeginning, eventsLeft: number): EngineNode {
    const board = new ProductBoard(this.#charts, NOTHING_RUNS);
    startEngine(board, this.#env);
    const world: EngineWorld = {
      ...{ store: {}, granted: 0, generations: 1, gone: [], wanted: 'off', eventsLeft: 1 },
    };
    let node: EngineNode = { situation: board.situation, world };
    for (const act of this.actsBefore(begin)) {
      const next = new ProductBoard(this.#charts, node.situation);
      act.perform(next);
      node = { situation: next.situation, world: act.world };
    }
    return { situation: node.situation, world: { ...node.world, eventsLeft } };
  }

  /** The acts from an engine that is off to the beginning of the search. */
  actsBefore(begin: EngineBeginning): EngineAct[] {
    if (begin === 'off') return [];
    const acts: EngineAct[] = [];
    let node = this.start('off', 1);
    for (const words of WAY_TO_A_LINK) {
      const act = this.acts(node).find((one) => one.words.includes(words));
      if (act === undefined) throw new Error(`The way to a link has no step "${words}".`);
      const board = new ProductBoard(this.#charts, node.situation);
      act.perform(board);
      node = { situation: board.situation, world: act.world };
      acts.push(act);
    }
    return acts;
  }

  acts(node: EngineNode): EngineAct[] {
    const board = new ProductBoard(this.#charts, node.situation);
    const asked = board.requests().filter((request) => !isWired(board, this.#charts.wiring, request));
    return [
      ...asked.flatMap((request) => this.#answers(request, node)),
      ...this.#delay(node),
      ...(node.world.eventsLeft > 0 ? this.#events(board, node) : []),
    ];
  }

  #delay({ situation, world }: EngineNode): EngineAct[] {
    const next = nextDelay(situation);
    if (next === undefined) return [];
    const timer = situation.positions.get(next.chart)?.timers[0];
    const [delay = ''] = (timer?.event.type ?? '').slice('xstate.after.'.length).split(`.${next.chart}.`);
    const words = `${next.chart}: after ${delay}`;
    // A state that waits for a person may look for one each second.
    const leaves = (situation.positions.get(next.chart)?.snapshot._nodes ?? []).filter(
      ({ type }) => type === 'atomic',
    );
    const isSpontaneous = leaves.every(({ id }) => WAITS.includes(id));
    return [{ words, isSpontaneous, perform: (board) => board.elapse(), world }];
  }

  #events(board: ProductBoard, { situation, world }: EngineNode): EngineAct[] {
    const left = { ...world, eventsLeft: world.eventsLeft - 1 };
    const act = (
      words: string,
      perform: EngineAct['perform'],
      next: Partial<EngineWorld> = {},
    ): EngineAct => ({
      ...{ words, isSpontaneous: true, perform },
      world: { ...left, ...next },
    });
    const generation = FIRST_GENERATION + world.generations;
    const file = (content: StoredAccount) => (on: Performer) => {
      on.perform({
        kind: 'send',
        chart: 'account',
        event: { type: 'STORED.CHANGED', stored: content } as never,
      });
      for (const op of notifyChanged(on)) on.perform(op);
      on.settle();
    };
    const rc = board.snapshot('remoteControl') as RemoteControlSnapshot | undefined;
    const account = board.snapshot('account') as AccountSnapshot | undefined;
    const isBusy = account?.hasTag('busy') === true;
    const mayPair = board.snapshot('pairing')?.hasTag('busy') === false;
    return [
      act(
        'a person enables remote control',
        (on) => on.send('remoteControl', { type: 'ENABLE', by: 'request', durable: true } as never),
        { wanted: 'on' },
      ),
      act(
        'a person disables remote control',
        (on) => on.send('remoteControl', { type: 'DISABLE', durable: true } as never),
        { wanted: 'off' },
      ),
      act('the machine wakes up', (on) => on.send('remoteControl', { type: 'WAKE' })),
      ...(mayPair
        ? [
            act('a person asks for a code', (on) =>
              on.send('pairing', { type: 'START', manual: false } as never),
            ),
          ]
        : []),
      // The mutex of the tokens lets no other change in meanwhile.
      ...(isBusy
        ? []
        : [
            act('a client signs out', (on) =>
              on.send('account', { type: 'LOGOUT', ticket: 1, all: true } as never),
            ),
            act('another program refreshes the sign-in of anna', file(stored('anna', generation)), {
              generations: world.generations + 1,
            }),
            act('another program signs bert in', file(stored('bert', generation)), {
              generations: world.generations + 1,
            }),
          ]),
      ...(rc?.hasTag('connected') === true
        ? [act('the link is stable', (on) => on.send('remoteControl', { type: 'LINK.STABLE' }))]
        : []),
      ...(nextDelay(situation) === undefined ? [act('an hour passes', (on) => on.pass(HOUR))] : []),
    ];
  }

  #answers(request: Request, node: EngineNode): EngineAct[] {
    const { world, situation } = node;
    const now = () => situation.now;
    const answer = (words: string, output: unknown, next: Partial<EngineWorld> = {}): EngineAct => ({
      words: `${request.src}: ${words}`,
      isSpontaneous: false,
      perform: (board) => {
        this.#env.setTime(situation.now);
        board.answer(request, output);
      },
      world: { ...world, ...next },
    });
    this.#env.setTime(now());
    const failed = (reason: Parameters<typeof failure>[0]) => ({ failure: failure(reason) });
    const unauthorized = answer('401', { kind: 'unauthorized', ...failed('backendUnauthorized') });
    const transient = answer('503', { kind: 'transient', ...failed('backendUnavailable') });
    const rateLimited = answer('429 with Retry-After', {
      kind: 'transient',
      failure: failure('backendRateLimited', { retryAfterAt: this.#env.now() + MINUTE }),
    });
    const token = (serverId: string): ServerToken => ({
      secret: new Secret(serverId),
      expiresAt: this.#env.now() + HOUR,
    });
    const lost = (serverId: string | undefined): Partial<EngineWorld> =>
      serverId === undefined || world.gone.includes(serverId)
        ? {}
        : { gone: [...world.gone, serverId].sort() };
    const rc = remoteControlOf(node)?.context;
    const identity = rc === undefined || typeof rc.enrollment === 'string' ? undefined : rc.enrollment;
    const accountId = rc?.account?.accountId ?? 'anna';
    switch (`${request.chart}.${request.src}`) {
      case 'remoteControl.enroll': {
        const serverId = `S${world.granted + 1}`;
        const enrollment: Enrollment = {
          serverId,
          environmentId: `E${world.granted + 1}`,
          serverName: 'host',
        };
        return [
          answer(
            'granted',
            { kind: 'granted', enrollment, token: token(serverId) },
            { granted: world.granted + 1 },
          ),
          unauthorized,
          transient,
          rateLimited,
          answer('404, no such route', { kind: 'notFound', byBackend: true, ...failed('backendNotFound') }),
        ];
      }
      case 'remoteControl.refresh':
      case 'tokenRenewal.refresh': {
        const { enrollment } = request.input as { readonly enrollment: Enrollment | null };
        const serverId = enrollment?.serverId;
        return [
          answer('granted', { kind: 'granted', token: token(serverId ?? 'nobody') }),
          unauthorized,
          answer(
            '404, unknown server',
            { kind: 'notFound', byBackend: true, ...failed('backendNotFound') },
            lost(serverId),
          ),
          answer('404 of a proxy', { kind: 'notFound', byBackend: false, ...failed('backendNotFound') }),
          transient,
          rateLimited,
        ];
      }
      case 'remoteControl.dial':
        return [
          answer('open', { kind: 'open', socket: 1 }),
          answer('401', { kind: 'tokenRejected', ...failed('tokenRejected') }),
          answer(
            '404, unknown server',
            { kind: 'serverGone', ...failed('serverGone') },
            lost(identity?.serverId),
          ),
          answer('404 of a proxy', { kind: 'ambiguousNotFound', ...failed('ambiguousNotFound') }),
          answer('409', { kind: 'conflict', ...failed('connectionConflict') }),
          answer('no connection', { kind: 'failed', ...failed('networkUnreachable') }),
        ];
      case 'remoteControl.link':
        return [
          answer('the backend closes it', {
            kind: 'closedByPeer',
            reason: 'linkClosed',
            code: 1012,
            stable: false,
          }),
          answer('it breaks', { kind: 'lost', reason: 'linkLost', code: null, stable: false }),
          answer('another engine replaces it', {
            ...{ kind: 'replaced', reason: 'linkReplaced', code: 1000, stable: false },
          }),
        ];
      case 'remoteControl.loadEnrollment': {
        const known = world.store[accountId];
        return [
          known === undefined
            ? answer(`${accountId} has no identity`, { kind: 'none', preference: 'unset' })
            : answer(`the identity of ${accountId}`, { kind: 'found', enrollment: known, preference: 'on' }),
          answer('it cannot be read', { kind: 'failed', ...failed('storeUnavailable') }),
        ];
      }
      case 'remoteControl.saveEnrollment': {
        const { key, enrollment } = request.input as {
          readonly key: { readonly accountId: string };
          readonly enrollment: Enrollment | null;
        };
        const store = enrollment === null ? world.store : { ...world.store, [key.accountId]: enrollment };
        return [
          answer('written', { kind: 'done' }, { store }),
          answer('it cannot be written', { kind: 'failed', ...failed('storeWriteFailed') }),
        ];
      }
      case 'remoteControl.drain':
        return [answer('done', undefined)];
      case 'pairing.requestCode': {
        const code = {
          ...{ pairingCode: new Secret('code'), manualPairingCode: null, environmentId: 'E' },
          expiresAt: this.#env.now() + 10 * MINUTE,
        };
        const asked = new ProductBoard(this.#charts, situation).note('the identity of the pairing request');
        return [
          answer('a code', { kind: 'granted', code }),
          unauthorized,
          answer(
            '404, unknown server',
            { kind: 'notFound', byBackend: true, ...failed('backendNotFound') },
            lost(asked),
          ),
          transient,
        ];
      }
      case 'account.refreshTokens': {
        const generation = FIRST_GENERATION + world.generations;
        const context = (situation.positions.get('account')?.snapshot as AccountSnapshot | undefined)
          ?.context;
        const who =
          context?.stored.kind === 'chatgpt' ? (context.stored.account.accountId ?? 'anna') : 'anna';
        return [
          answer(
            'new tokens',
            { kind: 'refreshed', stored: stored(who, generation) },
            {
              generations: world.generations + 1,
            },
          ),
          answer('the issuer refuses for good', { kind: 'permanent', ...failed('refreshTokenExpired') }),
          answer('the issuer cannot be reached', { kind: 'failed', ...failed('issuerUnreachable') }),
        ];
      }
      case 'account.signOut':
        return [
          answer('deleted', { kind: 'stored', stored: NOBODY }),
          answer('it cannot be written', { kind: 'failed', ...failed('authFileNotWritable') }),
        ];
      case 'authRecovery.reload': {
        const account = rc?.account ?? { accountId: 'anna', generation: FIRST_GENERATION };
        return [
          answer('the same tokens', { kind: 'recovered', account }),
          answer('another account', { kind: 'exhausted', ...failed('accountDiffersOnDisk') }),
        ];
      }
      default:
        return [];
    }
  }
}
