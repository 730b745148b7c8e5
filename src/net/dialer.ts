/**
 * One way out of the machine for HTTP and WebSocket alike: proxies from the environment, further certificate
 * authorities from --ca-cert. RC-25b
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import { EngineError } from '../protocol/errors.js';
import { parseNoProxy } from './no-proxy.js';
import { ProxyError, type ProxyHop } from './proxy-error.js';
import { isLoopbackHost, shownUrl } from './target.js';

export type Route =
  | { readonly kind: 'direct' }
  /** `proxy` is scheme, host and port; never user or password. */
  | { readonly kind: 'proxy'; readonly proxy: string };

export interface Dialer {
  /** How `url` (http, https, ws, wss) is reached. */
  routeFor(url: string): Route;
  /**
   * The agent for one request or socket to `url`; `signal` also ends what the way through a proxy has opened.
   * Rejects with a ProxyError when the configured proxy cannot be used.
   */
  agentFor(url: string, signal: AbortSignal): Promise<http.Agent>;
  /** Ends requests that are still open. Upgraded sockets belong to their owner by then. */
  close(): void;
}

export interface DialerOptions {
  /** HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY (lower case first, as curl does), NODE_EXTRA_CA_CERTS. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** PEM of authorities to trust besides the default ones. `--ca-cert` */
  readonly caCertPem?: string | undefined;
}

interface ProxySetting {
  readonly shown: string;
  /** Undefined: it is no proxy URL. It then fails rather than being passed over. */
  readonly url: URL | undefined;
}

/** Throws an EngineError when `caCertPem` holds no certificate. */
export function createDialer(options: DialerOptions): Dialer {
  const { env, caCertPem } = options;
  const setting = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined;
  const all = parseProxy(setting('ALL_PROXY'));
  const proxies = {
    http: parseProxy(setting('HTTP_PROXY')) ?? all,
    https: parseProxy(setting('HTTPS_PROXY')) ?? all,
  };
  const exempt = parseNoProxy(setting('NO_PROXY') ?? '');
  const trust = lazyTrust(caCertPem, env.NODE_EXTRA_CA_CERTS);
  let plainAgent: http.Agent | undefined;
  let secureAgent: https.Agent | undefined;

  function proxyFor(url: URL): ProxySetting | undefined {
    if (isLoopbackHost(url.hostname)) return undefined;
    const secure = isSecure(url);
    const proxy = secure ? proxies.https : proxies.http;
    return proxy === undefined || exempt(url.hostname, url.port || (secure ? '443' : '80'))
      ? undefined
      : proxy;
  }

  function directAgent(secure: boolean): http.Agent {
    // No keep-alive: requests are minutes apart, and a reused connection that the other side has just closed
    // would fail a request for nothing. TLS sessions are still resumed.
    if (!secure) {
      plainAgent ??= new http.Agent({ keepAlive: false });
      return plainAgent;
    }
    const secureContext = trust();
    secureAgent ??= new https.Agent({ keepAlive: false, ...(secureContext ? { secureContext } : {}) });
    return secureAgent;
  }

  return {
    routeFor(url) {
      const proxy = proxyFor(new URL(url));
      return proxy === undefined ? { kind: 'direct' } : { kind: 'proxy', proxy: proxy.shown };
    },
    async agentFor(url, signal) {
      const target = new URL(url);
      const secure = isSecure(target);
      const proxy = proxyFor(target);
      if (proxy === undefined) return directAgent(secure);
      if (proxy.url === undefined) throw new ProxyError(proxy.shown, 'is no proxy URL');
      const hop: ProxyHop = { url: proxy.url, shown: proxy.shown, secure, secureContext: trust(), signal };
      if (proxy.url.protocol.startsWith('socks'))
        return new (await import('./proxy-socks.js')).SocksAgent(hop);
      return new (await import('./proxy-tunnel.js')).TunnelAgent(hop);
    },
    close() {
      plainAgent?.destroy();
      secureAgent?.destroy();
    },
  };
}

const PROXY_SCHEMES = new Set(['http:', 'https:', 'socks:', 'socks4:', 'socks4a:', 'socks5:', 'socks5h:']);

function parseProxy(value: string | undefined): ProxySetting | undefined {
  if (value === undefined) return undefined;
  const text = value.includes('://') ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !PROXY_SCHEMES.has(url.protocol) || url.host === '' || !isDecodable(url)) {
    return { shown: shownUrl(text), url: undefined };
  }
  return { shown: `${url.protocol}//${url.host}`, url };
}

/** The agents decode user and password and would throw in the middle of a request. */
function isDecodable(url: URL): boolean {
  try {
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
    return true;
  } catch {
    return false;
  }
}

function isSecure(url: URL): boolean {
  return url.protocol === 'https:' || url.protocol === 'wss:';
}

/**
 * The default authorities plus ours, made once and only when TLS is spoken: it takes milliseconds. Undefined
 * when there is nothing to add; then Node's own default holds, NODE_EXTRA_CA_CERTS included.
 */
function lazyTrust(
  pem: string | undefined,
  extraFile: string | undefined,
): () => tls.SecureContext | undefined {
  if (pem === undefined) return () => undefined;
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new EngineError('configInvalid', '--ca-cert: the file holds no PEM certificate', { cause });
  }
  let context: tls.SecureContext | undefined;
  return () => {
    context ??= tls.createSecureContext({ ca: [...tls.rootCertificates, ...readExtra(extraFile), pem] });
    return context;
  };
}

/** Naming authorities replaces Node's default list, and with it NODE_EXTRA_CA_CERTS: so add it again. */
function readExtra(file: string | undefined): string[] {
  if (!file) return [];
  try {
    return [readFileSync(file, 'utf8')];
  } catch {
    return []; // Node itself has warned about it at start.
  }
}
