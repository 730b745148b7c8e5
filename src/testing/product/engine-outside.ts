/** What the backend, the store, the account file and people can do in a situation. */
import type { StoredAccount } from '../../protocol/account.js';
import { DEFAULT_TIMING, type Env } from '../../protocol/timing.js';
import { notifyChanged } from '../charts/engine-wiring.js';
import type { SimulatedEnv } from '../charts/model.js';
import { isWired, type Request } from '../wiring.js';
import { type Charts, NOTHING_RUNS, nextDelay, type Performer, ProductBoard } from './board.js';
import { FIRST_GENERATION, stored } from './engine-accounts.js';
import { answersTo } from './engine-answers.js';
import { WAITS } from './engine-laws.js';
import type {
  AccountSnapshot,
  EngineAct,
  EngineNode,
  EngineWorld,
  RemoteControlSnapshot,
} from './engine-world.js';

const HOUR = 3_600_000;
/** `off`: remote control is off, and nothing is stored. `connected`: it is connected with a stored identity. */
export type EngineBeginning = 'off' | 'connected';

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
      ...(rc?.matches('idle') === true
        ? [
            act(
              'the stored preference decides',
              (on) => on.send('remoteControl', { type: 'RESOLVE_PREFERENCE' }),
              { wanted: 'on' },
            ),
          ]
        : []),
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

  #answers(request: Request, { situation, world }: EngineNode): EngineAct[] {
    const env = this.#env;
    env.setTime(situation.now);
    return answersTo({ request, node: { situation, world }, now: env.now() }).map(
      ({ words, output, next }) => ({
        words: `${request.src}: ${words}`,
        isSpontaneous: false,
        perform: (board) => board.answer(request, output),
        world: { ...world, ...next },
      }),
    );
  }
}
