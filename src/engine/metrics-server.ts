/** Serves the metrics over HTTP, for Prometheus. RC-170 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { EngineError } from '../protocol/errors.js';
import type { Secret } from '../protocol/secret.js';
import { errnoText } from '../system/errno.js';
import { isLoopbackHost } from '../system/loopback-host.js';

/** Where an engine serves its metrics for Prometheus. */
export interface MetricsOptions {
  /** An IP address. One that other machines reach needs a `token`. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Required in `Authorization: Bearer`. Default none. */
  readonly token?: Secret;
}

/** What is served. The type names nothing of prom-client, which is not installed with this package. */
interface ServedMetrics {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface MetricsServer {
  /** `http://127.0.0.1:9464/metrics` */
  readonly url: string;
  /** What it serves. */
  text(): Promise<string>;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 16;
/** Of one request, ms. */
const REQUEST_TIMEOUT = 10_000;

/** @throws EngineError `usage` without a token where one is needed; `listenerFailed` */
export async function serveMetrics(metrics: ServedMetrics, options: MetricsOptions): Promise<MetricsServer> {
  const { host, port, token } = options;
  if (token === undefined && !isLoopbackHost(host)) {
    throw new EngineError(
      'usage',
      `The metrics on ${host} can be reached from other machines without a token.`,
      {
        remediation: 'Add --metrics-token-file, or listen on 127.0.0.1.',
      },
    );
  }
  const server = createServer({ maxHeaderSize: 8 * 1024 }, (request, response) => {
    const refusal = refusalOf(request, token);
    if (refusal !== undefined) {
      const [status, text] = refusal;
      const headers = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
      response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(`${text}\n`);
      return;
    }
    metrics.text().then(
      (text) => {
        response.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' });
        response.end(request.method === 'HEAD' ? undefined : text);
      },
      () => response.writeHead(500).end('the metrics cannot be read\n'),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.requestTimeout = REQUEST_TIMEOUT;
  server.headersTimeout = REQUEST_TIMEOUT;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new EngineError(
          'listenerFailed',
          `Cannot serve metrics on ${host} port ${port}: ${errnoText(error)}.`,
          {
            cause: error,
            remediation: 'Choose another --metrics-listen.',
          },
        ),
      ),
    );
    server.listen({ host, port }, resolve);
  });
  server.on('error', () => {});
  server.unref();
  const bound = server.address();
  const used = typeof bound === 'object' && bound !== null ? bound.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${used}/metrics`,
    text: () => metrics.text(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Why a request is refused; undefined: it is answered. */
function refusalOf(request: IncomingMessage, token: Secret | undefined): [number, string] | undefined {
  const { method, url = '', headers } = request;
  // A page in a browser must not read them, also not under a name that its owner lets resolve to this machine.
  if (headers.origin !== undefined) return [403, 'requests with an Origin header are refused'];
  if (token === undefined && !isAddress(headers.host)) return [403, 'the Host header must be an address'];
  if (token !== undefined && !isBearer(headers.authorization, token))
    return [401, 'a bearer token is needed'];
  if (url.split('?', 1)[0] !== '/metrics') return [404, 'the metrics are at /metrics'];
  return method === 'GET' || method === 'HEAD' ? undefined : [405, 'only GET'];
}

function isAddress(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return name === 'localhost' || isIP(name) !== 0;
}

function isBearer(header: string | undefined, token: Secret): boolean {
  const [, given = ''] = /^Bearer ([\x21-\x7e]+)$/i.exec(header ?? '') ?? [];
  const [one, other] = [Buffer.from(given), Buffer.from(token.reveal())];
  return one.length === other.length && timingSafeEqual(one, other);
}
