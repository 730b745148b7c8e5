import { randomBytes } from 'node:crypto';
import {
  type CodeOutcome,
  type DeviceOutcome,
  type DevicePoll,
  type ExchangeStep,
  type LoginPolicy,
  type PlaceOutcome,
  type PortOutcome,
  type SaveOutcome,
  workspaceAllowed,
} from '../../protocol/account.js';
import { type Failure, failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import type { PreparedFile } from '../../system/prepared-file.js';
import type { GrantedTokens } from '../issuer/authorization-code.js';
import type { DeviceCode } from '../issuer/device-code.js';
import type { Issuer } from '../issuer/issuer.js';
import { claimedAccountId, jwtClaims } from '../jwt.js';
import type { TokenStore } from '../tokens.js';
import type { CallbackServer } from './callback-server.js';
import { authorizeUrl, type BrowserLoginParams, successUrl } from './urls.js';

interface InteractiveLoginDeps {
  readonly issuer: () => Promise<Issuer>;
  readonly tokens: TokenStore;
  readonly policy: LoginPolicy;
  readonly now: () => number;
}

/** What a person needs to sign in. */
export interface LoginPrompt {
  readonly loginId: string;
  readonly url: string;
  /** Null: a browser sign-in. */
  readonly userCode: string | null;
  /** The URL with the code in it; null: the issuer names none. */
  readonly completeUrl: string | null;
}

/** What one sign-in holds until it ends. */
interface Login {
  readonly params: BrowserLoginParams;
  readonly verifier: Secret;
  readonly state: Secret;
  server?: CallbackServer;
  device?: DeviceCode;
  code?: { readonly code: Secret; readonly verifier: Secret };
  granted?: GrantedTokens & { readonly apiKey: Secret | undefined };
  /** Where the credentials will be written: taken before the code is used up. ACC-113 */
  place?: PreparedFile;
  /** For the client: the URL of the issuer's page, or the code to type. */
  prompt?: Omit<LoginPrompt, 'loginId'>;
}

const randomSecret = (bytes: number): Secret => new Secret(randomBytes(bytes).toString('base64url'));

/**
 * The steps of browser and device sign-ins, and the secrets between the steps. The chart `login` decides which step comes
 * next.
 */
export class InteractiveLogins {
  readonly #deps: InteractiveLoginDeps;
  readonly #logins = new Map<string, Login>();

  constructor(deps: InteractiveLoginDeps) {
    this.#deps = deps;
  }

  /** Call before the chart is notified of the sign-in. */
  prepare(loginId: string, params: BrowserLoginParams): void {
    this.#logins.set(loginId, { params, verifier: randomSecret(64), state: randomSecret(32) });
  }

  prompt(loginId: string): Login['prompt'] {
    return this.#logins.get(loginId)?.prompt;
  }

  close(loginId: string): void {
    const login = this.#logins.get(loginId);
    login?.server?.close();
    void login?.place?.discard().catch(() => {});
    this.#logins.delete(loginId);
  }

  /** Whether a sign-in can be saved. Nothing is left behind. ACC-113 */
  async checkPlace(): Promise<PlaceOutcome> {
    const prepared = await this.#deps.tokens.prepareSignIn();
    if (prepared.kind === 'failed') return prepared;
    await prepared.place.discard();
    return { kind: 'prepared' };
  }

  /** Opens the callback server on this port, and makes the URL for the browser. ACC-70, ACC-71 */
  async openPort(loginId: string, port: number, signal: AbortSignal): Promise<PortOutcome> {
    const login = this.#get(loginId);
    const { openCallbackServer } = await import('./callback-port.js');
    const server = await openCallbackServer(port, login.state);
    if (server === undefined) return { kind: 'inUse' };
    if (signal.aborted || !this.#logins.has(loginId)) {
      server.close();
      signal.throwIfAborted();
    }
    login.server = server;
    const { address } = await this.#deps.issuer();
    const { workspaces } = this.#deps.policy;
    const { originator } = login.params;
    const url = authorizeUrl(address, { ...login, redirectUri: server.redirectUri, originator, workspaces });
    login.prompt = { url, userCode: null, completeUrl: null };
    return { kind: 'opened' };
  }

  /** Asks the program that uses the port to cancel its sign-in. ACC-70 */
  async requestCancel(port: number): Promise<void> {
    const { requestCancel } = await import('./callback-port.js');
    await requestCancel(port);
  }

  async awaitCallback(loginId: string, signal: AbortSignal): Promise<CodeOutcome> {
    const login = this.#get(loginId);
    const callback = await serverOf(login).callback(signal);
    switch (callback.kind) {
      case 'refused':
        return this.#failed('loginRefused', callback.message);
      case 'cancelled':
        return this.#failed('loginCancelled', 'Login cancelled');
      case 'code':
        login.code = { code: callback.code, verifier: login.verifier };
        return { kind: 'code' };
    }
  }

  /** Resolves when another program asks for the port; never for a device sign-in. */
  awaitOther(loginId: string): Promise<void> {
    const cancelled = this.#get(loginId).server?.cancelled;
    return new Promise((resolve) => {
      if (cancelled?.aborted === true) resolve();
      else cancelled?.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Requests a device code. ACC-79 */
  async requestDeviceCode(loginId: string, signal: AbortSignal): Promise<DeviceOutcome> {
    const login = this.#get(loginId);
    const issuer = await this.#deps.issuer();
    const outcome = await issuer.requestDeviceCode(signal);
    if (outcome.kind !== 'granted') return { kind: 'failed', failure: outcome.failure };
    const { userCode, completeUrl, interval } = outcome.device;
    login.device = outcome.device;
    login.prompt = { url: `${issuer.address.issuer}/codex/device`, userCode, completeUrl };
    return { kind: 'opened', interval };
  }

  /** Asks once whether the device code was typed. ACC-80 */
  async pollDevice(loginId: string, signal: AbortSignal): Promise<DevicePoll> {
    const login = this.#get(loginId);
    const { device } = login;
    if (device === undefined) throw new Error('no device code was requested');
    const issuer = await this.#deps.issuer();
    const outcome = await issuer.pollDeviceCode(device, signal);
    if (outcome.kind !== 'code') return outcome;
    login.code = outcome;
    return { kind: 'code' };
  }

  /** Exchanges the code of a browser or device sign-in for tokens. ACC-75 */
  async exchange(loginId: string, signal: AbortSignal): Promise<ExchangeStep> {
    const login = this.#get(loginId);
    const { code, server } = login;
    if (code === undefined) throw new Error('no authorization code was received');
    const prepared = await this.#deps.tokens.prepareSignIn();
    if (prepared.kind === 'failed') return prepared;
    login.place = prepared.place;
    // The sign-in may have ended meanwhile, and nobody else would remove what was prepared.
    if (signal.aborted) await this.#discard(login);
    signal.throwIfAborted();
    const issuer = await this.#deps.issuer();
    const redirectUri = server?.redirectUri ?? `${issuer.address.issuer}/deviceauth/callback`;
    const outcome = await issuer.exchange({ ...code, redirectUri }, signal);
    if (outcome.kind === 'failed') return outcome;
    const { tokens } = outcome;
    const accountId = claimedAccountId(jwtClaims(tokens.idToken.reveal()));
    const { policy } = this.#deps;
    if (!workspaceAllowed(policy, accountId ?? null)) {
      const allowed = policy.workspaces?.join(', ') ?? '';
      return this.#failed('authWrongWorkspace', `Login is restricted to workspace id(s) ${allowed}.`);
    }
    const apiKey = server === undefined ? undefined : await issuer.exchangeApiKey(tokens.idToken, signal);
    login.granted = { ...tokens, apiKey };
    return { kind: 'granted' };
  }

  /** Saves the credentials. When this succeeds, the sign-in is a success. ACC-76 */
  async save(loginId: string): Promise<SaveOutcome> {
    const login = this.#get(loginId);
    const { granted, server, params, place } = login;
    delete login.place;
    if (granted === undefined) throw new Error('no tokens were granted');
    const { address } = await this.#deps.issuer();
    const { idToken, accessToken } = granted;
    const accountId =
      claimedAccountId(jwtClaims(idToken.reveal())) ?? claimedAccountId(jwtClaims(accessToken.reveal()));
    const outcome = await this.#deps.tokens.storeSignIn(
      { ...granted, accountId, issuer: address.issuer, clientId: address.clientId },
      // Never aborted: the issuer does not grant these tokens a second time.
      new AbortController().signal,
      place,
    );
    if (outcome.kind === 'failed') return outcome;
    if (server === undefined) return { kind: 'saved', stored: outcome.stored, page: 'none' };
    server.redirect(successUrl(params, server.port, granted));
    return { kind: 'saved', stored: outcome.stored, page: params.hostedSuccessPage ? 'hosted' : 'local' };
  }

  /** Waits until the browser has fetched the local success page. */
  async awaitSuccess(loginId: string, signal: AbortSignal): Promise<void> {
    await serverOf(this.#get(loginId)).success(signal);
  }

  /** Shows the failure in the browser that brought the code. */
  showFailure(loginId: string, { message }: Failure): void {
    this.#logins.get(loginId)?.server?.fail(message);
  }

  async #discard(login: Login): Promise<void> {
    const { place } = login;
    delete login.place;
    await place?.discard();
  }

  #get(loginId: string): Login {
    const login = this.#logins.get(loginId);
    if (login === undefined) throw new Error('this sign-in has ended');
    return login;
  }

  #failed(reason: Reason, message: string): { readonly kind: 'failed'; readonly failure: Failure } {
    return { kind: 'failed', failure: failure(reason, message, this.#deps.now()) };
  }
}

function serverOf({ server }: Login): CallbackServer {
  if (server === undefined) throw new Error('no callback server is open');
  return server;
}
