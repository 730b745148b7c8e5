/**
 * Plays a path against a real engine: real HTTP and sockets, the embedded backend, a store on disk. A state counts
 * as reached when the engine's public status says so and the wire shows what the state is about.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import type { AnyActorRef, SnapshotFrom } from 'xstate';
import type { remoteControlMachine } from '../../../../machines/remote-control/machine.js';
import { statusOf } from '../../../../machines/shared/status.js';
import { type Backend, createBackend } from '../../../../src/backend/index.js';
import { createEngine, type Engine } from '../../../../src/engine/engine.js';
import { statePath } from '../../../../src/protocol/decision.js';
import type { Account } from '../../../../src/protocol/outcomes.js';
import type { TimedReport } from '../../../../src/remote-control/status.js';
import type { Driver, Expected, Path, Step } from '../../../../src/testing/index.js';
import { LineClient } from '../../../support/control.js';
import { ScriptedAccount } from './account.js';
import { Disk } from './disk.js';
import { ASKS, Gate, ROUTE_OF } from './gate.js';
import { BY_ITSELF, CLIENT_NAME, playOf, type Start, TIMING, TOKEN_LIFE } from './model.js';

const LIMIT = 4_000;
/** Chance that makes a pause of the ladder a moment instead of most of a minute. */
const SOON = -0.995;
const LATER = 0.5;
const QUESTIONS: Readonly<Record<string, 'load' | 'reload' | 'recover'>> = {
  loadAuth: 'load',
  reloadAuth: 'reload',
  recoverAuth: 'recover',
};
const ASKED_IN: Readonly<Record<string, 'load' | 'reload' | 'recover'>> = {
  'active.loadingAuth.reading': 'load',
  'active.loadingAuth.reloading': 'reload',
  'resolvingPreference.readingAccount': 'reload',
  'active.recoveringAuth': 'recover',
};
const READS: ReadonlySet<string> = new Set(['loadEnrollment', 'loadPreference']);

type Mode = 'on' | 'off' | 'preference';

class World {
  readonly account = new ScriptedAccount();
  readonly reports: TimedReport[] = [];
  readonly home: string;
  readonly backend: Backend;
  readonly gate: Gate;
  readonly engine: Engine;
  readonly disk: Disk;
  /** Client over stdio, if there is one. */
  readonly stdin = new PassThrough();
  actor: AnyActorRef | undefined;
  control: LineClient | undefined;
  starting: Promise<void> | undefined;
  stopping: Promise<void> | undefined;
  /** How many reports the path has accounted for. */
  seen = 0;
  chance = LATER;

  constructor(home: string, backend: Backend, gate: Gate, start: Start, mode: Mode, clientName?: string) {
    this.home = home;
    this.disk = new Disk(path.join(home, 'rc-engine.sqlite'));
    this.backend = backend;
    this.gate = gate;
    this.engine = createEngine({
      home,
      baseUrl: start.lacks === 'target' ? 'http://example.com/' : gate.url(backend.url),
      listen: start.stdio ? 'stdio://' : 'off',
      stdio: { input: this.stdin, output: new PassThrough().resume() },
      ...(start.lacks === 'store' ? { store: 'none' } : {}),
      ...(clientName === undefined ? {} : { clientName }),
      remoteControl: mode,
      account: this.account,
      authStartup: start.authStartup,
      onConflict: start.onConflict,
      timing: TIMING,
      env: { now: () => Date.now(), random: () => this.chance },
      watcher: {
        actor: (actor) => {
          if (actor.id === 'remoteControl') this.actor = actor;
        },
        run: () => () => {},
        verdict: () => {},
      },
    });
    this.engine.on('report', (report) => this.reports.push(report));
  }
}

export class WireDriver implements Driver {
  readonly #start: Start;
  #world: World | undefined;
  #path: Path | undefined;
  #at = 0;

  constructor(start: Start) {
    this.#start = start;
  }

