/** The two peers of the backend in their simplest form, a server and a controller, and helpers that wait for events. */
import { WebSocket } from 'ws';
import type { Backend, BackendEvent } from '../../src/backend/index.js';
import { type ClaimedController, claim } from '../../src/controller/claim.js';
import { Controller } from '../../src/controller/controller.js';

export const INSTALLATION = '7d0c5a2e-9c1f-4f0e-8a55-2f6a6c1b0001';
export const ACCOUNT = { authorization: 'Bearer access-token', 'chatgpt-account-id': 'account-A' };
const DEADLINE = 5_000;

type Headers = Record<string, string>;
export interface ApiResponse {
  readonly status: number;
  readonly headers: globalThis.Headers;
  readonly body: Record<string, unknown>;
  readonly text: string;
}

export async function call(
  url: string,
  options: { method?: string; headers?: Headers; body?: unknown; signal?: AbortSignal } = {},
): Promise<ApiResponse> {
  const { method = 'POST', headers = {}, body, signal } = options;
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  let parsed: unknown = {};
  try {
    parsed = JSON.parse(text);
  } catch {
    // Some responses have no body, and some are not JSON on purpose.
  }
  return {
    status: response.status,
    headers: response.headers,
    body: parsed as Record<string, unknown>,
    text,
  };
}

export interface Identity {
  readonly serverId: string;
  readonly environmentId: string;
  readonly token: string;
  readonly expiresAt: number;
}

export const ENROLL_BODY = {
  name: 'laptop',
  os: 'linux',
  arch: 'x86_64',
  app_server_version: '1.0.0',
  installation_id: INSTALLATION,
};

/** Also one that runs in another process. */
export type BackendUrl = Pick<Backend, 'url'>;

export function controlUrl(backend: BackendUrl, path: string): string {
  return `${backend.url}/wham/remote/control/${path}`;
}

export async function enroll(backend: BackendUrl, headers: Headers = ACCOUNT): Promise<Identity> {
  return readIdentity(
    await call(controlUrl(backend, 'server/enroll'), {
      headers: { ...headers, 'x-codex-installation-id': INSTALLATION },
      body: ENROLL_BODY,
    }),
  );
}

export function refreshCall(
  backend: BackendUrl,
  serverId: string,
  headers: Headers = ACCOUNT,
): Promise<ApiResponse> {
  return call(controlUrl(backend, 'server/refresh'), {
    headers: { ...headers, 'x-codex-installation-id': INSTALLATION },
    body: { server_id: serverId, installation_id: INSTALLATION },
  });
}

export function readIdentity(response: ApiResponse): Identity {
  if (response.status !== 200) throw new Error(`enrollment failed: ${response.status} ${response.text}`);
  const { server_id, environment_id, remote_control_token, expires_at } = response.body;
  return {
    serverId: String(server_id),
    environmentId: String(environment_id),
    token: String(remote_control_token),
    expiresAt: Date.parse(String(expires_at)),
  };
}

export function serverHeaders(identity: Identity, extra: Headers = {}): Headers {
  return {
    authorization: `Bearer ${identity.token}`,
    'x-codex-server-id': identity.serverId,
    'x-codex-name': Buffer.from('laptop').toString('base64'),
    'x-codex-protocol-version': '3',
    'x-codex-installation-id': INSTALLATION,
    ...extra,
  };
}

export interface Frame {
  readonly type: string;
  readonly client_id: string;
  readonly stream_id: string;
  readonly seq_id: number;
  readonly cursor: string;
  readonly message: Record<string, unknown> & { id: number | string; method: string };
  readonly segment_id: number;
  readonly segment_count: number;
  readonly message_size_bytes: number;
  readonly message_chunk_base64: string;
  /** The text as it was received. */
  readonly raw: string;
}

