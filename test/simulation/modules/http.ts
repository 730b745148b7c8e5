/**
 * `node:http` of a simulated process. The parser and the messages are those of Node; its sockets, its clock and its
 * server are those of the world.
 */
import realHttp from 'node:http';
import type { Socket } from 'node:net';
import type { SimProcess } from '../world/process.js';
import type { SimNet } from './net.js';

type Options = realHttp.RequestOptions & { _defaultAgent?: realHttp.Agent };

export function createHttp(process: SimProcess, net: SimNet) {
  class Agent extends realHttp.Agent {
    override createConnection(options: object): Socket {
      // The parser of Node takes any duplex stream.
      return net.connect(options) as unknown as Socket;
    }
  }
  const globalAgent = new Agent({ keepAlive: false });

  /** The server of Node, which listens in the world. Node's own listening and its timers are not used. */
  class Server extends realHttp.Server {
    readonly #net = net.createServer({ allowHalfOpen: true });

    constructor(options: realHttp.ServerOptions, onRequest: realHttp.RequestListener | undefined) {
      super(options, onRequest);
      this.removeAllListeners('listening');
      this.#net.on('connection', (socket) => this.emit('connection', socket));
      this.#net.on('listening', () => this.emit('listening'));
      this.#net.on('close', () => this.emit('close'));
      this.#net.on('error', (error) => this.emit('error', error));
      this.prependListener('request', (_request, response) => {
        response.sendDate = false;
        response.setHeader('date', new Date(process.machine.wall()).toUTCString());
      });
    }

    override listen(...given: unknown[]): this {
      const callback = given.find((one) => typeof one === 'function');
      if (callback !== undefined) this.once('listening', callback as () => void);
      const [where, host] = given.filter((one) => typeof one !== 'function');
      this.#net.listen(where as number, host);
      return this;
    }

    override address(): ReturnType<realHttp.Server['address']> {
      return this.#net.address() as ReturnType<realHttp.Server['address']>;
    }

    override close(onClosed?: (error?: Error) => void): this {
      this.#net.close(onClosed);
      return this;
    }

    override closeAllConnections(): void {
      this.#net.destroyAll();
    }

    override closeIdleConnections(): void {}
  }

  const request = (...given: unknown[]): realHttp.ClientRequest => {
    const at = given.findIndex((one) => typeof one === 'object' && one !== null && !(one instanceof URL));
    const options: Options = { ...(given[at] as Options | undefined), _defaultAgent: globalAgent };
    const [url] = given.filter((one) => typeof one === 'string' || one instanceof URL);
    const callback = given.find((one) => typeof one === 'function') as
      | ((response: realHttp.IncomingMessage) => void)
      | undefined;
    return url === undefined
      ? realHttp.request(options, callback)
      : realHttp.request(url as string | URL, options, callback);
  };

  return {
    ...realHttp,
    Agent,
    globalAgent,
    Server,
    createServer: (...given: unknown[]) =>
      typeof given[0] === 'function'
        ? new Server({}, given[0] as realHttp.RequestListener)
        : new Server(
            (given[0] ?? {}) as realHttp.ServerOptions,
            given[1] as realHttp.RequestListener | undefined,
          ),
    request,
    get: (...given: unknown[]) => request(...given).end(),
  };
}
