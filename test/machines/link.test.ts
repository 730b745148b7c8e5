import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, setup } from 'xstate';
import { type LinkEvent, type LinkOutput, linkMachine, type SocketCommand } from '../../machines/link.js';
import type { SocketHandle } from '../../src/protocol/outcomes.js';
import { DEFAULT_TIMING, type Timing } from '../../src/protocol/timing.js';
import { EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(linkMachine);

/** The chart link under a parent that records its events, over a fake socket. */
class Rig {
  readonly clock = new TestClock();
  /** Commands to the socket, each with its time. */
  readonly commands: [SocketCommand['type'], number][] = [];
  readonly notified: string[] = [];
  output: LinkOutput | undefined;
  destroyed = 0;
  readonly #parent;
  #fromSocket: (event: LinkEvent) => void = () => undefined;

  constructor(options: { timing?: Partial<Timing>; socket?: 'throws' } = {}) {
    const link = linkMachine.provide({
      actors: {
        socket: fromCallback<SocketCommand, { socket: SocketHandle; timing: Timing }>(
          ({ input, sendBack, receive }) => {
            expect(input.socket).toBe(7);
            if (options.socket === 'throws') throw new Error('no such socket');
            this.#fromSocket = (event) => {
              sendBack(event);
            };
            receive(({ type }) => this.commands.push([type, this.clock.now()]));
            return () => {
              this.destroyed += 1;
            };
          },
        ),
      },
    });
    const parent = setup({
      types: { events: {} as { type: 'LINK.STABLE' } },
      actors: { link },
    }).createMachine({
      id: 'parent',
      invoke: {
        id: 'link',
        src: 'link',
        input: { socket: 7, timing: { ...DEFAULT_TIMING, ...options.timing } },
        onDone: {
          actions: ({ event }) => {
            this.output = event.output;
          },
        },
      },
      on: { 'LINK.STABLE': { actions: ({ event }) => void this.notified.push(event.type) } },
    });
    this.#parent = createActor(parent, { clock: this.clock, inspect: cover.watch(link) });
    this.#parent.start();
  }

  get snapshot() {
    return this.#parent.getSnapshot().children.link?.getSnapshot();
  }

  /** State of the region `liveness` while the link is up, else of the chart. */
  get state(): string {
    const { snapshot } = this;
    if (snapshot === undefined) return 'gone';
    if (typeof snapshot.value === 'string') return snapshot.value;
    const { liveness } = snapshot.value.up ?? { liveness: 'gone' };
    return typeof liveness === 'string' ? liveness : (Object.keys(liveness)[0] ?? '');
  }

  get pings(): number[] {
    return this.commands.flatMap(([type, at]) => (type === 'PING' ? [at] : []));
  }

  async send(event: LinkEvent): Promise<void> {
    this.#parent.getSnapshot().children.link?.send(event);
    await settle();
  }

  /** An event from the socket. */
  async receive(event: LinkEvent): Promise<void> {
    this.#fromSocket(event);
    await settle();
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }
}

/** Steps that lead to each state of `liveness`. */
const ROUTES: Record<string, (rig: Rig) => Promise<void>> = {
  open: async () => undefined,
  probing: (rig) => rig.pass(10_000),
  silent: (rig) => rig.pass(20_000),
  wakeProbe: (rig) => rig.send({ type: 'PROBE' }),
};

async function rigIn(state: string): Promise<Rig> {
  const rig = new Rig();
  await ROUTES[state]?.(rig);
  expect(rig.state).toBe(state);
  return rig;
}

