/**
 * Plays a path against a client that runs as a process. The test controls its backend, account file and token issuer, and
 * sends JSON-RPC requests. For each step it returns what was expected and what was observed.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { statusOf } from '../../../machines/shared/status.js';
import { type Backend, createBackend } from '../../../src/backend/index.js';
import type { Expected, Path, Step } from '../../../src/testing/index.js';
import { signIn, writeAuth } from '../../support/auth.js';
import { LineClient } from '../../support/control.js';
import { Gate, REQUEST_IN, ROUTE_OF } from '../wire/remote-control/gate.js';
import { playOf, type Start, TOKEN_LIFE } from '../wire/remote-control/model.js';
import { isTransient, kindOf, leafOf, recoversAutomatically, type Snapshot, stepWords } from './model.js';
import { TokenEndpoint } from './oauth.js';
import type { Target } from './targets.js';

/** What is observable of a client from outside. */
export interface Seen {
  /** Requests that wait for a response, including `oauth`; empty: none. */
  readonly requests: string;
  readonly connected: boolean;
  /** The public status; `ended` when the process has exited. */
  readonly status: string;
}

export interface Moment {
  /** The step, including the automatic steps after it. */
  readonly words: string;
  /** Ids of the edges that the chart took. */
  readonly edges: readonly string[];
  /** State of the chart before and after it. */
  readonly from: string;
  readonly to: string;
  readonly outcome: 'same' | 'status' | 'differs' | 'unplayable';
  /** Null when nothing is observable. */
  readonly expected: Seen | null;
  readonly seen: Seen | null;
  /** Why the step could not be played; null when it was. */
  readonly why: string | null;
}

export interface Limits {
  /** Time for a client to reach the expected state, ms. */
  readonly patience: number;
}

/** A state is reached when it is observed for this time, ms. */
const STEADY = 120;
/** After this time with a waiting request or a correct wire, nothing more changes without the test, ms. */
const SETTLED = 1_500;
const ACCOUNT = 'anna';

