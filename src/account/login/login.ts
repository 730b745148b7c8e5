import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoginPolicy, type LoginStep, workspaceAllowed } from '../../protocol/account.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import type { Issuer } from '../issuer/issuer.js';
import { claimedAccountId, jwtClaims } from '../jwt.js';
import type { TokenStore } from '../tokens.js';
import type { LoginPrompt } from '../types.js';
import type { LoginServer } from './server.js';

/** What a client may wish for its browser sign-in. ACC-23 */
export interface BrowserLoginParams {
  /** `clientInfo.name` of who asks. ACC-71 */
  readonly originator: string;
  readonly streamlined: boolean;
  readonly hostedSuccessPage: boolean;
  readonly appBrand: 'codex' | 'chatgpt' | null;
}

export interface LoginsOptions {
  readonly issuer: () => Promise<Issuer>;
  readonly tokens: TokenStore;
  readonly policy: LoginPolicy;
  readonly now: () => number;
  readonly ports: readonly number[] | undefined;
}

interface Granted {
  readonly idToken: Secret;
  readonly accessToken: Secret;
  readonly refreshToken: Secret;
  readonly apiKey: Secret | undefined;
}

/** What one sign-in holds until it ends. */
interface Attempt {
  readonly wish: BrowserLoginParams;
  readonly verifier: Secret;
  readonly state: Secret;
  server?: LoginServer;
  device?: { readonly id: Secret; readonly userCode: string; readonly interval: number };
  code?: { readonly code: Secret; readonly verifier: Secret };
  granted?: Granted;
  /** For the client: address of the issuer's page, or the code to type. */
  shown?: Omit<LoginPrompt, 'loginId'>;
}

const DEVICE_LIMIT = 15 * 60_000;
const SCOPE = 'openid profile email offline_access api.connectors.read api.connectors.invoke';
const HOSTED_SUCCESS = 'https://chatgpt.com/codex/open-app';
const PLATFORM_URL = 'https://platform.openai.com';

const random = (bytes: number): Secret => new Secret(randomBytes(bytes).toString('base64url'));

