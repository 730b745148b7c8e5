/** The runner's side of the generator process. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CONNECT_TIMEOUT = 60_000;

export class Generator {
  #child = fork(fileURLToPath(new URL('./generator/main.mjs', import.meta.url)));
  #pending = new Map();
  #lastId = 0;

  constructor() {
    this.#child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    this.#child.on('exit', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('the generator ended'));
    });
  }

  ask(op, port, args = {}) {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#child.send({ id, op, port, ...args });
    });
  }

  async site() {
    return new RemoteSite(this, await this.ask('openSite'));
  }

  close() {
    this.#child.disconnect();
  }
}

/** One backend of the generator, for one program under test. */
class RemoteSite {
  #generator;
  constructor(generator, port) {
    this.#generator = generator;
    this.port = port;
    this.baseUrl = `http://127.0.0.1:${port}/backend-api`;
    this.pipeUrl = `ws://127.0.0.1:${port}/pipe`;
  }

  #ask(op, args) {
    return this.#generator.ask(op, this.port, args);
  }

  refuseNext = (...statuses) => this.#ask('refuseNext', { statuses });
  /** How often `kind` (open, closed, refused, enroll, refresh, pipe) has happened. */
  count = (kind) => this.#ask('count', { kind });
  /** The time of the n-th event of that kind, ms. Waits for it. */
  waitFor = (kind, n, timeoutMs = CONNECT_TIMEOUT) => this.#ask('waitFor', { kind, n, timeoutMs });
  /** Closes the link cleanly and returns the time. */
  closeLink = () => this.#ask('closeLink');
  /** Opens virtual clients and returns how long it took, ms. */
  openClients = (count, window) => this.#ask('openClients', { count, window });
  /** Replaces the oldest virtual clients by new ones and returns how many. */
  replaceClients = (perSecond, ms) => this.#ask('replaceClients', { perSecond, ms });
  closeClients = () => this.#ask('closeClients');
  requests = (spec) => this.#ask('requests', { spec });
  pipe = (spec) => this.#ask('pipe', { spec });
  close = () => this.#ask('closeSite');
}