describe('pings', () => {
  it('RC-41: it sends a ping each 10 s, with and without pongs', async () => {
    const rig = new Rig();
    await rig.pass(59_999);
    expect(rig.pings).toEqual([10_000, 20_000, 30_000, 40_000, 50_000]);
    const answered = new Rig();
    for (let pings = 0; pings < 5; pings += 1) {
      await answered.pass(10_000);
      await answered.receive({ type: 'PONG' });
    }
    expect(answered.pings).toEqual([10_000, 20_000, 30_000, 40_000, 50_000]);
  });

  it.each([
    [0, 60_000],
    [9_999, 69_999],
    [10_000, 70_000],
    [19_999, 79_999],
    [45_000, 105_000],
    [59_999, 119_999],
  ])('RC-41: with the last pong at %d ms it closes at exactly %d ms', async (pong, limit) => {
    const rig = new Rig();
    if (pong > 0) {
      await rig.pass(pong);
      await rig.receive({ type: 'PONG' });
      expect(rig.state).toBe('open');
    }
    await rig.pass(limit - 1 - pong);
    expect(rig.state).toBe('silent');
    await rig.pass(1);
    expect(rig.state).toBe('closing');
    expect(rig.commands.at(-1)).toEqual(['CLOSE', limit]);
  });

  it('RC-41: frames do not count as pongs', async () => {
    const rig = new Rig();
    for (let seconds = 0; seconds < 60; seconds += 1) {
      await rig.receive({ type: 'FRAMES' });
      await rig.pass(1_000);
    }
    expect(rig.state).toBe('closing');
  });

  it('RC-41: the reason stays when the peer closes afterwards, or never does', async () => {
    const closing = new Rig();
    await closing.pass(60_000);
    await closing.receive({ type: 'SOCKET.CLOSED', clean: true, code: 1000, fault: null });
    const output = { kind: 'silent', reason: 'pongTimeout', code: null, stable: false };
    expect(closing.output).toEqual(output);
    const gone = new Rig();
    await gone.pass(60_000 + 799);
    expect(gone.output).toBeUndefined();
    await gone.pass(1);
    expect([gone.output, gone.destroyed]).toEqual([output, 1]);
  });

  it('RC-41: a timeout shorter than two intervals works, too', async () => {
    const rig = new Rig({ timing: { pingInterval: 10_000, pongTimeout: 5_000 } });
    await rig.pass(20_001);
    expect(rig.state).toBe('closing');
  });
});

describe('the wake-up probe', () => {
  it.each(['open', 'probing', 'silent'])(
    'RC-25a: in %s it sends a ping at once and waits 5 s',
    async (state) => {
      const rig = await rigIn(state);
      const at = rig.clock.now();
      await rig.send({ type: 'PROBE' });
      expect(rig.pings.at(-1)).toBe(at);
      await rig.pass(4_999);
      expect(rig.state).toBe('wakeProbe');
      expect(rig.snapshot?.hasTag('suspect')).toBe(true);
      await rig.pass(1);
      expect(rig.commands.at(-1)).toEqual(['CLOSE', at + 5_000]);
      await rig.pass(800);
      expect(rig.output).toEqual({ kind: 'silent', reason: 'wakeProbeFailed', code: null, stable: false });
    },
  );

  it('RC-25a: a pong in time ends it; the next ping follows after an interval', async () => {
    const rig = await rigIn('wakeProbe');
    await rig.pass(4_999);
    await rig.receive({ type: 'PONG' });
    expect(rig.state).toBe('open');
    await rig.pass(10_000);
    expect(rig.pings).toEqual([0, 14_999]);
  });

  it('RC-25a: a second wake-up does not make it longer', async () => {
    const rig = await rigIn('wakeProbe');
    await rig.pass(3_000);
    await rig.send({ type: 'PROBE' });
    await rig.pass(2_000);
    expect([rig.state, rig.pings]).toEqual(['closing', [0]]);
  });
});

describe('stability', () => {
  /** A rig whose peer answers each ping until this time, ms. */
  async function answered(until: number): Promise<Rig> {
    const rig = new Rig();
    while (rig.clock.now() + 10_000 <= until) {
      await rig.pass(10_000);
      await rig.receive({ type: 'PONG' });
    }
    await rig.pass(until - rig.clock.now());
    return rig;
  }

  it.each(['PONG', 'FRAMES'] as const)('RC-25: a link is stable after 60 s and a %s', async (type) => {
    const rig = await answered(59_999);
    await rig.receive({ type });
    await rig.pass(1);
    expect(rig.notified).toEqual([]);
    await rig.receive({ type });
    expect(rig.notified).toEqual(['LINK.STABLE']);
    await rig.receive({ type });
    expect(rig.notified).toEqual(['LINK.STABLE']);
    await rig.receive({ type: 'SOCKET.CLOSED', clean: false, code: null, fault: null });
    expect(rig.output).toEqual({ kind: 'lost', reason: 'linkLost', code: null, stable: true });
  });

  it('RC-25: without a pong or frame after 60 s it is not stable', async () => {
    const rig = await answered(59_999);
    await rig.pass(10_000);
    expect(rig.notified).toEqual([]);
    await rig.receive({ type: 'SOCKET.CLOSED', clean: true, code: 1012, fault: null });
    expect(rig.output).toEqual({ kind: 'closedByPeer', reason: 'linkClosed', code: 1012, stable: false });
  });
});

