/** Connects through a SOCKS proxy. Loaded only when one is configured. RC-25b */
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { SocksProxyAgent } from 'socks-proxy-agent';
import { ProxyError, type ProxyHop } from './proxy-rules.js';

type ConnectOptions = Parameters<SocksProxyAgent['connect']>[1];

export class SocksAgent extends SocksProxyAgent {
  readonly #hop: ProxyHop;

  constructor(hop: ProxyHop) {
    super(hop.url);
    this.#hop = hop;
  }

  override isSecureEndpoint(): boolean {
    return this.#hop.secure;
  }

  override async connect(request: ClientRequest, options: ConnectOptions): Promise<Socket> {
    const { shown, secureContext, signal } = this.#hop;
    signal.throwIfAborted();
    const connecting = super.connect(
      request,
      options.secureEndpoint && secureContext ? { ...options, secureContext } : options,
    );
    return new Promise((resolve, reject) => {
      signal.addEventListener(
        'abort',
        () => {
          reject(signal.reason);
          // The library cannot be stopped (it gives up after 30 s): a socket that arrives late is closed here.
          connecting.then((socket) => socket.destroy()).catch(() => {});
        },
        { once: true },
      );
      connecting.then(
        (socket) => {
          this.#hop.onConnected?.(socket);
          resolve(socket);
        },
        (error: unknown) => {
          const what = error instanceof Error ? error.message || error.name : 'unknown';
          reject(new ProxyError(shown, `failed: ${what}`));
        },
      );
    });
  }
}
