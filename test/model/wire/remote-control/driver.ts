/**
 * Plays a path against a real engine with HTTP, sockets, the embedded backend and a store on disk. A state is reached when
 * the public status shows it and the requests of that state wait on the wire.
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
import { Gate, REQUEST_IN, ROUTE_OF } from './gate.js';
import { AUTOMATIC, CLIENT_NAME, playOf, type Start, TIMING, TOKEN_LIFE } from './model.js';

const LIMIT = 4_000;
/** Random values that make a backoff pause very short, or most of a minute. */
const SHORT = -0.995;
const LONG = 0.5;
const QUESTIONS: Readonly<Record<string, 'load' | 'reload' | 'recover'>> = {
  loadAuth: 'load',
  reloadAuth: 'reload',
  recoverAuth: 'recover',
};
const QUESTION_IN: Readonly<Record<string, 'load' | 'reload' | 'recover'>> = {
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
  /** Input of the stdio client, if there is one. */
  readonly stdin = new PassThrough();
  actor: AnyActorRef | undefined;
  control: LineClient | undefined;
  starting: Promise<void> | undefined;
  stopping: Promise<void> | undefined;
  /** Number of reports that were checked. */
  seen = 0;
  randomValue = LONG;

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
      env: { now: () => Date.now(), monotonic: () => performance.now(), random: () => this.randomValue },
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
    if (mode === 'off') await this.#startEngine();
  }

  async act(step: Step): Promise<void> {
    const world = this.#running;
    this.#at += 1;
    // The pause that starts with this step is short if its end is the next step.
    world.randomValue = this.#nextPlayed?.kind === 'delay' ? SHORT : LONG;
    const state = leaf(step.expected);
    world.account.held = [state, ...this.#automaticStates()].includes('active.loadingAuth.reading');
    const isAutomatic = step.actor !== null && AUTOMATIC.has(step.actor);
    const hasStore = this.#start.lacks === null && world.stopping === undefined;
    if (hasStore && !isAutomatic) await world.disk.set(this.#diskNext());
    // Questions of a state that was left get no outcome.
    const before = this.#path?.steps[this.#at - 2];
    const isLeft = before !== undefined && leaf(before.expected) !== state;
    if (step.kind === 'event' && (isLeft || step.edges.some((id) => id.includes('AUTH.CHANGED'))))
      world.account.drop();
    if (step.kind === 'event') await this.#send(step);
    else if (step.actor !== null) this.#answer(step.actor, step.value);
  }

  async check(expected: Expected, step: Step | null): Promise<void> {
    const world = this.#running;
    if (world.starting === undefined) return;
    const state = leaf(expected);
    const { status } = statusOf(expected.snapshot);
    await this.#until(() => this.#isShown(state, status), `${state} (${status})`);
    // Automatic steps cannot be held, so the wire is checked in the next state that lasts.
    if (Object.keys(expected.snapshot.children).some((id) => AUTOMATIC.has(id))) return;
    if (step !== null && state === 'stopped') await world.stopping;
    // A short pause may be over before this check.
    const next = this.#path?.steps[this.#at];
    const isOver = () =>
      next?.kind === 'delay' &&
      world.reports.slice(world.seen).some((report) => report.state === leaf(next.expected));
    await this.#until(() => this.#wireShows(state) || isOver(), `${state} on the wire`);
    if (world.stopping !== undefined || isOver() || next?.kind === 'delay') return;
    const { reason } = (expected.snapshot as SnapshotFrom<typeof remoteControlMachine>).context.decision;
    // An engine that is off at the start gets DISABLE before the path starts.
    const wanted = state === 'idle' && reason === 'starting' ? 'disabled' : reason;
    const reported = () => world.engine.fullStatus.remoteControl.reason;
    await this.#until(() => reported() === wanted, `reason ${wanted}; it is ${reported()}`);
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

  /** States that follow the current step without the test. */
  #automaticStates(): string[] {
    const states: string[] = [];
    for (const step of this.#path?.steps.slice(this.#at) ?? []) {
      if (step.kind !== 'delay' && (step.actor === null || !AUTOMATIC.has(step.actor))) break;
      states.push(leaf(step.expected));
    }
    return states;
  }

  /** The next step that is not automatic. */
  get #nextPlayed(): Step | undefined {
    return this.#path?.steps.slice(this.#at).find(({ actor }) => actor === null || !AUTOMATIC.has(actor));
  }

  /** The state of the store for the automatic steps after the current one. */
  #diskNext(): { readonly unreadable: boolean; readonly readOnly: boolean } {
    const failed: string[] = [];
    for (const { kind, actor, value } of this.#path?.steps.slice(this.#at) ?? []) {
      if (kind !== 'delay' && (actor === null || !AUTOMATIC.has(actor))) break;
      if (actor !== null && kindOf(value) === 'failed') failed.push(actor);
    }
    const isRead = (actor: string) => READS.has(actor);
    return { unreadable: failed.some(isRead), readOnly: failed.some((actor) => !isRead(actor)) };
  }

  get #running(): World {
    if (this.#world === undefined) throw new Error('the path was not started');
    return this.#world;
  }

  async #startEngine(): Promise<void> {
    const world = this.#running;
    world.starting = world.engine.start();
    world.starting.catch(() => {});
    await this.#until(() => world.actor !== undefined, 'running engine');
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

  /** Enrolls the home with the backend. */
  async #enroll(home: string, backend: Backend, gate: Gate): Promise<void> {
    const defaults = { ...this.#start, authStartup: 'recoverable', stdio: false } as const;
    const world = new World(home, backend, gate, defaults, 'on', this.#start.stdio ? CLIENT_NAME : undefined);
    world.account.held = false;
    world.account.change({ accountId: 'anna', generation: 1 });
    const pass = () => {
      for (const route of gate.waiting) queueMicrotask(() => gate.pass(route));
    };
    gate.on('changed', pass);
    world.starting = world.engine.start();
    this.#world = world;
    await this.#until(() => world.reports.at(-1)?.status === 'connected', 'identity');
    gate.off('changed', pass);
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

  async #send({ event }: Step): Promise<void> {
    const world = this.#running;
    switch (event.type) {
      case 'RESOLVE_PREFERENCE':
        return this.#startEngine();
      case 'ENABLE':
        if (world.starting === undefined) return this.#startEngine();
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
        // The same as the sleep detector does. The peer answers the probe.
        world.backend.fault({ action: 'mutePongs', muted: false });
        return world.actor?.send({ type: 'WAKE' });
      case 'NETWORK.CHANGED':
        world.backend.fault({ action: 'mutePongs', muted: false });
        return world.actor?.send({ type: 'NETWORK.CHANGED' });
      case 'LINK.STABLE':
        return world.backend.fault({ action: 'mutePongs', muted: false });
      case 'STOP':
        world.stopping = world.engine.stop();
        return;
      default:
        throw new Error(`the event ${event.type} cannot be played`);
    }
  }

  #call(method: string, params: object): void {
    const { control } = this.#running;
    if (control === undefined) throw new Error('there is no control connection');
    this.#calls += 1;
    control.send({ id: `path-${this.#calls}`, method, params });
  }

  #calls = 0;

  #answer(actor: string, value: unknown): void {
    const world = this.#running;
    const route = ROUTE_OF[actor];
    const question = QUESTIONS[actor];
    const play = playOf(value);
    if (route !== undefined) {
      if (route !== 'socket') world.backend.fault({ action: 'tokenLife', seconds: TOKEN_LIFE / 1_000 });
      if (play !== null) world.backend.fault(play);
      else if (route === 'socket') world.backend.fault({ action: 'mutePongs', muted: true });
      world.gate.pass(route);
    } else if (question !== undefined) {
      // To resolve a preference, the account is read from its source at once.
      const waiting = world.account.waiting.includes(question) ? question : 'reload';
      world.account.answer(waiting, value);
    } else if (actor === 'link' && play !== null) world.backend.fault(play);
  }

  /** True when the engine has reported this state and status since the last step. */
  #isShown(state: string, status: string): boolean {
    const world = this.#running;
    const question = QUESTION_IN[state];
    // Polling for the account does not show in the status; the question itself shows it.
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
    const { gate, backend, account } = this.#running;
    const route = REQUEST_IN[state];
    const question = QUESTION_IN[state];
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
      const { reports, gate, account, backend } = this.#running;
      if (performance.now() - started > LIMIT) {
        const last = reports.slice(-6).map(({ state, status }) => `${state} (${status})`);
        const connected = backend.servers.filter((server) => server.connected).length;
        throw new Error(
          `no ${what}; reported: ${last.join(', ')}; waiting: ${[...gate.waiting, ...account.waiting].join(', ') || 'nothing'}; ${connected} connected`,
        );
      }
      await new Promise((done) => setTimeout(done, 2));
    }
  }
}

const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
const leaf = ({ value }: Expected): string => statePath(value);
