/** A backend that grants what an engine asks for, and then sends over its socket whatever a test wants. */
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from '../listener/rig.js';
import { listen } from './http.js';

export interface Link {
  readonly socket: WebSocket;
  /** The connection below it. */
  readonly stream: Socket;
}

export class HostileBackend {
  readonly url: string;
  /** Sockets of the engine, the newest last. */
  readonly links: Link[] = [];
  readonly close: () => Promise<void>;

  private constructor(port: number, links: Link[], close: () => Promise<void>) {
    this.url = `http://127.0.0.1:${port}/backend-api`;
    this.links = links;
    this.close = close;
  }

  /** The newest link. An engine that closed the last one opens another. */
  async openLink(): Promise<Link> {
    await until(
      () => this.links.at(-1)?.socket.readyState === WebSocket.OPEN,
      'a link of the engine',
      60_000,
    );
    const link = this.links.at(-1);
    if (link === undefined) throw new Error('no link');
    return link;
  }

  /** @param more Members of each answer, in place of the usual ones. */
  static async open(more: Readonly<Record<string, unknown>> = {}): Promise<HostileBackend> {
    const links: Link[] = [];
    const grant = () => ({
      server_id: 'srv_1',
      environment_id: 'env_1',
      remote_control_token: `rct-${randomBytes(16).toString('hex')}`,
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      ...more,
    });
    const server = http.createServer((request, response) => {
      request.resume();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(grant()));
    });
    const accepts = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    server.on('upgrade', (request, stream: Socket, head) => {
      accepts.handleUpgrade(request, stream, head, (socket) => {
        socket.on('error', () => {});
        links.push({ socket, stream });
      });
    });
    const running = await listen(server);
    return new HostileBackend(running.port, links, () => running.close());
  }
}
