/**
 * Decides how each connection leaves this machine, for HTTP and WebSocket alike: directly or through a proxy
 * (proxy-rules.ts), and which certificate authorities it trusts (ca-certificates.ts). RC-25b
 */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { trustedAuthorities } from './ca-certificates.js';
import type { ClockWatch } from './clock-watch.js';
import { type DialStage, traceAgent, traceSecure } from './dial-trace.js';
import { isSecure, ProxyError, type ProxyHop, parseProxyRules } from './proxy-rules.js';

export type Route =
  | { readonly kind: 'direct' }
  /** `proxy` is scheme, host and port; never user or password. */
  | { readonly kind: 'proxy'; readonly proxy: string };

export interface Dialer {
  /** How `url` (http, https, ws, wss) is reached. */
  routeFor(url: string): Route;
  /**
   * The agent for one request or socket to `url`. `signal` also ends what the connection through a proxy has opened.
   * Rejects with a ProxyError when the configured proxy cannot be used.
   */
  agentFor(url: string, signal: AbortSignal): Promise<http.Agent>;
  /** Gets the `Date` of each response. Default: it is not compared. */
  readonly clock?: ClockWatch | undefined;
  /** Ends open requests. An upgraded socket belongs to its owner and stays open. */
  close(): void;
}

export interface DialerOptions {
  /** HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY (lower case first, as curl does) and NODE_EXTRA_CA_CERTS. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** PEM of authorities to trust besides the default ones. `--ca-cert` */
  readonly caCertPem?: string | undefined;
  /** Compares the clock with the responses. Default: nothing does. */
  readonly clock?: ClockWatch | undefined;
  /** Called for each step of each connection, for `rc-engine doctor`. Default: nothing is observed. */
  readonly onStage?: (stage: DialStage) => void;
}

/** @throws EngineError `configInvalid` when `caCertPem` contains no certificate */
export function createDialer({ env, caCertPem, clock, onStage }: DialerOptions): Dialer {
  const proxyFor = parseProxyRules(env);
  const trust = trustedAuthorities(caCertPem, env.NODE_EXTRA_CA_CERTS);
  let plainAgent: http.Agent | undefined;
  let secureAgent: https.Agent | undefined;

  function directAgent(secure: boolean): http.Agent {
    // No keep-alive: requests are minutes apart, and a request on a reused connection that the other side has just
    // closed would fail for no reason. TLS sessions are still resumed.
    if (!secure) {
      plainAgent ??= traceAgent(new http.Agent({ keepAlive: false }), onStage);
      return plainAgent;
    }
    const secureContext = trust();
    secureAgent ??= traceAgent(
      new https.Agent({ keepAlive: false, ...(secureContext ? { secureContext } : {}) }),
      onStage,
    );
    return secureAgent;
  }

  return {
    clock,
    routeFor(url) {
      const proxy = proxyFor(new URL(url));
      return proxy === undefined ? { kind: 'direct' } : { kind: 'proxy', proxy: proxy.shown };
    },
    async agentFor(url, signal) {
      const target = new URL(url);
      const secure = isSecure(target);
      const proxy = proxyFor(target);
      if (proxy === undefined) return directAgent(secure);
      if (proxy.url === undefined) throw new ProxyError(proxy.shown, 'is not a proxy URL');
      const onConnected =
        onStage === undefined
          ? undefined
          : (socket: Socket) => {
              onStage({ kind: 'tunnelled', proxy: proxy.shown });
              traceSecure(socket, onStage);
            };
      const hop: ProxyHop = {
        ...{ url: proxy.url, shown: proxy.shown, secure, secureContext: trust(), signal },
        onConnected,
      };
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
