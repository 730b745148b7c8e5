/**
 * Plays a path against the account of a real engine: a JSON-RPC client, the account file, the issuer, the workspace
 * lookup of the backend, a parent app and a browser. A state counts as reached when the public status says so, the
 * questions on the wire are those of that state, every request has got its answer and no other, the sign-in was told
 * to the client, and the file holds what it should.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import type { AccountContext } from '../../../../machines/account/types.js';
import type { AccountSummary } from '../../../../src/account/view.js';
import type { Plan } from '../../../../src/protocol/account.js';
import { acquireFileLock, withLocks } from '../../../../src/system/file-lock.js';
import type { Driver, Expected, Path, Step } from '../../../../src/testing/index.js';
import { type BrowserLogin, type Got, get, type Incoming, Rig } from '../../../account/rig.js';
import { granted, LoopbackIssuer, MARK, signIn, token, workspaces } from '../../../support/issuer.js';
import { BROKEN, DEVICE_CODE, type Question, Questions, REFUSED_FOR_GOOD, USER_CODE } from './gate.js';
import {
  isDead,
  isLookedUpNext,
  isPassing,
  OURS,
  PARENTS,
  PLANS,
  passingActor,
  type Snapshot,
  type Start,
  whereIs,
} from './model.js';

const LIMIT = 6_000;

interface Told {
  readonly loginId: string;
  readonly success: boolean;
}

/** What one path has to do with. */
class World {
  readonly rig: Rig;
  readonly at: LoopbackIssuer;
  readonly questions: Questions;
  readonly port: number;
  /** The request whose answer the chart owes. */
  request: number | undefined;
  login: { readonly id: string; readonly browser: BrowserLogin | null } | undefined;
  /** A browser that has been to the callback address and waits where it is sent next. */
  visit: Promise<Got> | undefined;
  /** Ends our hold of the account file's lock. */
  letGo: (() => Promise<void>) | undefined;
  /** What the file held before it was made unusable. */
  kept: string | null | undefined;
  /** Sign-ins that the client is to be told the end of, since it was last looked. */
  told: Told[] = [];
  mark = 0;
  answer: AccountContext['response'] = null;
  /** The decision that was last looked for in the audit, and how many records there were. */
  decision: unknown;
  audited = 0;

  constructor(rig: Rig, at: LoopbackIssuer, questions: Questions, port: number) {
    this.rig = rig;
    this.at = at;
    this.questions = questions;
    this.port = port;
  }
}

export class AccountDriver implements Driver {
  readonly #start: Start;
  #world: World | undefined;
  #path: Path | undefined;
  #at = 0;
  #before: Expected | undefined;
  /** The sign-in under way before the last step. */
  #ending = '';

  constructor(start: Start) {
    this.#start = start;
  }

  async start(played: Path): Promise<void> {
    this.#path = played;
    this.#at = 0;
    this.#before = played.start;
    const at = await LoopbackIssuer.start();
    const questions = new Questions(at);
    const port = await freePort();
    const [first] = played.steps;
    const { loginTimeout, settings } = this.#start;
    const rig = await Rig.start({
      ...settings,
      at,
      loginPorts: [port],
      ...(loginTimeout === null ? {} : { accountTiming: { loginTimeout } }),
      ...(first?.event.type === 'STORED.CHANGED' ? { auth: contentOf(first.expected) } : {}),
    });
    rig.onAsk = () => questions.ask();
    this.#world = new World(rig, at, questions, port);
    // A start with a file has taken the first step already.
    if (first?.event.type !== 'STORED.CHANGED') await this.#isShown(played.start);
  }

  async act(step: Step): Promise<void> {
    this.#at += 1;
    const before = this.#before;
    if (before === undefined) throw new Error('the path has not begun');
    this.#ending = this.#here.login?.id ?? '';
    if (step.kind === 'event') await this.#happen(step, before);
    else if (step.actor !== null) await this.#come(step.actor, step.value, before);
    this.#before = step.expected;
  }