/** Plays the path up to the first step that differs on the wire or cannot be played. */
export async function playPath(
  target: Target,
  start: Start,
  played: Path,
  limits: Limits,
): Promise<readonly Moment[]> {
  const home = await mkdtemp(path.join(tmpdir(), 'rc-engine-conformance-'));
  const backend = await createBackend({ timing: { serverToken: TOKEN_LIFE } });
  const gate = await Gate.open(backend.url);
  const oauth = await TokenEndpoint.open();
  const play = new Play(target, played, limits, { home, backend, gate, oauth });
  try {
    if (start.enrolled) await play.enroll();
    await play.start();
    return await play.run();
  } finally {
    await play.stop();
    await gate.close();
    await backend.close();
    oauth.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface PlayDeps {
  readonly home: string;
  readonly backend: Backend;
  readonly gate: Gate;
  readonly oauth: TokenEndpoint;
}

class Play {
  readonly #target: Target;
  readonly #path: Path;
  readonly #limits: Limits;
  readonly #deps: PlayDeps;
  #process: Process | undefined;
  #isSignedIn = false;

  constructor(target: Target, played: Path, limits: Limits, deps: PlayDeps) {
    this.#target = target;
    this.#path = played;
    this.#limits = limits;
    this.#deps = deps;
  }

  /** Enrolls the home with the backend. */
  async enroll(): Promise<void> {
    const { gate, backend } = this.#deps;
    await this.#signIn();
    const pass = (): void => {
      for (const route of gate.waiting)
        queueMicrotask(() => gate.waiting.includes(route) && gate.pass(route));
    };
    gate.on('changed', pass);
    this.#process = await this.#startProcess(true);
    const limit = this.#limits.patience;
    await until(() => backend.servers.some(({ connected }) => connected), limit, 'first connection');
    await this.stop();
    gate.off('changed', pass);
    await until(() => !backend.servers.some(({ connected }) => connected), limit, 'disconnect');
  }

  async start(): Promise<void> {
    const [first] = this.#path.steps;
    const on = first !== undefined && 'by' in first.event && first.event.by === 'start';
    const load = this.#path.steps.find(({ actor }) => actor === 'loadAuth' || actor === 'reloadAuth');
    if (load === undefined || kindOf(load.value) === 'usable') await this.#signIn();
    else {
      await rm(path.join(this.#deps.home, 'auth.json'), { force: true });
      this.#isSignedIn = false;
    }
    this.#process = await this.#startProcess(on);
  }

  async run(): Promise<readonly Moment[]> {
    const moments: Moment[] = [];
    let from = leafOf(snapshotOf(this.#path.start));
    let cause: { readonly words: string; readonly from: string; readonly edges: string[] } | undefined;
    let wasTransient = false;
    for (const [index, step] of this.#path.steps.entries()) {
      if (!wasTransient || cause === undefined) cause = { words: stepWords(step), from, edges: [] };
      cause.edges.push(...step.edges);
      from = leafOf(snapshotOf(step.expected));
      wasTransient = isTransient(snapshotOf(step.expected));
      const { isLost, ...found } = await this.#play(step, this.#path.steps[index + 1]);
      if (wasTransient && found.outcome === 'same') continue;
      const { words, edges } = cause;
      moments.push({ ...found, words, edges, from: cause.from, to: from });
      if (isLost || found.outcome === 'differs' || found.outcome === 'unplayable') break;
    }
    return moments;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  async #play(
    step: Step,
    next: Step | undefined,
  ): Promise<Pick<Moment, 'outcome' | 'expected' | 'seen' | 'why'> & { readonly isLost?: boolean }> {
    const nothing = { expected: null, seen: null, why: null };
    try {
      await this.#act(step);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { ...nothing, outcome: 'unplayable', why };
    }
    if (isTransient(snapshotOf(step.expected))) return { ...nothing, outcome: 'same' };
    const expected = seenIn(step.expected);
    // A pause may be over before this check; its length is not compared.
    const after = next?.kind === 'delay' ? this.#nextStable(next) : undefined;
    const goals = after === undefined ? [expected] : [expected, after];
    const seen = await this.#watch(goals);
    if (goals.some((goal) => same(seen, goal))) return { ...nothing, outcome: 'same', expected, seen };
    // The pause was so short that it is over; the path does not have the state after it.
    const isOver =
      step.kind !== 'event' && after === undefined && isPause(step.expected) && seen.requests !== '';
    if (isOver) return { ...nothing, outcome: 'same', expected, seen, isLost: true };
    const nearest = goals.find((goal) => alike(seen, goal)) ?? expected;
    const isInStep = alike(seen, nearest) && isOff(seen) === isOff(nearest);
    return { ...nothing, outcome: isInStep ? 'status' : 'differs', expected: nearest, seen };
  }

  /** What is observable in the next state that lasts. */
  #nextStable(step: Step): Seen | undefined {
    const later = this.#path.steps.slice(this.#path.steps.indexOf(step));
    const stable = later.find(({ expected }) => !isTransient(snapshotOf(expected)));
    return stable === undefined ? undefined : seenIn(stable.expected);
  }

  async #act({ kind, event, actor, value, expected }: Step): Promise<void> {
    const { backend, gate } = this.#deps;
    await this.#signInInTime(expected);
    if (kind === 'delay') return;
    if (kind === 'event') return this.#send(event.type, event);
    const route = ROUTE_OF[actor ?? ''];
    const play = playOf(value);
    if (route !== undefined) {
      if (route !== 'socket') backend.fault({ action: 'tokenLife', seconds: TOKEN_LIFE / 1_000 });
      if (play !== null) backend.fault(play);
      gate.pass(route);
    } else if (actor === 'link' && play !== null) backend.fault(play);
    else if (actor === 'recoverAuth') this.#recover(kindOf(value));
  }

  /** Signs in before the step if the chart finds a sign-in right after it. */
  async #signInInTime(at: Expected): Promise<void> {
    if (this.#isSignedIn || !isTransient(snapshotOf(at))) return;
    const { steps } = this.#path;
    const next = steps[steps.findIndex(({ expected }) => expected === at) + 1];
    const loads = next?.actor === 'reloadAuth' || next?.actor === 'loadAuth';
    if (loads && kindOf(next.value) === 'usable') await this.#signIn();
  }

  async #send(type: string, event: object): Promise<void> {
    const process = this.#running;
    switch (type) {
      case 'ENABLE':
        // ENABLE by the start is an argument of the process.
        if (!('by' in event) || event.by !== 'request') return;
        return process.call('remoteControl/enable', { ephemeral: !('durable' in event && event.durable) });
      case 'DISABLE':
        return process.call('remoteControl/disable', { ephemeral: true });
      case 'STOP':
        return process.interrupt();
      default:
        throw new Error(`the event ${type} cannot be caused from outside`);
    }
  }

  /** The first recovery step reads the file without the test; the second calls the issuer; there is no third. */
  #recover(kind: string): void {
    const { oauth } = this.#deps;
    if (kind === 'recovered') oauth.grant(ACCOUNT);
    else if (kind === 'transient') oauth.fail();
    else oauth.rejectForGood();
  }

  /** Observes until a goal is steady, or the wire is for a longer time, or the time for the client is over. */
  async #watch(goals: readonly Seen[]): Promise<Seen> {
    const end = performance.now() + this.#limits.patience;
    let last = this.#observe();
    let since = performance.now();
    for (;;) {
      await sleep(15);
      const seen = this.#observe();
      const now = performance.now();
      if (!same(seen, last)) since = now;
      last = seen;
      if (now >= end) return seen;
      if (goals.some((goal) => same(seen, goal))) {
        if (now - since >= STEADY) return seen;
      } else if (
        now - since >= SETTLED &&
        (seen.requests !== '' || goals.some((goal) => alike(seen, goal)))
      ) {
        return seen;
      }
    }
  }

  #observe(): Seen {
    const { gate, backend, oauth } = this.#deps;
    return {
      requests: [...gate.waiting, ...(oauth.isWaiting ? ['oauth'] : [])].join(' and '),
      connected: backend.servers.some(({ connected }) => connected),
      status: this.#running.status,
    };
  }

  get #running(): Process {
    if (this.#process === undefined) throw new Error('the process was not started');
    return this.#process;
  }

  async #signIn(): Promise<void> {
    this.#isSignedIn = true;
    await writeAuth(path.join(this.#deps.home, 'auth.json'), signIn(ACCOUNT).json);
  }

  #startProcess(on: boolean): Promise<Process> {
    const { home, gate, backend, oauth } = this.#deps;
    const command = this.#target.command({ home, baseUrl: gate.url(backend.url), on });
    const env = { ...command.env, CODEX_REFRESH_TOKEN_URL_OVERRIDE: oauth.url };
    return Process.start({ ...command, env }, home);
  }
}

