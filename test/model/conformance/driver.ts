/**
 * Plays a path against a process: its backend answers each request as the path says, its account file and token issuer
 * do, and it is asked over JSON-RPC. Says of each step what was to be seen and what was.
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
import { ASKS, Gate, ROUTE_OF } from '../wire/remote-control/gate.js';
import { playOf, type Start, TOKEN_LIFE } from '../wire/remote-control/model.js';
import { isPassing, kindOf, leafOf, recoversUnseen, type Snapshot, stepWords } from './model.js';
import { TokenEndpoint } from './oauth.js';
import type { Target } from './targets.js';

/** What can be seen of a client from outside. */
export interface Seen {
  /** Requests that wait for their answer, `oauth` among them; empty: none. */
  readonly asks: string;
  readonly connected: boolean;
  /** The public status; `ended`: the process is. */
  readonly status: string;
}

export interface Moment {
  /** What was made to happen; what follows by itself belongs to it. */
  readonly words: string;
  /** Edges of our chart that were taken since. */
  readonly edges: readonly string[];
  /** Where our chart was before it, and is now. */
  readonly from: string;
  readonly to: string;
  readonly outcome: 'same' | 'status' | 'differs' | 'unplayable';
  /** Null where nothing can be seen. */
  readonly expected: Seen | null;
  readonly seen: Seen | null;
  /** Why it could not be played. */
  readonly why: string | null;
}

export interface Limits {
  /** How long a client may take to come to where it should be, ms. */
  readonly patience: number;
}

/** A state has been reached when it is seen for so long, ms. */
const STEADY = 120;
/** A request waits, or what the backend sees is right, for so long: then nothing changes by itself any more, ms. */
const SETTLED = 1_500;
const ACCOUNT = 'anna';