  async check(expected: Expected, step: Step | null): Promise<void> {
    const world = this.#here;
    const { endedLogin } = contextOf(expected);
    if (expected.effects.some((effect) => effect === 'notifyCompleted' || effect === 'notifyDisplaced')) {
      world.told.push({ loginId: this.#ending, success: endedLogin?.failure === null });
    }
    if (step === null || isPassing(snapshotOf(expected))) return;
    await this.#isShown(expected);
    await this.#wireShows(expected);
    await this.#isAnswered(expected);
    this.#areTold();
    await this.#mend();
    this.#fileShows(expected);
    await this.#hasReason(expected);
  }

  async end(): Promise<void> {
    const world = this.#world;
    this.#world = undefined;
    if (world === undefined) return;
    await world.letGo?.();
    await world.rig.close();
    await world.at.close();
  }

  get #here(): World {
    if (this.#world === undefined) throw new Error('the path has not begun');
    return this.#world;
  }

  // --- what happens

  async #happen({ event, expected }: Step, before: Expected): Promise<void> {
    const world = this.#here;
    const { rig } = world;
    const start = (params: object) => rig.send('account/login/start', params);
    switch (event.type) {
      case 'STORED.CHANGED':
        // A start with a file has read it.
        if (this.#at > 1) await rig.replaceAuth(contentOf(expected));
        return;
      case 'LOGIN.API_KEY':
        if (whereIs(snapshotOf(expected)).auth === 'storingApiKey') await this.#holdFile();
        world.request = start({ type: 'apiKey', apiKey: `sk-${MARK}` });
        return;
      case 'LOGIN.EXTERNAL': {
        const isToken = 'account' in event && event.account !== null;
        const plan = PLANS.parent;
        world.request = start({
          type: 'chatgptAuthTokens',
          accessToken: isToken ? token({ account: PARENTS, plan }) : 'no token',
          chatgptAccountId: PARENTS,
        });
        return;
      }
      case 'LOGIN.BROWSER':
      case 'LOGIN.DEVICE':
        return this.#signIn(event.type === 'LOGIN.BROWSER');
      case 'LOGIN.CANCEL': {
        const isThis = 'loginId' in event && event.loginId === contextOf(before).login?.id;
        const loginId = isThis ? world.login?.id : randomUUID();
        world.request = rig.send('account/login/cancel', { loginId });
        return;
      }
      case 'LOGIN.FINISH':
        // Whoever wants to change the account finds it complete; this one wants nothing that is possible.
        await rig.external('no token', PARENTS);
        return;
      case 'LOGOUT': {
        const { stored, external } = contextOf(before);
        if (external === null && stored.kind === 'apiKey') await this.#holdFile();
        world.request = rig.send('account/logout', 'all' in event && event.all === true ? { all: true } : {});
        return;
      }
      case 'REFRESH':
        world.request = rig.send('account/read', { refreshToken: true });
        return;
      case 'REFRESH.EXTERNAL':
        return world.questions.answer('check', { status: 401 });
      case 'WORKSPACE.REQUESTED':
        if (!isLookedUpNext(snapshotOf(before))) rig.send('account/read', {});
        return;
      default:
        throw new Error(`nobody knows how to play ${event.type}`);
    }
  }

  async #signIn(browser: boolean): Promise<void> {
    const world = this.#here;
    const { rig } = world;
    const next = this.#path?.steps[this.#at];
    const isBusy = next?.actor === 'openLoginServer' && kindOf(next.value) === 'failed';
    const other = isBusy ? await occupy(world.port) : undefined;
    const request = rig.send('account/login/start', { type: browser ? 'chatgpt' : 'chatgptDeviceCode' });
    world.request = request;
    // Its id is known once it is answered.
    void rig.response(request).then(
      (answer) => {
        other?.close();
        if (answer.result === undefined) return;
        world.login = { id: String(answer.result.loginId), browser: browser ? loginOf(answer) : null };
      },
      () => other?.close(),
    );
    await new Promise((done) => setImmediate(done));
  }

  // --- what actors come to

  async #come(actor: string, value: unknown, before: Expected): Promise<void> {
    const world = this.#here;
    const { questions } = world;
    const isGood = kindOf(value) !== 'failed';
    if (passingActor(snapshotOf(before)) === actor) return;
    switch (actor) {
      case 'storeApiKey':
      case 'saveSignIn':
        if (!isGood) await this.#breakFile();
        return this.#letGo();
      case 'signOut':
        if (!isGood) await this.#breakFile();
        if (world.letGo !== undefined) return this.#letGo();
        return questions.answer('revoke', { status: 200 });
      case 'refreshTokens': {
        const fresh = granted(token({ account: OURS, plan: PLANS.refreshed }));
        const answer = kindOf(value) === 'permanent' ? REFUSED_FOR_GOOD : isGood ? fresh : BROKEN;
        return questions.answer('refresh', answer);
      }
      case 'requestExternalTokens':
        return questions.answer(
          'ask',
          isGood
            ? {
                result: {
                  accessToken: token({ account: PARENTS, plan: PLANS.parentAgain }),
                  chatgptAccountId: PARENTS,
                },
              }
            : { error: { code: -32000, message: 'no' } },
        );
      case 'lookUpWorkspace': {
        const [asked] = world.at.of('check').slice(-1);
        const id = String(asked?.headers['chatgpt-account-id']);
        return questions.answer('check', isGood ? { json: workspaces(id) } : BROKEN);
      }
      case 'awaitCallback': {
        const browser = browserOf(world);
        const code = { code: `code-${MARK}`, state: browser.state };
        const denied = { error: 'access_denied', state: browser.state };
        // Of a good one the answer comes when the sign-in is saved.
        world.visit = get(browser.callback(isGood ? code : denied));
        return;
      }
      case 'exchangeCode':
        await this.#holdFile();
        return questions.answer(
          'exchange',
          isGood ? granted(token({ account: OURS, plan: PLANS.signIn })) : BROKEN,
        );
      case 'awaitSuccessPage': {
        const sent = await world.visit;
        await get(sent?.location ?? '');
        return;
      }
      case 'requestDeviceCode':
        return questions.answer('usercode', isGood ? USER_CODE : BROKEN);
      case 'pollDevice':
        return questions.answer('devicePoll', isGood ? DEVICE_CODE : BROKEN);
      default:
        throw new Error(`nobody knows how to play ${actor}`);
    }
  }