/** Opens a socket, or returns the refusal of the upgrade. `prepare` gets the socket before the first frame can arrive. */
export function dial(
  url: string,
  headers: Headers,
  prepare: (socket: WebSocket) => void = () => {},
): Promise<WebSocket | ApiResponse> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, perMessageDeflate: false });
    prepare(socket);
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (part) => {
        text += String(part);
      });
      response.on('end', () => {
        const body = JSON.parse(text === '' ? '{}' : text) as Record<string, unknown>;
        const headers = new globalThis.Headers();
        for (const [name, value] of Object.entries(response.headers)) headers.set(name, String(value));
        resolve({ status: response.statusCode ?? 0, headers, body, text });
      });
    });
  });
}

/** A socket of a server that records every frame. */
export class ServerPeer {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  readonly #watchers = new Set<() => void>();
  readonly closed: Promise<number>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      const raw = String(data);
      this.frames.push({ ...(JSON.parse(raw) as Frame), raw });
      for (const watcher of [...this.#watchers]) watcher();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  static async open(backend: BackendUrl, identity: Identity, extra: Headers = {}): Promise<ServerPeer> {
    let peer: ServerPeer | undefined;
    const answer = await dial(controlUrl(backend, 'server'), serverHeaders(identity, extra), (socket) => {
      peer = new ServerPeer(socket);
    });
    if (peer === undefined || !(answer instanceof WebSocket)) throw new Error('the socket was refused');
    return peer;
  }

  /** The first frame that matches, including frames that were received before. */
  frame(matches: (frame: Frame) => boolean, what: string): Promise<Frame> {
    return until(
      () => this.frames.find(matches),
      (watcher) => {
        this.#watchers.add(watcher);
        return () => this.#watchers.delete(watcher);
      },
      what,
    );
  }

  request(method: string): Promise<Frame> {
    return this.frame((frame) => frame.type === 'client_message' && frame.message.method === method, method);
  }

  send(frame: Record<string, unknown>): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Responds to a request with the raw text of a result. */
  answer(request: Frame, seqId: number, resultText = '{}'): void {
    const { client_id, stream_id, message } = request;
    this.socket.send(
      `{"type":"server_message","message":{"id":${JSON.stringify(message.id)},"result":${resultText}},` +
        `"client_id":${JSON.stringify(client_id)},"stream_id":${JSON.stringify(stream_id)},"seq_id":${seqId}}`,
    );
  }

  async close(): Promise<void> {
    this.socket.close(1000);
    await this.closed;
  }
}

/** Waits for a value, with a deadline; `watch` calls back each time it may have changed. */
export function until<T>(
  read: () => T | undefined,
  watch: (changed: () => void) => () => void,
  what: string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let stop: () => void = () => {};
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`no ${what} within ${DEADLINE} ms`));
    }, DEADLINE);
    const check = (): void => {
      const value = read();
      if (value === undefined) return;
      clearTimeout(timer);
      stop();
      resolve(value);
    };
    stop = watch(check);
    check();
  });
}

/** The first event that matches, including events that were recorded before. */
export function event(
  backend: Backend,
  kind: BackendEvent['kind'],
  detail: Record<string, unknown> = {},
): Promise<BackendEvent> {
  return until(
    () =>
      backend.events.find(
        (recorded) =>
          recorded.kind === kind &&
          Object.entries(detail).every(([key, value]) => recorded.detail[key] === value),
      ),
    (changed) => {
      backend.on('event', changed);
      return () => backend.off('event', changed);
    },
    `event ${kind}`,
  );
}

export async function pair(backend: Backend, identity: Identity): Promise<ClaimedController> {
  const { pairingCode } = backend.startPairing(identity.environmentId);
  return await claim({ baseUrl: backend.url }, { kind: 'pairing', code: pairingCode });
}

export async function connectController(
  backend: BackendUrl,
  claimed: ClaimedController,
): Promise<Controller> {
  const controller = new Controller({ baseUrl: backend.url, token: claimed.token });
  await controller.connect();
  return controller;
}

/** The error code with which the connection of the controller ends. */
export function closeReason(controller: Controller): Promise<string> {
  return new Promise((resolve) => controller.onClose((error) => resolve(error?.code ?? 'closed locally')));
}
