/** Connects through an HTTP or HTTPS proxy with CONNECT. Loaded only when such a proxy is configured. RC-25b */
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { ProxyError, type ProxyHop } from './proxy-rules.js';

type ConnectOptions = Parameters<HttpsProxyAgent<string>['connect']>[1];

export class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #hop: ProxyHop;

  constructor(hop: ProxyHop) {
    super(hop.url, {
      signal: hop.signal,
      ...(hop.secureContext === undefined ? {} : { secureContext: hop.secureContext }),
    });
    this.#hop = hop;
  }

  /** The base class would guess this from the call stack. */
  override isSecureEndpoint(): boolean {
    return this.#hop.secure;
  }

  override async connect(request: ClientRequest, options: ConnectOptions): Promise<Socket> {
    const { shown, secureContext, signal } = this.#hop;
    let status = 0;
    request.once('proxyConnect', (response: { statusCode: number }) => {
      status = response.statusCode;
    });
    let socket: Socket;
    try {
      socket = await super.connect(
        request,
        options.secureEndpoint && secureContext ? { ...options, secureContext } : options,
      );
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ProxyError(
        shown,
        `failed: ${error instanceof Error ? error.message || error.name : 'unknown'}`,
      );
    }
    // The base class passes the proxy's refusal on as if the target had answered. A 404 or 401 of a proxy must
    // never count as one of the backend: an identity or a token would be dropped for it.
    if (status !== 200) {
      socket.destroy();
      throw new ProxyError(shown, refusal(status, this.#hop.url.username !== ''));
    }
    this.#hop.onConnected?.(socket);
    return socket;
  }
}

function refusal(status: number, hasUser: boolean): string {
  if (status !== 407) return `refused to connect: HTTP ${status}`;
  return hasUser ? 'refused the user and password: HTTP 407' : 'requires a user and password: HTTP 407';
}