  /** Another program works on the account file: whoever wants to write waits. ACC-59 */
  async #holdFile(): Promise<void> {
    const world = this.#here;
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let done: Promise<unknown> = Promise.resolve();
    await new Promise<void>((taken) => {
      done = withLocks(
        acquireFileLock,
        [`${world.rig.authPath}.engine-lock`],
        LIMIT,
        new AbortController().signal,
        () => {
          taken();
          return held;
        },
      );
    });
    world.letGo = async () => {
      world.letGo = undefined;
      release();
      await done;
    };
  }

  async #letGo(): Promise<void> {
    const { letGo } = this.#here;
    if (letGo === undefined) throw new Error('the account file is not held');
    await letGo();
  }

  /** A folder in place of the file: nothing can be written there. */
  async #breakFile(): Promise<void> {
    const world = this.#here;
    const { authPath } = world.rig;
    world.kept = world.rig.rawAuth();
    await rm(authPath, { force: true });
    await mkdir(join(authPath, 'not empty'), { recursive: true });
  }

  async #mend(): Promise<void> {
    const world = this.#here;
    // Of a sign-in that failed before anything was to be written.
    if (world.letGo !== undefined && this.#isIdle()) await world.letGo();
    const { kept } = world;
    if (kept === undefined) return;
    world.kept = undefined;
    const { authPath } = world.rig;
    await rm(authPath, { recursive: true });
    if (kept === null) return;
    await writeFile(`${authPath}.other`, kept, { mode: 0o600 });
    await rename(`${authPath}.other`, authPath);
  }

  #isIdle(): boolean {
    const snapshot = snapshotOf(this.#before as Expected);
    return whereIs(snapshot).login === 'idle' && !snapshot.hasTag('busy');
  }

  // --- what is seen

  /** The public status. */
  async #isShown(expected: Expected): Promise<void> {
    const { rig } = this.#here;
    const context = contextOf(expected);
    const { auth } = whereIs(snapshotOf(expected));
    const isStale = context.external === null && isDead(snapshotOf(expected));
    const wanted = [auth, modeOf(context), planOf(context), context.login?.kind ?? null, isStale].join();
    let got = '';
    await until(
      async () => {
        const shown = (await rig.call('engine/account/read')) as unknown as AccountSummary;
        const isMarked = shown.problem?.reason === 'refreshTokenExpired';
        got = [shown.state, shown.mode, shown.plan, shown.login, isMarked].join();
        return got === wanted;
      },
      () => `the status shows ${got}, not ${wanted}`,
    );
  }

  /** The questions of this state are asked, and no others; the browser is where it should be. */
  async #wireShows(expected: Expected): Promise<void> {
    const world = this.#here;
    const where = whereIs(snapshotOf(expected));
    const wanted = questionsOf(where.auth, where.login, where.routing, world.letGo !== undefined);
    const got = () => [...world.questions.waiting].sort().join();
    await until(
      () => got() === wanted.join(),
      () => `waiting: ${got() || 'nothing'}; should be: ${wanted.join() || 'nothing'}`,
    );
    if (where.login === 'browser.waiting')
      await until(
        () => world.login?.browser != null,
        () => 'no address for the browser',
      );
    const browser = world.login?.browser;
    if (browser == null) return;
    const isOpen = contextOf(expected).login?.kind === 'browser';
    // Of a new sign-in that shares the port nothing can be asked before its address is known.
    const seen = await get(browser.page('/nothing'));
    if (isOpen !== (seen.status === 404)) throw new Error(`the login server answers ${seen.status}`);
    if (where.login !== 'awaitingSuccess') return;
    const sent = await world.visit;
    if (!sent?.location.startsWith(browser.page('/success?')))
      throw new Error(`the browser was sent ${sent?.status}`);
  }

  /** The request has its answer if the chart has given one, and none before. */
  async #isAnswered(expected: Expected): Promise<void> {
    const world = this.#here;
    const { request, rig } = world;
    const { response: answer } = contextOf(expected);
    const isNew = answer !== world.answer;
    world.answer = answer;
    if (request === undefined) return;
    if (!isNew) {
      if (rig.log.some((one) => one.method === undefined && one.id === request))
        throw new Error('answered too early');
      return;
    }
    world.request = undefined;
    const got = await rig.response(request, LIMIT);
    const isRead = rig.log.length > 0 && answer?.kind === 'failed' && got.result !== undefined;
    // Reading the account does not fail because its tokens could not be renewed. ACC-17
    if (isRead && 'requiresOpenaiAuth' in (got.result ?? {})) return;
    const isRefused = answer?.kind === 'refused' || answer?.kind === 'failed';
    if (isRefused !== (got.error !== undefined))
      throw new Error(`the chart says ${answer?.kind}, the client got ${JSON.stringify(got)}`);
    if (answer?.kind === 'notFound' && got.result?.status !== 'notFound')
      throw new Error(`the cancel was answered ${JSON.stringify(got.result)}`);
  }

  /** The end of each sign-in was told, once. ACC-24 */
  #areTold(): void {
    const world = this.#here;
    const { rig } = world;
    const got = rig.log
      .slice(world.mark)
      .filter(({ method, params }) => method === 'account/login/completed' && params?.loginId !== null)
      .map(({ params }) => ({ loginId: params?.loginId, success: params?.success }));
    const [a, b] = [got, world.told].map((value) => JSON.stringify(value));
    if (a !== b) throw new Error(`the client was told ${a}, not ${b}`);
    world.mark = rig.mark;
    world.told = [];
  }

  #fileShows(expected: Expected): void {
    const { rig } = this.#here;
    const { auth, login } = whereIs(snapshotOf(expected));
    if (snapshotOf(expected).hasTag('busy') || login === 'saving') return;
    const { stored } = contextOf(expected);
    const file = rig.readAuth();
    const kind = file === null ? 'none' : file.tokens != null ? 'chatgpt' : 'apiKey';
    if (kind !== stored.kind) throw new Error(`the file holds ${kind}, not ${stored.kind} (${auth})`);
  }

  /** The audit says why. What else the test does to the file may have left reasons of its own. */
  async #hasReason(expected: Expected): Promise<void> {
    const world = this.#here;
    const { decision } = contextOf(expected);
    if (decision === world.decision || decision.reason === 'starting') return;
    world.decision = decision;
    let news: readonly string[] = [];
    let count = 0;
    await until(
      async () => {
        const { records } = (await world.rig.call('engine/audit/read')) as unknown as {
          readonly records: readonly { readonly subject: string; readonly reason: string }[];
        };
        count = records.length;
        const ours = records.slice(world.audited).filter(({ subject }) => subject === 'account');
        news = ours.map(({ reason }) => reason);
        return news.includes(decision.reason);
      },
      () => `the audit says ${news.join(', ') || 'nothing'}, not ${decision.reason}`,
    );
    world.audited = count;
  }
}

