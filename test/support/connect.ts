/** `rc-engine connect` of a lab, and clients of its endpoint. */
import { join } from 'node:path';
import { WebSocket } from 'ws';
import type { CliProcess } from './cli.js';
import type { Json, Lab } from './lab.js';

/** A WebSocket client of a local endpoint. */
export class EndpointClient {
  readonly socket: WebSocket;
  readonly received: Json[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #watchers = new Set<() => void>();
  #lastId = 0;

  constructor(url: string, headers: Record<string, string> = {}) {
    // ws names the path of a unix socket and the path of the request in one URL.
    const address = url.startsWith('unix://') ? `ws+unix:${url.slice('unix://'.length)}:/` : url;
    this.socket = new WebSocket(address, { headers, perMessageDeflate: false });
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => {
      this.received.push(JSON.parse(String(data)) as Json);
      for (const watcher of [...this.#watchers]) watcher();
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        resolve({ code, reason: String(reason) });
        for (const watcher of [...this.#watchers]) watcher();
      });
    });
  }

  static async open(url: string, name = 'e2e'): Promise<EndpointClient> {
    const client = new EndpointClient(url);
    await new Promise((resolve, reject) => {
      client.socket.once('open', resolve);
      client.socket.once('error', reject);
    });
    await client.ask('initialize', { clientInfo: { name, version: '1' } });
    client.socket.send(JSON.stringify({ method: 'initialized' }));
    return client;
  }

  send(method: string, params: unknown): number {
    this.#lastId += 1;
    this.socket.send(JSON.stringify({ id: this.#lastId, method, params }));
    return this.#lastId;
  }

  async answer(id: number): Promise<Json> {
    for (;;) {
      const found = this.received.find((message) => message.id === id && !('method' in message));
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed before the answer to ${id}`);
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  async ask(method: string, params: unknown): Promise<unknown> {
    const answer = await this.answer(this.send(method, params));
    if ('error' in answer) throw new Error(JSON.stringify(answer.error));
    return answer.result;
  }
}

export const remoteHome = (lab: Lab): string => join(lab.folder, 'laptop');

export async function pairingCode(lab: Lab): Promise<string> {
  const answer = await lab.ask('remoteControl/pairing/start', { manualCode: true });
  return String(answer.manualPairingCode);
}

export interface Connected {
  readonly run: CliProcess;
  readonly url: string;
}

/** `connect --json` with a home of its own, after its link is open. */
export async function connected(lab: Lab, args: readonly string[] = [], code?: string): Promise<Connected> {
  const { url: baseUrl } = await lab.backend();
  const run = lab.run(['connect', '--home', remoteHome(lab), '--json', '--base-url', baseUrl, ...args], {
    ...(code === undefined ? {} : { RC_ENGINE_PAIRING_CODE: code }),
  });
  // The file of the claim holds the token on purpose.
  lab.exempt.push(join(remoteHome(lab), 'controllers.json'));
  const listening = await run.line(({ type }) => type === 'listening', 'endpoint');
  await run.line(
    ({ type, status, environmentConnected }) =>
      type === 'status' && status === 'connected' && environmentConnected === true,
    'open link',
  );
  return { run, url: String(listening.url) };
}

/** The engine connected, a device paired, and its endpoint open. */
export async function steered(lab: Lab, args: readonly string[] = []): Promise<Connected> {
  await lab.connected();
  return connected(lab, args, await pairingCode(lab));
}