/** Until the first step that differs on the wire, or cannot be played. */
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
    await play.begin();
    return await play.run();
  } finally {
    await play.stop();
    await gate.close();
    await backend.close();
    oauth.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface Parts {
  readonly home: string;
  readonly backend: Backend;
  readonly gate: Gate;
  readonly oauth: TokenEndpoint;
}

class Play {
  readonly #target: Target;
  readonly #path: Path;
  readonly #limits: Limits;
  readonly #parts: Parts;
  #process: Process | undefined;
  #isSignedIn = false;

  constructor(target: Target, played: Path, limits: Limits, parts: Parts) {
    this.#target = target;
    this.#path = played;
    this.#limits = limits;
    this.#parts = parts;
  }

  /** Gives the home an identity that the backend knows. */
  async enroll(): Promise<void> {
    const { gate, backend } = this.#parts;
    await this.#signIn();
    const pass = (): void => {
      for (const route of gate.waiting)
        queueMicrotask(() => gate.waiting.includes(route) && gate.pass(route));
    };
    gate.on('news', pass);
    this.#process = await this.#startProcess(true);
    const limit = this.#limits.patience;
    await until(() => backend.servers.some(({ connected }) => connected), limit, 'first connection');
    await this.stop();
    gate.off('news', pass);
    await until(() => !backend.servers.some(({ connected }) => connected), limit, 'end of it');
  }

  async begin(): Promise<void> {
    const [first] = this.#path.steps;
    const on = first !== undefined && 'by' in first.event && first.event.by === 'start';
    const nobody = this.#path.steps.find(({ actor }) => actor === 'loadAuth' || actor === 'reloadAuth');
    if (nobody === undefined || kindOf(nobody.value) === 'usable') await this.#signIn();
    else {
      await rm(path.join(this.#parts.home, 'auth.json'), { force: true });
      this.#isSignedIn = false;
    }
    this.#process = await this.#startProcess(on);
  }

  async run(): Promise<readonly Moment[]> {
    const moments: Moment[] = [];
    let from = leafOf(snapshotOf(this.#path.start));
    let cause: { readonly words: string; readonly from: string; readonly edges: string[] } | undefined;
    let wasPassing = false;
    for (const [index, step] of this.#path.steps.entries()) {
      if (!wasPassing || cause === undefined) cause = { words: stepWords(step), from, edges: [] };
      cause.edges.push(...step.edges);
      from = leafOf(snapshotOf(step.expected));
      wasPassing = isPassing(snapshotOf(step.expected));
      const { isLost, ...found } = await this.#play(step, this.#path.steps[index + 1]);
      if (wasPassing && found.outcome === 'same') continue;
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
    if (isPassing(snapshotOf(step.expected))) return { ...nothing, outcome: 'same' };
    const expected = seenIn(step.expected);
    // A pause may be over before anybody has looked; how long it is, is not compared.
    const after = next?.kind === 'delay' ? this.#restAfter(next) : undefined;
    const goals = after === undefined ? [expected] : [expected, after];
    const seen = await this.#watch(goals);
    if (goals.some((goal) => same(seen, goal))) return { ...nothing, outcome: 'same', expected, seen };
    // Its pause was so short that it is over already; where it went from there, the path does not say.
    const isOver = step.kind !== 'event' && after === undefined && isPause(step.expected) && seen.asks !== '';
    if (isOver) return { ...nothing, outcome: 'same', expected, seen, isLost: true };
    const nearest = goals.find((goal) => alike(seen, goal)) ?? expected;
    const isInStep = alike(seen, nearest) && isOff(seen) === isOff(nearest);
    return { ...nothing, outcome: isInStep ? 'status' : 'differs', expected: nearest, seen };
  }

  /** What is to be seen at the next state that lasts. */
  #restAfter(step: Step): Seen | undefined {
    const later = this.#path.steps.slice(this.#path.steps.indexOf(step));
    const rest = later.find(({ expected }) => !isPassing(snapshotOf(expected)));
    return rest === undefined ? undefined : seenIn(rest.expected);
  }

  async #act({ kind, event, actor, value, expected }: Step): Promise<void> {
    const { backend, gate } = this.#parts;
    await this.#signInInTime(expected);
    if (kind === 'delay') return;
    if (kind === 'event') return this.#happen(event.type, event);
    const route = ROUTE_OF[actor ?? ''];
    const play = playOf(value);
    if (route !== undefined) {
      if (route !== 'socket') backend.fault({ action: 'tokenLife', seconds: TOKEN_LIFE / 1_000 });
      if (play !== null) backend.fault(play);
      gate.pass(route);
    } else if (actor === 'link' && play !== null) backend.fault(play);
    else if (actor === 'recoverAuth') this.#recover(kindOf(value));
  }

  /** Whoever is found to be signed in right after this step has signed in before it. */
  async #signInInTime(at: Expected): Promise<void> {
    if (this.#isSignedIn || !isPassing(snapshotOf(at))) return;
    const { steps } = this.#path;
    const next = steps[steps.findIndex(({ expected }) => expected === at) + 1];
    const looks = next?.actor === 'reloadAuth' || next?.actor === 'loadAuth';
    if (looks && kindOf(next.value) === 'usable') await this.#signIn();
  }

  async #happen(type: string, event: object): Promise<void> {
    const process = this.#here;
    switch (type) {
      case 'ENABLE':
        // Who is on from the start has been told so.
        if (!('by' in event) || event.by !== 'request') return;
        return process.call('remoteControl/enable', { ephemeral: !('durable' in event && event.durable) });
      case 'DISABLE':
        return process.call('remoteControl/disable', { ephemeral: true });
      case 'STOP':
        return process.interrupt();
      default:
        throw new Error(`nobody outside can make ${type} happen`);
    }
  }

  /** The first step looks at the file, by itself; the second asks the issuer; then there is nothing more. */
  #recover(kind: string): void {
    const { oauth } = this.#parts;
    if (kind === 'recovered') oauth.grant(ACCOUNT);
    else if (kind === 'transient') oauth.fail();
    else oauth.refuseForGood();
  }

  /** Looks until one of these is seen for a while, or the same on the wire for a longer one, or patience ends. */
  async #watch(goals: readonly Seen[]): Promise<Seen> {
    const end = performance.now() + this.#limits.patience;
    let last = this.#look();
    let since = performance.now();
    for (;;) {
      await sleep(15);
      const seen = this.#look();
      const now = performance.now();
      if (!same(seen, last)) since = now;
      last = seen;
      if (now >= end) return seen;
      if (goals.some((goal) => same(seen, goal))) {
        if (now - since >= STEADY) return seen;
      } else if (now - since >= SETTLED && (seen.asks !== '' || goals.some((goal) => alike(seen, goal)))) {
        return seen;
      }
    }
  }

  #look(): Seen {
    const { gate, backend, oauth } = this.#parts;
    return {
      asks: [...gate.waiting, ...(oauth.isAsked ? ['oauth'] : [])].join(' and '),
      connected: backend.servers.some(({ connected }) => connected),
      status: this.#here.status,
    };
  }

  get #here(): Process {
    if (this.#process === undefined) throw new Error('nothing runs');
    return this.#process;
  }

  async #signIn(): Promise<void> {
    this.#isSignedIn = true;
    await writeAuth(path.join(this.#parts.home, 'auth.json'), signIn(ACCOUNT).json);
  }

  #startProcess(on: boolean): Promise<Process> {
    const { home, gate, backend, oauth } = this.#parts;
    const command = this.#target.command({ home, baseUrl: gate.url(backend.url), on });
    const env = { ...command.env, CODEX_REFRESH_TOKEN_URL_OVERRIDE: oauth.url };
    return Process.start({ ...command, env }, home);
  }
}

/** A client that runs, spoken to over its stdio. */
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

  /** As it was last told. */
  get status(): string {
    if (this.#hasEnded) return 'ended';
    const told = this.#client.messages.findLast(({ method }) => method === 'remoteControl/status/changed');
    const params = told?.params as { readonly status?: unknown } | undefined;
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
/** It ends by itself, sooner or later. */
const isPause = (expected: Expected): boolean =>
  /backingOff|awaitingAuth|pausing/.test(leafOf(snapshotOf(expected)));
const isOff = ({ status }: Seen): boolean => status === 'disabled' || status === 'ended';
/** As far as the backend sees it. */
const alike = (a: Seen, b: Seen): boolean => a.asks === b.asks && a.connected === b.connected;
const same = (a: Seen, b: Seen): boolean => alike(a, b) && a.status === b.status;

function seenIn(expected: Expected): Seen {
  const snapshot = snapshotOf(expected);
  const leaf = leafOf(snapshot);
  const ended = leaf === 'stopping' || leaf === 'stopped';
  const isRecovering = leaf === 'active.recoveringAuth' && !recoversUnseen(snapshot.context);
  return {
    asks: ended ? '' : isRecovering ? 'oauth' : (ASKS[leaf] ?? ''),
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