const snapshotOf = (expected: Expected): Snapshot => expected.snapshot as unknown as Snapshot;
const contextOf = (expected: Expected): AccountContext => snapshotOf(expected).context;
const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;

/** In the words of `account/updated`. ACC-22 */
function modeOf({ external, stored }: AccountContext): string | null {
  if (external !== null) return 'chatgptAuthTokens';
  if (stored.kind === 'chatgpt') return 'chatgpt';
  return stored.kind === 'apiKey' ? 'apikey' : null;
}

function planOf({ external, stored }: AccountContext): Plan | null {
  return external?.plan ?? (stored.kind === 'chatgpt' ? stored.account.plan : null);
}

function questionsOf(auth: string, login: string, routing: string, fileIsHeld: boolean): Question[] {
  const asked: Question[] = [];
  if (auth === 'chatgpt.refreshing') asked.push('refresh');
  if (auth === 'signingOut' && !fileIsHeld) asked.push('revoke');
  if (auth === 'external.asking') asked.push('ask');
  if (login === 'exchanging') asked.push('exchange');
  if (login === 'device.requesting') asked.push('usercode');
  if (login === 'device.polling') asked.push('devicePoll');
  // The lookup that was refused asks again once the parent app has answered.
  if (routing === 'looking' && auth !== 'external.asking') asked.push('check');
  return asked.sort();
}

