/**
 * A loopback OAuth issuer, with the backend routes that the account needs: authorize, token (code, refresh, key
 * exchange), revoke, device code, enroll, workspaces. A test scripts the responses of each route, and reads the requests.
 */
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { listen, type RunningServer } from './http.js';

export type Route =
  | 'refresh'
  | 'exchange'
  | 'keyExchange'
  | 'revoke'
  | 'authorize'
  | 'usercode'
  | 'devicePoll'
  | 'check'
  | 'enroll'
  | 'serverRefresh'
  | 'other';

export interface Seen {
  readonly route: Route;
  readonly method: string;
  readonly url: URL;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** Members of a JSON or form body. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly bearer: string | undefined;
  /** Aborted when the client disconnects before the response. */
  readonly gone: AbortSignal;
}

export interface Scripted {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The response is sent when this resolves. */
  readonly after?: Promise<unknown>;
  /** `hang`: no response. `drop`: the connection is closed. */
  readonly fate?: 'hang' | 'drop';
}
type Answer = Scripted | ((seen: Seen) => Scripted | Promise<Scripted>);

export interface TokenOptions {
  readonly email?: string | null;
  readonly account?: string | null;
  readonly plan?: unknown;
  readonly user?: string | null;
  /** Unix seconds; null leaves it out. */
  readonly exp?: number | null;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Each secret of the tests contains this, so that one search finds every leak. */
export const MARK = 'sEcReT';
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const IN_A_MONTH = 30 * 86_400;

/** A new unsigned token. */
export function token(options: TokenOptions = {}): string {
  const { email = 'user@example.com', account = 'acct-1', plan = 'pro', user = 'user-1' } = options;
  const exp = options.exp === undefined ? Math.floor(Date.now() / 1_000) + IN_A_MONTH : options.exp;
  const claims = {
    ...(email === null ? {} : { email }),
    ...(exp === null ? {} : { exp }),
    jti: randomBytes(9).toString('base64url'),
    'https://api.openai.com/auth': {
      ...(account === null ? {} : { chatgpt_account_id: account }),
      ...(plan === null ? {} : { chatgpt_plan_type: plan }),
      ...(user === null ? {} : { chatgpt_user_id: user }),
    },
    ...options.claims,
  };
  return `${part({ alg: 'none' })}.${part(claims)}.${MARK}${randomBytes(4).toString('hex')}`;
}

export function signIn(
  access: string,
  more: {
    refresh?: string | null;
    account?: string | null;
    lastRefresh?: string;
    extra?: object;
    tokens?: object;
  } = {},
): Record<string, unknown> {
  const { refresh = `rt-${MARK}-1`, account = 'acct-1', lastRefresh = new Date().toISOString() } = more;
  return {
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: {
      id_token: access,
      access_token: access,
      ...(refresh === null ? {} : { refresh_token: refresh }),
      ...(account === null ? {} : { account_id: account }),
      ...more.tokens,
    },
    last_refresh: lastRefresh,
    ...more.extra,
  };
}

export const granted = (access: string, refresh = `rt-${MARK}-2`): Scripted => ({
  json: { id_token: access, access_token: access, refresh_token: refresh },
});
export const oauthError = (status: number, code: string): Scripted => ({
  status,
  json: { error: { code, message: 'scripted' } },
});

/** The parameters of the authorize URL, in this order. ACC-71 */
export const AUTHORIZE_PARAMS = [
  'response_type',
  'client_id',
  'redirect_uri',
  'code_challenge',
  'code_challenge_method',
  'state',
  'scope',
  'id_token_add_organizations',
  'codex_cli_simplified_flow',
  'originator',
] as const;

export class LoopbackIssuer {
  readonly seen: Seen[] = [];
  readonly #server: RunningServer<http.Server>;
  readonly #queues = new Map<Route, Answer[]>();
  readonly #always = new Map<Route, Answer>();
  readonly #waiters = new Set<() => void>();

