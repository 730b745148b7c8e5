/**
 * The backend for one program under test: enroll, refresh and the server socket on its own port, with configurable
 * responses and a record of all events with their times. `/pipe` is for the bare echo.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, STATUS_CODES } from 'node:http';
import { WebSocketServer } from 'ws';
import { now } from '../clock.mjs';
import { Link } from './link.mjs';
import { Wire } from './wire.mjs';

const SERVER_PATH = '/backend-api/wham/remote/control/server';
const MAX_PAYLOAD = 256 * 1024 * 1024;
const TOKEN_LIFE = 3_600_000;
const GONE = { detail: 'Remote app server not found' };

export class Site {
  #http = createServer((request, response) => this.#answer(request, response));
  #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_PAYLOAD });
  #connections = new Set();
  /** Status codes with which the next upgrades are refused. */
  #refusals = [];
  #identities = 0;
  #waiting = new Set();
  /** All events: `{kind, at}`, ms of the monotonic clock of the machine. */
  #events = [];
  link;
  pipe;

  async listen() {
    this.#http.keepAliveTimeout = 60_000;
    this.#http.on('connection', (socket) => {
      socket.setNoDelay(true);
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
      socket.on('error', () => {});
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
    return this.#http.address().port;
  }

  close() {
    for (const socket of this.#connections) socket.destroy();
    this.#http.close();
  }

  refuseNext(statuses) {
    this.#refusals.push(...statuses);
  }

  /** The number of events of a kind so far. */
  count(kind) {
    return this.#events.filter((event) => event.kind === kind).length;
  }

  /** The time of the n-th event of a kind, counted from 1. Waits for it. */
  waitFor(kind, n, timeoutMs) {
    const found = () => this.#events.filter((event) => event.kind === kind)[n - 1]?.at;
    const at = found();
    if (at !== undefined) return at;
    return new Promise((resolve, reject) => {
      const look = () => {
        const happened = found();
        if (happened === undefined) return;
        done();
        resolve(happened);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`no ${kind} number ${n} within ${timeoutMs} ms`));
      }, timeoutMs);
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
    });
  }

  /** Closes the link cleanly. */
  closeLink() {
    const at = now();
    this.link.wire.ws.close(1000);
    return at;
  }

  #happened(kind) {
    this.#events.push({ kind, at: now() });
    for (const look of this.#waiting) look();
  }

  #answer(request, response) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const send = (status, body) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      };
      if (request.url === `${SERVER_PATH}/enroll`) {
        this.#identities += 1;
        this.#happened('enroll');
        send(200, this.#grant(`srv_bench_${this.#identities}`));
      } else if (request.url === `${SERVER_PATH}/refresh`) {
        this.#happened('refresh');
        send(200, this.#grant(JSON.parse(Buffer.concat(parts).toString()).server_id));
      } else send(404, { detail: 'Not Found' });
    });
  }

  #grant(serverId) {
    return {
      server_id: serverId,
      environment_id: `env_${serverId}`,
      remote_control_token: `rct-${randomBytes(24).toString('hex')}`,
      expires_at: new Date(Date.now() + TOKEN_LIFE).toISOString(),
    };
  }

  #upgrade(request, socket, head) {
    if (request.url === '/pipe') {
      this.#sockets.handleUpgrade(request, socket, head, (ws) => {
        this.pipe = new Wire(ws, socket);
        this.#happened('pipe');
      });
      return;
    }
    const refusal = request.url === SERVER_PATH ? this.#refusals.shift() : 404;
    if (refusal !== undefined) {
      const body = JSON.stringify(refusal === 404 ? GONE : { detail: 'refused' });
      socket.end(
        `HTTP/1.1 ${refusal} ${STATUS_CODES[refusal]}\r\ncontent-type: application/json\r\n` +
          `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
      this.#happened('refused');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (ws) => {
      this.link = new Link(new Wire(ws, socket), () => this.#happened('closed'));
      this.#happened('open');
    });
  }
}