/** What another program writes into the account file. */
function contentOf(expected: Expected): Record<string, unknown> {
  const { stored } = contextOf(expected);
  if (stored.kind !== 'chatgpt')
    return { auth_mode: 'apikey', OPENAI_API_KEY: `sk-${MARK}-2`, tokens: null, last_refresh: null };
  return signIn(token({ account: OURS, plan: stored.account.plan }), { account: OURS });
}

function loginOf({ result }: Incoming): BrowserLogin {
  const authUrl = new URL(String(result?.authUrl));
  const redirect = String(authUrl.searchParams.get('redirect_uri'));
  return {
    id: String(result?.loginId),
    result: result ?? {},
    authUrl,
    redirect,
    state: String(authUrl.searchParams.get('state')),
    callback: (query) => `${redirect}?${new URLSearchParams(query)}`,
    page: (path) => new URL(path, redirect).href,
  };
}

function browserOf({ login }: World): BrowserLogin {
  if (login?.browser == null) throw new Error('there is no address for the browser');
  return login.browser;
}

/** Takes the port; whoever asks it to give way is hung up on. */
function occupy(port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

let lastPort = 20_000 + (process.pid % 5_000);

/** One that no connection of the system takes by itself. */
async function freePort(): Promise<number> {
  for (;;) {
    lastPort += 1;
    const server = await occupy(lastPort).catch(() => undefined);
    if (server === undefined) continue;
    await new Promise((closed) => server.close(closed));
    return lastPort;
  }
}

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > LIMIT) throw new Error(what());
    await new Promise((done) => setTimeout(done, 3));
  }
}