  private constructor(server: RunningServer<http.Server>) {
    this.#server = server;
    server.server.on('request', (request, response) => this.#serve(request, response));
    server.server.on('upgrade', (_request, socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n');
    });
    this.always('exchange', { status: 500 });
    this.always('refresh', { status: 500, json: { error: 'nothing scripted' } });
    this.always('keyExchange', { status: 400 });
    this.always('usercode', {
      json: { device_auth_id: `dev-${MARK}`, user_code: 'ABCD-1234', interval: '1' },
    });
    this.always('devicePoll', { status: 403 });
    this.always('other', { status: 404 });
    this.always('enroll', { json: enrolled() });
    this.always('serverRefresh', { json: enrolled() });
    // The person confirms at once.
    this.always('authorize', ({ url }) => {
      const back = new URL(url.searchParams.get('redirect_uri') ?? '');
      back.searchParams.set('code', `code-${MARK}`);
      back.searchParams.set('state', url.searchParams.get('state') ?? '');
      return { status: 302, headers: { location: back.href } };
    });
    this.always('check', ({ headers }) => ({ json: workspaces(String(headers['chatgpt-account-id'])) }));
  }

  static async start(): Promise<LoopbackIssuer> {
    return new LoopbackIssuer(await listen(http.createServer()));
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Each response is sent once, in this order; then that of `always`. */
  script(route: Route, ...answers: Answer[]): void {
    this.#queues.set(route, [...(this.#queues.get(route) ?? []), ...answers]);
  }

  always(route: Route, answer: Answer): void {
    this.#always.set(route, answer);
  }

  of(...routes: Route[]): Seen[] {
    return this.seen.filter(({ route }) => routes.includes(route));
  }

  /** Waits for the n-th request of a route. */
  async asked(route: Route, n = 1, limitMs = 5_000): Promise<Seen> {
    const found = this.of(route)[n - 1];
    if (found !== undefined) return found;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        reject(new Error(`no ${route} number ${n}; seen: ${this.seen.map((one) => one.route).join(' ')}`));
      }, limitMs);
      const check = (): void => {
        const one = this.of(route)[n - 1];
        if (one === undefined) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve(one);
      };
      this.#waiters.add(check);
    });
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const parts: Buffer[] = [];
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('data', (chunk: Buffer) => parts.push(chunk));
    request.on('end', () => void this.#answer(request, Buffer.concat(parts).toString(), response));
  }

  async #answer(request: http.IncomingMessage, body: string, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.origin);
    const type = request.headers['content-type'] ?? '';
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const one: Seen = {
      route: routeOf(url.pathname, type, body),
      method: request.method ?? '',
      url,
      headers: request.headers,
      body,
      fields: fieldsOf(type, body),
      bearer,
      gone: gone.signal,
    };
    this.seen.push(one);
    for (const wake of [...this.#waiters]) wake();
    const answer = this.#queues.get(one.route)?.shift() ?? this.#always.get(one.route) ?? {};
    const scripted = typeof answer === 'function' ? await answer(one) : answer;
    await scripted.after;
    if (scripted.fate === 'hang') return;
    if (scripted.fate === 'drop') {
      request.socket.destroy();
      return;
    }
    const text = scripted.text ?? JSON.stringify(scripted.json ?? {});
    response.writeHead(scripted.status ?? 200, { 'content-type': 'application/json', ...scripted.headers });
    response.end(text);
  }
}

function routeOf(path: string, type: string, body: string): Route {
  if (path === '/oauth/token') {
    if (type.includes('json')) return 'refresh';
    return body.includes('grant_type=authorization_code') ? 'exchange' : 'keyExchange';
  }
  if (path === '/oauth/revoke') return 'revoke';
  if (path === '/oauth/authorize') return 'authorize';
  if (path === '/api/accounts/deviceauth/usercode') return 'usercode';
  if (path === '/api/accounts/deviceauth/token') return 'devicePoll';
  if (path.endsWith('/wham/accounts/check')) return 'check';
  if (path.endsWith('/server/enroll')) return 'enroll';
  return path.endsWith('/server/refresh') ? 'serverRefresh' : 'other';
}

function fieldsOf(type: string, body: string): Readonly<Record<string, unknown>> {
  if (type.includes('urlencoded')) return Object.fromEntries(new URLSearchParams(body));
  try {
    return JSON.parse(body) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

const enrolled = () => ({
  server_id: 'srv-1',
  environment_id: 'env-1',
  remote_control_token: `server-${MARK}`,
  expires_at: new Date(Date.now() + 3_600_000).toISOString(),
});

export const workspaces = (id: string, more: object = {}) => ({
  accounts: [
    {
      id,
      name: `Acme ${id}`,
      workspace_backend_origin: 'https://localhost:9',
      account_routing_override: 'NO_CONSTRAINT',
      ...more,
    },
  ],
});