describe('the end', () => {
  it.each(
    Object.keys(ROUTES).flatMap((state) => [
      [state, true, 'closedByPeer', 'linkClosed'] as const,
      [state, false, 'lost', 'linkLost'] as const,
    ]),
  )('RC-25: in %s a close (clean: %s) is reported as %s', async (state, clean, kind, reason) => {
    const rig = await rigIn(state);
    await rig.receive({ type: 'SOCKET.CLOSED', clean, code: 1001, fault: null });
    expect(rig.output).toEqual({ kind, reason, code: 1001, stable: false });
    expect([rig.destroyed, rig.clock.timers]).toEqual([1, 0]);
  });

  it.each(Object.keys(ROUTES))(
    'RC-110: in %s a close because of a newer connection is reported as that',
    async (state) => {
      const rig = await rigIn(state);
      await rig.receive({ type: 'SOCKET.CLOSED', clean: true, code: 1000, fault: null, replaced: true });
      expect(rig.output).toEqual({ kind: 'replaced', reason: 'linkReplaced', code: 1000, stable: false });
    },
  );

  it.each(Object.keys(ROUTES))(
    'RC-40: in %s a frame that the engine refused is its reason',
    async (state) => {
      for (const fault of ['frameTooLarge', 'frameInvalid'] as const) {
        const rig = await rigIn(state);
        await rig.receive({ type: 'SOCKET.CLOSED', clean: false, code: 1006, fault });
        expect(rig.output).toEqual({ kind: 'lost', reason: fault, code: null, stable: false });
      }
    },
  );

  it.each(Object.keys(ROUTES))(
    'RC-43: CLOSE in %s sends a close frame and ends within 0.8 s',
    async (state) => {
      const rig = await rigIn(state);
      const at = rig.clock.now();
      await rig.send({ type: 'CLOSE' });
      expect(rig.commands.at(-1)).toEqual(['CLOSE', at]);
      await rig.send({ type: 'CLOSE' });
      await rig.pass(800);
      expect(rig.output).toEqual({ kind: 'closedByUs', reason: 'disabled', code: null, stable: false });
      expect(rig.commands.filter(([type]) => type === 'CLOSE')).toHaveLength(1);
      expect(rig.destroyed).toBe(1);
    },
  );

  it('an error of the socket actor is reported as lost', () => {
    const rig = new Rig({ socket: 'throws' });
    expect(rig.output).toEqual({ kind: 'lost', reason: 'linkLost', code: null, stable: false });
  });

  it('RC-41: no sequence of events throws, and it always ends', async () => {
    const event = fc.oneof(
      fc.constantFrom<LinkEvent>({ type: 'PONG' }, { type: 'FRAMES' }, { type: 'PROBE' }),
      fc.constantFrom(1, 5_000, 10_000, 40_000),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
        const rig = new Rig();
        for (const one of events) await (typeof one === 'number' ? rig.pass(one) : rig.receive(one));
        expect(rig.snapshot?.status ?? 'done').not.toBe('error');
        await rig.pass(60_000 + 800);
        expect(rig.output?.kind).toBe('silent');
        expect([rig.destroyed, rig.clock.timers]).toEqual([1, 0]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('cover', () => {
  it('the chart uses every name that it declares', () => {
    expect(unusedNames(linkMachine)).toEqual([]);
  });

  it('the tests take every transition', () => {
    expect(cover.untaken).toEqual([]);
  });
});