/** The steps of interactive sign-ins, with the secrets between them. The chart decides which step is next. */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #attempts = new Map<string, Attempt>();

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** Before the chart is told of it. */
  prepare(loginId: string, wish: BrowserLoginParams): void {
    this.#attempts.set(loginId, { wish, verifier: random(64), state: random(32) });
  }

  shown(loginId: string): Attempt['shown'] {
    return this.#attempts.get(loginId)?.shown;
  }

  close(loginId: string): void {
    this.#attempts.get(loginId)?.server?.close();
    this.#attempts.delete(loginId);
  }

  /** Opens the callback server and makes the URL for the browser. ACC-70, ACC-71 */
  async open(loginId: string, signal: AbortSignal): Promise<LoginStep> {
    const attempt = this.#at(loginId);
    const { openLoginServer } = await import('./server.js');
    const server = await openLoginServer({ state: attempt.state, ports: this.#options.ports }, signal);
    if (server === undefined) {
      return this.#fail('loginPortsBusy', 'other programs hold the ports 1455 and 1457 of 127.0.0.1');
    }
    if (!this.#attempts.has(loginId)) {
      server.close();
      signal.throwIfAborted();
    }
    attempt.server = server;
    const { address } = await this.#options.issuer();
    attempt.shown = { url: this.#authUrl(attempt, server, address), userCode: null, completeUrl: null };
    return { kind: 'opened' };
  }

  async awaitCallback(loginId: string, signal: AbortSignal): Promise<LoginStep> {
    const attempt = this.#at(loginId);
    const server = serverOf(attempt);
    const callback = await server.callback(signal);
    switch (callback.kind) {
      case 'refused':
        return this.#fail('loginRefused', callback.message);
      case 'cancelled':
        return this.#fail('loginCancelled', 'Login cancelled');
      case 'code':
        attempt.code = { code: callback.code, verifier: attempt.verifier };
        return { kind: 'code' };
    }
  }

  /** Requests a device code. ACC-79 */
  async requestDevice(loginId: string, signal: AbortSignal): Promise<LoginStep> {
    const attempt = this.#at(loginId);
    const issuer = await this.#options.issuer();
    const outcome = await issuer.requestDeviceCode(signal);
    if (outcome.kind !== 'granted') return { kind: 'failed', failure: outcome.failure };
    const { deviceAuthId, userCode, completeUrl, interval } = outcome;
    attempt.device = { id: deviceAuthId, userCode, interval };
    attempt.shown = { url: `${issuer.address.issuer}/codex/device`, userCode, completeUrl };
    return { kind: 'opened' };
  }

  /** Polls until the device code is entered, is denied, or expires. ACC-80 */
  async pollDevice(loginId: string, signal: AbortSignal): Promise<LoginStep> {
    const attempt = this.#at(loginId);
    const { device } = attempt;
    if (device === undefined) throw new Error('no device code was asked for');
    const issuer = await this.#options.issuer();
    const deadline = performance.now() + DEVICE_LIMIT;
    for (;;) {
      const outcome = await issuer.pollDevice({ deviceAuthId: device.id, userCode: device.userCode }, signal);
      if (outcome.kind === 'code') {
        attempt.code = outcome;
        return { kind: 'code' };
      }
      // A network that is away for a moment must not end a sign-in that a person has nearly finished.
      if (outcome.kind === 'failed' && outcome.failure.reason !== 'issuerUnreachable') return outcome;
      if (performance.now() + device.interval > deadline) {
        return outcome.kind === 'failed'
          ? outcome
          : this.#fail('loginTimedOut', 'device auth timed out after 15 minutes');
      }
      await sleep(device.interval, undefined, { signal });
    }
  }

  /** Exchanges the code of either sign-in for tokens. ACC-75 */
  async exchange(loginId: string, signal: AbortSignal): Promise<LoginStep> {
    const attempt = this.#at(loginId);
    const cancelled = attempt.server?.cancelled;
    const either = cancelled === undefined ? signal : AbortSignal.any([signal, cancelled]);
    const step = await this.#exchange(attempt, either).catch((error: unknown): LoginStep => {
      if (cancelled?.aborted !== true || signal.aborted) throw error;
      return this.#fail('loginCancelled', 'Login cancelled');
    });
    if (step.kind === 'failed') attempt.server?.sendError(step.failure.message);
    return step;
  }

  async #exchange(attempt: Attempt, signal: AbortSignal): Promise<LoginStep> {
    const { code, server } = attempt;
    if (code === undefined) throw new Error('no code came');
    const issuer = await this.#options.issuer();
    const redirectUri = server?.redirectUri ?? `${issuer.address.issuer}/deviceauth/callback`;
    const outcome = await issuer.exchange({ ...code, redirectUri }, signal);
    if (outcome.kind === 'failed') return outcome;
    const accountId = claimedAccountId(jwtClaims(outcome.idToken.reveal()));
    const { policy } = this.#options;
    if (!workspaceAllowed(policy, accountId ?? null)) {
      const allowed = policy.workspaces?.join(', ') ?? '';
      return this.#fail('authWrongWorkspace', `Login is restricted to workspace id(s) ${allowed}.`);
    }
    const apiKey = server === undefined ? undefined : await issuer.exchangeApiKey(outcome.idToken, signal);
    attempt.granted = { ...outcome, apiKey };
    return { kind: 'granted' };
  }

  /** ACC-76: from here on the sign-in is a success. */
  async save(loginId: string): Promise<LoginStep> {
    const attempt = this.#at(loginId);
    const { granted, server, wish } = attempt;
    if (granted === undefined) throw new Error('no tokens were given');
    const { address } = await this.#options.issuer();
    const claims = jwtClaims(granted.idToken.reveal());
    const accountId = claimedAccountId(claims) ?? claimedAccountId(jwtClaims(granted.accessToken.reveal()));
    const outcome = await this.#options.tokens.storeSignIn(
      { ...granted, accountId, issuer: address.issuer, clientId: address.clientId },
      // What has been given is kept: a sign-in that is already paid for is not thrown away.
      neverAborted,
    );
    if (outcome.kind === 'failed') {
      server?.sendError(outcome.failure.message);
      return outcome;
    }
    const page = server === undefined ? 'none' : wish.hostedSuccessPage ? 'hosted' : 'local';
    server?.sendOn(successLocation(attempt, server, granted));
    return { kind: 'saved', stored: outcome.stored, page };
  }

  async awaitSuccess(loginId: string, signal: AbortSignal): Promise<LoginStep> {
    await serverOf(this.#at(loginId)).success(signal);
    return { kind: 'finished' };
  }

  #authUrl(
    { wish, state, verifier }: Attempt,
    server: LoginServer,
    address: { readonly issuer: string; readonly clientId: string },
  ): string {
    const challenge = createHash('sha256').update(verifier.reveal()).digest('base64url');
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: address.clientId,
      redirect_uri: server.redirectUri,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state: state.reveal(),
      scope: SCOPE,
      id_token_add_organizations: 'true',
      codex_cli_simplified_flow: 'true',
      originator: wish.originator,
    });
    const { workspaces } = this.#options.policy;
    if (workspaces !== null) query.set('allowed_workspace_id', workspaces.join(','));
    return `${address.issuer}/oauth/authorize?${query}`;
  }

  #at(loginId: string): Attempt {
    const attempt = this.#attempts.get(loginId);
    if (attempt === undefined) throw new Error('this sign-in has ended');
    return attempt;
  }

  #fail(reason: Reason, message: string): { readonly kind: 'failed'; readonly failure: Failure } {
    return { kind: 'failed', failure: { reason, message, at: this.#options.now() } };
  }
}

function serverOf(attempt: Attempt): LoginServer {
  if (attempt.server === undefined) throw new Error('no callback server is open');
  return attempt.server;
}

/** Where the browser goes after the sign-in. ACC-76 */
function successLocation({ wish }: Attempt, server: LoginServer, granted: Granted): string {
  if (wish.hostedSuccessPage) {
    return `${HOSTED_SUCCESS}?${new URLSearchParams({ source: 'login', app_brand: wish.appBrand ?? 'codex' })}`;
  }
  const auth = jwtClaims(granted.idToken.reveal())?.['https://api.openai.com/auth'];
  const accessAuth = jwtClaims(granted.accessToken.reveal())?.['https://api.openai.com/auth'];
  const claim = (from: unknown, name: string): unknown => (isRecord(from) ? from[name] : undefined);
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const needsSetup =
    claim(auth, 'completed_platform_onboarding') !== true && claim(auth, 'is_org_owner') === true;
  const query = new URLSearchParams({
    id_token: granted.idToken.reveal(),
    needs_setup: String(needsSetup),
    org_id: text(claim(auth, 'organization_id')),
    project_id: text(claim(auth, 'project_id')),
    plan_type: text(claim(accessAuth, 'chatgpt_plan_type')),
    platform_url: PLATFORM_URL,
    ...(wish.streamlined ? { codex_streamlined_login: 'true' } : {}),
  });
  return `http://127.0.0.1:${server.port}/success?${query}`;
}

const neverAborted = new AbortController().signal;