/** A client process that speaks JSON-RPC over stdio. */
class Process {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #client: LineClient;
  readonly #ended: Promise<unknown>;
  #hasEnded = false;
  #errors = '';
  #calls = 0;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#ended = once(child, 'exit').catch(() => {});
    child.once('exit', () => {
      this.#hasEnded = true;
    });
    child.once('error', () => {
      this.#hasEnded = true;
    });
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = `${this.#errors}${text}`.slice(-2_000);
    });
    this.#client = new LineClient(
      child.stdout,
      (line) => child.stdin.write(line),
      () => {},
    );
  }

  static async start({ file, args, env }: ReturnType<Target['command']>, home: string): Promise<Process> {
    const user = `${home}/user`;
    await mkdir(user, { recursive: true });
    const { PATH, LANG, TMPDIR } = process.env;
    const child = spawn(file, args, {
      cwd: user,
      env: { PATH, LANG, TMPDIR, HOME: user, NO_COLOR: '1', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const started = new Process(child);
    try {
      await started.#client.initialize('paths');
    } catch (error) {
      await started.stop();
      const words = started.#errors.trim().split('\n').slice(-3).join('\n');
      throw new Error(`${file} ${args.join(' ')} did not answer initialize: ${words}`, { cause: error });
    }
    return started;
  }

  /** The status in the last notification. */
  get status(): string {
    if (this.#hasEnded) return 'ended';
    const last = this.#client.messages.findLast(({ method }) => method === 'remoteControl/status/changed');
    const params = last?.params as { readonly status?: unknown } | undefined;
    return typeof params?.status === 'string' ? params.status : 'disabled';
  }

  call(method: string, params: object): void {
    this.#calls += 1;
    this.#client.send({ id: `path-${this.#calls}`, method, params });
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill('SIGINT');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await this.#ended;
    clearTimeout(timer);
  }
}

const snapshotOf = (expected: Expected): Snapshot => expected.snapshot as unknown as Snapshot;
/** A state that ends with a pause. */
const isPause = (expected: Expected): boolean =>
  /backingOff|awaitingAuth|pausing/.test(leafOf(snapshotOf(expected)));
const isOff = ({ status }: Seen): boolean => status === 'disabled' || status === 'ended';
/** The same on the wire. */
const alike = (a: Seen, b: Seen): boolean => a.requests === b.requests && a.connected === b.connected;
const same = (a: Seen, b: Seen): boolean => alike(a, b) && a.status === b.status;

function seenIn(expected: Expected): Seen {
  const snapshot = snapshotOf(expected);
  const leaf = leafOf(snapshot);
  const ended = leaf === 'stopping' || leaf === 'stopped';
  const isRecovering = leaf === 'active.recoveringAuth' && !recoversAutomatically(snapshot.context);
  return {
    requests: ended ? '' : isRecovering ? 'oauth' : (REQUEST_IN[leaf] ?? ''),
    connected: leaf === 'active.connected',
    status: ended ? 'ended' : statusOf(snapshot).status,
  };
}

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function until(holds: () => boolean, limitMs: number, what: string): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`no ${what} within ${limitMs / 1_000} s`);
    await sleep(15);
  }
}