  async start(played: Path): Promise<void> {
    this.#path = played;
    this.#at = 0;
    const home = await mkdtemp(path.join(tmpdir(), 'rc-engine-wire-'));
    const backend = await createBackend({ timing: { serverToken: TOKEN_LIFE } });
    const gate = await Gate.open(backend.url);
    if (this.#start.enrolled) await this.#enroll(home, backend, gate);
    const [first] = played.steps;
    const byStart = first?.event !== undefined && 'by' in first.event && first.event.by === 'start';
    const mode = byStart ? 'on' : first?.event.type === 'RESOLVE_PREFERENCE' ? 'preference' : 'off';
    this.#world = new World(home, backend, gate, this.#start, mode);
    if (mode === 'off') await this.#begin();
  }

  async act(step: Step): Promise<void> {
    const world = this.#here;
    this.#at += 1;
    // The pause that begins with this step is short when its end is what comes next.
    world.chance = this.#nextPlayed?.kind === 'delay' ? SOON : LATER;
    const state = leaf(step.expected);
    world.account.asked = [state, ...this.#soon()].includes('active.loadingAuth.reading');
    const isOnItsOwn = step.actor !== null && BY_ITSELF.has(step.actor);
    const hasStore = this.#start.lacks === null && world.stopping === undefined;
    if (hasStore && !isOnItsOwn) await world.disk.be(this.#diskNext());
    // What was asked in a state that is left is answered to nobody.
    const before = this.#path?.steps[this.#at - 2];
    const isLeft = before !== undefined && leaf(before.expected) !== state;
    if (step.kind === 'event' && (isLeft || step.edges.some((id) => id.includes('AUTH.CHANGED'))))
      world.account.forget();
    if (step.kind === 'event') await this.#happen(step);
    else if (step.actor !== null) this.#answer(step.actor, step.value);
  }

  async check(expected: Expected, step: Step | null): Promise<void> {
    const world = this.#here;
    if (world.starting === undefined) return;
    const state = leaf(expected);
    const { status } = statusOf(expected.snapshot);
    await this.#until(() => this.#isShown(state, status), `${state} (${status})`);
    // What follows by itself cannot be held up: the wire is looked at where the path comes to rest.
    if (Object.keys(expected.snapshot.children).some((id) => BY_ITSELF.has(id))) return;
    if (step !== null && state === 'stopped') await world.stopping;
    // A short pause may be over before anybody has looked.
    const next = this.#path?.steps[this.#at];
    const isOver = () =>
      next?.kind === 'delay' &&
      world.reports.slice(world.seen).some((report) => report.state === leaf(next.expected));
    await this.#until(() => this.#wireShows(state) || isOver(), `${state} on the wire`);
    if (world.stopping !== undefined || isOver() || next?.kind === 'delay') return;
    const { reason } = (expected.snapshot as SnapshotFrom<typeof remoteControlMachine>).context.decision;
    // An engine that is off from the start is told so before the path begins.
    const wanted = state === 'idle' && reason === 'starting' ? 'disabled' : reason;
    const told = () => world.engine.fullStatus.remoteControl.reason;
    await this.#until(() => told() === wanted, `reason ${wanted}; it is ${told()}`);
  }

  async end(): Promise<void> {
    const world = this.#world;
    this.#world = undefined;
    if (world === undefined) return;
    world.control?.close();
    await world.engine.stop();
    await world.starting?.catch(() => {});
    await world.gate.close();
    await world.backend.close();
    await rm(world.home, { recursive: true, force: true });
  }

  /** States that come by themselves after the step under way. */
  #soon(): string[] {
    const states: string[] = [];
    for (const step of this.#path?.steps.slice(this.#at) ?? []) {
      if (step.kind !== 'delay' && (step.actor === null || !BY_ITSELF.has(step.actor))) break;
      states.push(leaf(step.expected));
    }
    return states;
  }

  /** The next step that does not come by itself. */
  get #nextPlayed(): Step | undefined {
    return this.#path?.steps.slice(this.#at).find(({ actor }) => actor === null || !BY_ITSELF.has(actor));
  }

  /** What the store must be like for what comes by itself after the step under way. */
  #diskNext(): { readonly unreadable: boolean; readonly readOnly: boolean } {
    const failed: string[] = [];
    for (const { kind, actor, value } of this.#path?.steps.slice(this.#at) ?? []) {
      if (kind !== 'delay' && (actor === null || !BY_ITSELF.has(actor))) break;
      if (actor !== null && kindOf(value) === 'failed') failed.push(actor);
    }
    const isRead = (actor: string) => READS.has(actor);
    return { unreadable: failed.some(isRead), readOnly: failed.some((actor) => !isRead(actor)) };
  }

  get #here(): World {
    if (this.#world === undefined) throw new Error('the path has not begun');
    return this.#world;
  }

