/**
 * Plays a path against the account of a real engine: a JSON-RPC client, the account file, the issuer, the workspace
 * lookup of the backend, a parent app and a browser. A state is reached when the public status shows it, exactly the
 * questions of that state wait on the wire, each request has its response, the client was notified of the end of a
 * sign-in, and the file has the right content.
 */
import { randomUUID } from 'node:crypto';
import type { Driver, Expected, Path, Step } from '../../../../src/testing/index.js';
import { type BrowserLogin, get, type Incoming, Rig } from '../../../account/rig.js';
import { granted, LoopbackIssuer, MARK, signIn, token, workspaces } from '../../../support/issuer.js';
import {
  checkFile,
  checkNotifications,
  checkReason,
  checkResponse,
  checkStatus,
  checkWire,
  contextOf,
  snapshotOf,
} from './checks.js';
import { BROKEN, DENIED, DEVICE_CODE, Questions, REFUSED_FOR_GOOD, USER_CODE } from './gate.js';
import {
  automaticActor,
  isLookedUpNext,
  isTransient,
  OURS,
  PARENTS,
  PLANS,
  type Start,
  whereIs,
} from './model.js';
import { freePort, occupy, World } from './world.js';

export class AccountDriver implements Driver {
  readonly #start: Start;
  #world: World | undefined;
  #path: Path | undefined;
  /** Number of steps performed. */
  #at = 0;
  #before: Expected | undefined;
  /** The first step is a file that the engine reads at its start. */
  #startsWithFile = false;
  /** Id of the sign-in in progress before the last step. */
  #loginId = '';

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
    const [first, second] = played.steps;
    const { settings } = this.#start;
    // With a file at the start, the engine looks up the workspace for the first client that initializes. ACC-12
    const looksUp = settings.workspaceRouting === true && second?.event.type !== 'WORKSPACE.REQUESTED';
    this.#startsWithFile = first?.event.type === 'STORED.CHANGED' && !looksUp;
    const rig = await Rig.start({
      ...settings,
      at,
      loginPorts: [port],
      ...(this.#startsWithFile && first !== undefined ? { auth: contentOf(first.expected) } : {}),
    });
    rig.onAsk = () => questions.requestExternalTokens();
    this.#world = new World(rig, at, questions, port);
    // A start with a file has already performed the first step.
    if (!this.#startsWithFile) await checkStatus(this.#running, played.start);
  }

  async act(step: Step): Promise<void> {
    this.#at += 1;
    const before = this.#before;
    if (before === undefined) throw new Error('the path was not started');
    this.#loginId = this.#running.login?.id ?? '';
    if (step.kind === 'event') await this.#send(step, before);
    else if (step.actor !== null) await this.#complete(step.actor, step.value, before);
    this.#before = step.expected;
  }

  async check(expected: Expected, step: Step | null): Promise<void> {
    const world = this.#running;
    const { endedLogin } = contextOf(expected);
    if (expected.effects.some(({ name }) => name === 'notifyCompleted' || name === 'notifyDisplaced')) {
      world.completed.push({ loginId: this.#loginId, success: endedLogin?.failure === null });
    }
    if (step === null || isTransient(snapshotOf(expected))) return;
    await checkStatus(world, expected);
    await checkWire(world, expected);
    await checkResponse(world, expected);
    checkNotifications(world);
    // A sign-in that failed before it wrote has left the file held.
    if (world.fileIsHeld && isIdle(expected)) await world.releaseFile();
    await world.repairFile();
    checkFile(world, expected);
    await checkReason(world, expected);
  }

  async end(): Promise<void> {
    const world = this.#world;
    this.#world = undefined;
    await world?.close();
  }

  get #running(): World {
    if (this.#world === undefined) throw new Error('the path was not started');
    return this.#world;
  }

  // --- events

  async #send({ event, expected }: Step, before: Expected): Promise<void> {
    const world = this.#running;
    const { rig } = world;
    const start = (params: object) => rig.send('account/login/start', params);
    switch (event.type) {
      case 'STORED.CHANGED':
        // A start with a file has read it already.
        if (this.#at > 1 || !this.#startsWithFile) await rig.replaceAuth(contentOf(expected));
        return;
      case 'LOGIN.API_KEY':
        if (whereIs(snapshotOf(expected)).auth === 'storingApiKey') await world.holdFile();
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
        // Any request to change the account finishes the sign-in; this one is refused.
        await rig.external('no token', PARENTS);
        return;
      case 'LOGOUT': {
        const { stored, external } = contextOf(before);
        if (external === null && stored.kind === 'apiKey') await world.holdFile();
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
      case 'SIGN_IN.OPENED':
      case 'SIGN_IN.APPROVED':
      case 'SIGN_IN.SAVING':
      case 'SIGN_IN.SAVED':
      case 'SIGN_IN.COMPLETING':
        if (automaticActor(snapshotOf(before)) === 'login') return;
        return this.#progress(whereIs(snapshotOf(before)).login);
      default:
        throw new Error(`the event ${event.type} cannot be played`);
    }
  }

  /** The step of the sign-in in this state succeeds. */
  async #progress(login: string): Promise<void> {
    const world = this.#running;
    const { questions } = world;
    switch (login) {
      case 'device.requesting':
        return questions.answer('usercode', USER_CODE);
      case 'browser.waiting': {
        const browser = browserOf(world);
        // A valid callback is answered when the sign-in is saved.
        world.visit = get(browser.callback({ code: `code-${MARK}`, state: browser.state }));
        return;
      }
      case 'device.polling':
        return questions.answer('devicePoll', DEVICE_CODE);
      case 'exchanging':
        await world.holdFile();
        return questions.answer('exchange', granted(token({ account: OURS, plan: PLANS.signIn })));
      case 'saving':
        return world.releaseFile();
      case 'awaitingSuccess': {
        const sent = await world.visit;
        await get(sent?.location ?? '');
        return;
      }
      default:
        throw new Error(`the sign-in does not progress in ${login}`);
    }
  }

  /** The step of the sign-in in this state fails. */
  async #failLogin(login: string): Promise<void> {
    const world = this.#running;
    const { questions } = world;
    switch (login) {
      case 'device.requesting':
        return questions.answer('usercode', BROKEN);
      case 'browser.waiting': {
        const browser = browserOf(world);
        world.visit = get(browser.callback({ error: 'access_denied', state: browser.state }));
        return;
      }
      case 'device.polling':
        return questions.answer('devicePoll', DENIED);
      case 'exchanging':
        return questions.answer('exchange', BROKEN);
      case 'saving':
        await world.breakFile();
        return world.releaseFile();
      default:
        throw new Error(`the sign-in does not fail in ${login}`);
    }
  }

  async #signIn(browser: boolean): Promise<void> {
    const world = this.#running;
    const { rig } = world;
    const next = this.#path?.steps[this.#at];
    const isBusy = next?.actor === 'login' && kindOf(next.value) === 'notOpened';
    const other = isBusy ? await occupy(world.port) : undefined;
    const request = rig.send('account/login/start', { type: browser ? 'chatgpt' : 'chatgptDeviceCode' });
    world.request = request;
    // The response has the id of the sign-in.
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

  // --- outcomes

  async #complete(actor: string, value: unknown, before: Expected): Promise<void> {
    const world = this.#running;
    const { questions } = world;
    const isGood = kindOf(value) !== 'failed';
    if (automaticActor(snapshotOf(before)) === actor) return;
    switch (actor) {
      case 'login':
        return this.#failLogin(whereIs(snapshotOf(before)).login);
      case 'storeApiKey':
        if (!isGood) await world.breakFile();
        return world.releaseFile();
      case 'signOut':
        if (!isGood) await world.breakFile();
        if (world.fileIsHeld) return world.releaseFile();
        return questions.answer('revoke', { status: 200 });
      case 'refreshTokens': {
        const fresh = granted(token({ account: OURS, plan: PLANS.refreshed }));
        // Another program has redeemed the refresh token: its tokens are in the file already.
        const isUsed = kindOf(value) === 'reloaded' || kindOf(value) === 'permanent';
        return questions.answer('refresh', isUsed ? REFUSED_FOR_GOOD : isGood ? fresh : BROKEN);
      }
      case 'requestExternalTokens':
        return questions.answer(
          'externalTokens',
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
        const [last] = world.at.of('check').slice(-1);
        const id = String(last?.headers['chatgpt-account-id']);
        return questions.answer('check', isGood ? { json: workspaces(id) } : BROKEN);
      }
      default:
        throw new Error(`the actor ${actor} cannot be played`);
    }
  }
}

const isIdle = (expected: Expected): boolean =>
  whereIs(snapshotOf(expected)).login === 'idle' && !snapshotOf(expected).hasTag('busy');
const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;

/** Content that another program writes to the account file. */
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
