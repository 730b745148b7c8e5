/** Servers on 127.0.0.1 for tests: plain, TLS as backend.test, and proxies. All end with the test file. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll } from 'vitest';

const tlsFile = (name: string): string => readFileSync(new URL(`./tls/${name}`, import.meta.url), 'utf8');

/** Trusts `TLS_BACKEND`. */
export const TEST_CA = tlsFile('ca.pem');
/** Certificate for backend.test and 127.0.0.1. backend.test is not in the DNS: only a proxy can reach it. */
export const TLS_BACKEND = { key: tlsFile('backend.key.pem'), cert: tlsFile('backend.pem') };

export interface RunningServer<S extends Server = Server> {
  readonly server: S;
  readonly port: number;
  /** Open connections. */
  readonly sockets: ReadonlySet<Socket>;
  /** Resolves when no connection is open; rejects after `limitMs`. */
  idle(limitMs?: number): Promise<void>;
  close(): Promise<void>;
}

const running = new Set<RunningServer>();

export async function listen<S extends Server>(server: S): Promise<RunningServer<S>> {
  const sockets = new Set<Socket>();
  const idleWaiters = new Set<() => void>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) for (const wake of idleWaiters) wake();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const self: RunningServer<S> = {
    server,
    port: (server.address() as AddressInfo).port,
    sockets,
    idle: (limitMs = 5_000) =>
      new Promise((resolve, reject) => {
        if (sockets.size === 0) return resolve();
        const timer = setTimeout(() => {
          idleWaiters.delete(wake);
          reject(new Error(`${sockets.size} connections are still open after ${limitMs} ms`));
        }, limitMs);
        const wake = (): void => {
          clearTimeout(timer);
          idleWaiters.delete(wake);
          resolve();
        };
        idleWaiters.add(wake);
      }),
    close: async () => {
      running.delete(self as unknown as RunningServer);
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  running.add(self as unknown as RunningServer);
  return self;
}

afterAll(async () => {
  await Promise.all([...running].map((server) => server.close()));
});

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export interface HttpServer extends RunningServer<http.Server> {
  readonly origin: string;
  readonly seen: SeenRequest[];
}

/** Records each request with its body; then `answer` responds to it. */
export async function httpServer(
  answer: (response: http.ServerResponse, request: SeenRequest) => void,
  secure = false,
): Promise<HttpServer> {
  const seen: SeenRequest[] = [];
  const handler: http.RequestListener = (request, response) => {
    const parts: Buffer[] = [];
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request;
      const one = { method, url, headers, rawHeaders, body: Buffer.concat(parts).toString() };
      seen.push(one);
      answer(response, one);
    });
  };
  const server = secure ? https.createServer(TLS_BACKEND, handler) : http.createServer(handler);
  const base = await listen(server);
  return { ...base, seen, origin: `${secure ? 'https' : 'http'}://127.0.0.1:${base.port}` };
}

export interface TestProxy extends RunningServer {
  /** The requested targets, `host:port`, in order. */
  readonly asked: string[];
  /** The decoded Proxy-Authorization of each request. */
  readonly users: (string | undefined)[];
}

export interface ProxyBehaviour {
  /** Every name leads here: only the proxy knows backend.test. */
  readonly to: number;
  readonly user?: string;
  /** Responds to CONNECT with this status and does not connect. */
  readonly refuse?: number;
  /** Reads CONNECT and never responds. */
  readonly hang?: boolean;
  readonly secure?: boolean;
}

/** A CONNECT proxy. */
export async function connectProxy(behaviour: ProxyBehaviour): Promise<TestProxy> {
  const asked: string[] = [];
  const users: (string | undefined)[] = [];
  const server = behaviour.secure ? https.createServer(TLS_BACKEND) : http.createServer();
  server.on('connect', (request: http.IncomingMessage, client: Socket) => {
    const basic = /^Basic (.+)$/.exec(request.headers['proxy-authorization'] ?? '')?.[1];
    const user = basic === undefined ? undefined : Buffer.from(basic, 'base64').toString();
    asked.push(request.url ?? '');
    users.push(user);
    client.on('error', () => {});
    if (behaviour.hang) {
      client.on('end', () => client.end()).resume();
      return;
    }
    if (behaviour.user !== undefined && user !== behaviour.user) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n');
    } else if (behaviour.refuse !== undefined) {
      client.end(
        `HTTP/1.1 ${behaviour.refuse} No\r\ncontent-type: application/json\r\ncontent-length: 41\r\n\r\n` +
          '{"detail":"Remote app server not found"}\n',
      );
    } else {
      join(client, behaviour.to, () => client.write('HTTP/1.1 200 Connection established\r\n\r\n'));
    }
  });
  return { ...(await listen(server)), asked, users };
}

/** A SOCKS5 proxy with user and password (RFC 1928, RFC 1929). */
export async function socksProxy(behaviour: ProxyBehaviour & { readonly user: string }): Promise<TestProxy> {
  const asked: string[] = [];
  const users: (string | undefined)[] = [];
  const server = net.createServer((client) => {
    client.on('error', () => {});
    let step = 0;
    const onData = (data: Buffer): void => {
      if (step === 0) {
        client.write(Buffer.from([5, 2]));
      } else if (step === 1) {
        const nameLength = data[1] ?? 0;
        const user = `${data.toString('utf8', 2, 2 + nameLength)}:${data.toString('utf8', 3 + nameLength)}`;
        users.push(user);
        client.write(Buffer.from([1, user === behaviour.user ? 0 : 1]));
      } else if (!behaviour.hang) {
        const length = data[4] ?? 0;
        asked.push(`${data.toString('utf8', 5, 5 + length)}:${data.readUInt16BE(5 + length)}`);
        client.off('data', onData);
        join(client, behaviour.to, () => client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])));
      }
      step += 1;
    };
    client.on('data', onData);
  });
  return { ...(await listen(server)), asked, users };
}

function join(client: Socket, port: number, connected: () => void): void {
  const upstream = net.connect(port, '127.0.0.1', () => {
    connected();
    client.pipe(upstream).pipe(client);
  });
  upstream.on('error', () => client.destroy());
  upstream.on('close', () => client.destroy());
  client.on('close', () => upstream.destroy());
}