  async #begin(): Promise<void> {
    const world = this.#here;
    world.starting = world.engine.start();
    world.starting.catch(() => {});
    await this.#until(() => world.actor !== undefined, 'the engine up');
    if (world.engine.listenerCount('report') > 0 && this.#path?.steps[0]?.event.type !== 'STOP') {
      await this.#connectControl(world);
    }
  }

  async #connectControl(world: World): Promise<void> {
    const socket = path.join(world.home, 'control.sock');
    for (let tries = 0; world.control === undefined; tries += 1) {
      try {
        world.control = await LineClient.connect(socket);
        await world.control.initialize('paths');
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((done) => setTimeout(done, 10));
      }
    }
  }

  /** Gives the home an identity that the backend knows. */
  async #enroll(home: string, backend: Backend, gate: Gate): Promise<void> {
    const usual = { ...this.#start, authStartup: 'recoverable', stdio: false } as const;
    const world = new World(home, backend, gate, usual, 'on', this.#start.stdio ? CLIENT_NAME : undefined);
    world.account.asked = false;
    world.account.change({ accountId: 'anna', generation: 1 });
    const pass = () => {
      for (const route of gate.waiting) queueMicrotask(() => gate.pass(route));
    };
    gate.on('news', pass);
    world.starting = world.engine.start();
    this.#world = world;
    await this.#until(() => world.reports.at(-1)?.status === 'connected', 'an identity');
    gate.off('news', pass);
    if (this.#start.preference !== 'unset') {
      await this.#connectControl(world);
      await world.control?.call(
        `remoteControl/${this.#start.preference === 'on' ? 'enable' : 'disable'}`,
        {},
      );
      world.control?.close();
    }
    await world.engine.stop();
    this.#world = undefined;
  }

  async #happen({ event }: Step): Promise<void> {
    const world = this.#here;
    switch (event.type) {
      case 'RESOLVE_PREFERENCE':
        return this.#begin();
      case 'ENABLE':
        if (world.starting === undefined) return this.#begin();
        return this.#call('remoteControl/enable', { ephemeral: !('durable' in event && event.durable) });
      case 'DISABLE':
        return this.#call('remoteControl/disable', { ephemeral: true });
      case 'CLIENT.NAMED': {
        const params = { clientInfo: { name: CLIENT_NAME, version: '1' } };
        world.stdin.write(`${JSON.stringify({ id: 1, method: 'initialize', params })}\n`);
        return;
      }
      case 'AUTH.CHANGED':
        return world.account.change('account' in event ? (event.account as Account | null) : null);
      case 'TOKEN.RENEWED':
      case 'ENROLLMENT.LOST': {
        this.#call('remoteControl/pairing/start', {});
        await this.#until(() => world.gate.waiting.includes('refresh'), 'refresh for pairing');
        const fault = { route: 'refresh', answer: 'status', status: 404 } as const;
        if (event.type === 'ENROLLMENT.LOST') world.backend.fault({ action: 'answer', fault });
        else world.backend.fault({ action: 'tokenLife', seconds: TOKEN_LIFE / 1_000 });
        return world.gate.pass('refresh');
      }
      case 'WAKE':
        // All that the wake detector does. The link answers the probe.
        world.backend.fault({ action: 'mutePongs', muted: false });
        return world.actor?.send({ type: 'WAKE' });
      case 'LINK.STABLE':
        return world.backend.fault({ action: 'mutePongs', muted: false });
      case 'STOP':
        world.stopping = world.engine.stop();
        return;
      default:
        throw new Error(`nobody knows how to play ${event.type}`);
    }
  }

  #call(method: string, params: object): void {
    const { control } = this.#here;
    if (control === undefined) throw new Error('there is no way in');
    this.#calls += 1;
    control.send({ id: `path-${this.#calls}`, method, params });
  }

  #calls = 0;

  #answer(actor: string, value: unknown): void {
    const world = this.#here;
    const route = ROUTE_OF[actor];
    const question = QUESTIONS[actor];
    const play = playOf(value);
    if (route !== undefined) {
      if (route !== 'socket') world.backend.fault({ action: 'tokenLife', seconds: TOKEN_LIFE / 1_000 });
      if (play !== null) world.backend.fault(play);
      else if (route === 'socket') world.backend.fault({ action: 'mutePongs', muted: true });
      world.gate.pass(route);
    } else if (question !== undefined) {
      // To resolve a preference the account is read from its source at once.
      const asked = world.account.waiting.includes(question) ? question : 'reload';
      world.account.answer(asked, value);
    } else if (actor === 'link' && play !== null) world.backend.fault(play);
  }

  /** Has the engine told this state and status since the last step? */
  #isShown(state: string, status: string): boolean {
    const world = this.#here;
    const question = ASKED_IN[state];
    // A look for a missing account is no state of its own in the status; the question itself shows it.
    if (question === 'reload' && world.account.waiting.includes('reload')) return true;
    const found = world.reports.findIndex(
      (report, index) => index >= world.seen && report.state === state && report.status === status,
    );
    if (found >= 0) {
      world.seen = found + 1;
      return true;
    }
    const now =
      world.actor === undefined || world.stopping !== undefined
        ? undefined
        : world.engine.fullStatus.remoteControl;
    return now?.state === state && now.status === status;
  }

  #wireShows(state: string): boolean {
    const { gate, backend, account } = this.#here;
    const route = ASKS[state];
    const question = ASKED_IN[state];
    const connected = backend.servers.some((server) => server.connected);
    return (
      gate.waiting.join() === (route ?? '') &&
      connected === (state === 'active.connected') &&
      (question === undefined || account.waiting.includes(question))
    );
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    const started = performance.now();
    while (!holds()) {
      const { reports, gate, account, backend } = this.#here;
      if (performance.now() - started > LIMIT) {
        const told = reports.slice(-6).map(({ state, status }) => `${state} (${status})`);
        const connected = backend.servers.filter((server) => server.connected).length;
        throw new Error(
          `no ${what}; told: ${told.join(', ')}; waiting: ${[...gate.waiting, ...account.waiting].join(', ') || 'nothing'}; ${connected} connected`,
        );
      }
      await new Promise((done) => setTimeout(done, 2));
    }
  }
}

const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
const leaf = ({ value }: Expected): string => statePath(value);
