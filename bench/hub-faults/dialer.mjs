// What an engine and a controller have in common: a socket to any node, opened again until the run ends.
import { WebSocket } from 'ws';

const PING = 1_500;
/** A node that says nothing for so long is left: it may be stopped, or half open. */
const SILENCE = 5_000;
const HANDSHAKE = 4_000;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One HTTP request to any node, repeated until a node answers. */
export async function post(nodes, path, headers, body) {
  for (;;) {
    const [node] = shuffled(nodes);
    try {
      const response = await fetch(`${node.url}/wham/remote/control/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(HANDSHAKE),
      });
      if (response.ok) return await response.json();
      if (response.status < 500 && response.status !== 404) throw new Error(`${path}: ${response.status}`);
      await response.arrayBuffer();
    } catch (error) {
      if (/^\w[\w/]*: \d+$/.test(error.message)) throw error;
    }
    await pause(200 + Math.random() * 300);
  }
}

export function shuffled(items) {
  return items
    .map((item) => [Math.random(), item])
    .toSorted(([a], [b]) => a - b)
    .map(([, item]) => item);
}

export class Dialer {
  #nodes;
  #path;
  #headers;
  #end;
  #socket;
  #stopped = false;
  running;
  connects = 0;
  /** Refusals by their status. */
  refused = new Map();
  withoutRetryAfter = 0;

  /** @param end `{ onOpen(socket), onText(text), onLost() }` */
  constructor(nodes, path, headers, end) {
    this.#nodes = nodes;
    this.#path = path;
    this.#headers = headers;
    this.#end = end;
    this.running = this.#run();
  }

  /** As when the network drops the connection. */
  drop() {
    this.#socket?.terminate();
  }

  stop() {
    this.#stopped = true;
    this.drop();
  }

  async #run() {
    let failures = 0;
    while (!this.#stopped) {
      const { wait, opened } = await this.#connect();
      failures = opened ? 0 : failures + 1;
      if (this.#stopped) return;
      await pause(wait ?? Math.random() * Math.min(100 * 2 ** failures, 2_000));
    }
  }

  /** Resolves when the connection has ended, with the pause that the node asked for, ms. */
  #connect() {
    const [node] = shuffled(this.#nodes);
    const url = `${node.url}/wham/remote/control/${this.#path}`.replace('http', 'ws');
    const options = { headers: this.#headers(), perMessageDeflate: false, handshakeTimeout: HANDSHAKE };
    return new Promise((resolve) => {
      const socket = new WebSocket(url, options);
      this.#socket = socket;
      let heard = performance.now();
      let pings;
      let opened = false;
      let wait;
      socket.on('open', () => {
        opened = true;
        this.connects += 1;
        heard = performance.now();
        pings = setInterval(() => {
          if (performance.now() - heard > SILENCE) socket.terminate();
          else socket.ping();
        }, PING);
        this.#end.onOpen(socket);
      });
      socket.on('message', (data) => {
        heard = performance.now();
        this.#end.onText(String(data), socket);
      });
      socket.on('ping', () => {
        heard = performance.now();
      });
      socket.on('pong', () => {
        heard = performance.now();
      });
      socket.on('unexpected-response', (request, response) => {
        const { statusCode, headers } = response;
        this.refused.set(statusCode, (this.refused.get(statusCode) ?? 0) + 1);
        if (headers['retry-after'] === undefined) this.withoutRetryAfter += 1;
        else wait = Number(headers['retry-after']) * 1_000 * (1 + Math.random() * 0.2);
        request.destroy();
        resolve({ wait, opened });
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        clearInterval(pings);
        if (opened) this.#end.onLost();
        resolve({ wait, opened });
      });
    });
  }
}
