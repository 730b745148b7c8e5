import { AUTH_FILE } from '../parts/engine.js';
import { MARK } from '../parts/tokens.js';
import type { Site } from '../site.js';
import { Violation } from '../world/violation.js';
import type { Invariant } from './invariant.js';

/** Tokens of the backend: of a server, of a controller, and pairing codes. */
const BACKEND_TOKEN = /\brc[scp]_[\w-]{20}/;

/** No token reaches the output. No server token reaches the disk, and account tokens are in the account file only. */
export class Secrets implements Invariant {
  readonly name = 'a token never reaches disk or output';
  readonly #site: Site;

  constructor(site: Site) {
    this.#site = site;
    site.engine.onOutput = (text) => this.#checkOutput(text);
    site.engine.onStarted = (process) =>
      process.events.once('end', () => {
        this.#checkDisk();
        for (const text of process.output) this.#checkOutput(text);
      });
  }

  check(): void {}

  atEnd(): void {
    this.#checkDisk();
  }

  #checkOutput(text: string): void {
    if (text.includes(MARK) || BACKEND_TOKEN.test(text))
      this.#fail(`the engine has printed: ${text.slice(0, 300)}`);
  }

  #checkDisk(): void {
    for (const [path, { data }] of this.#site.host.disk.files()) {
      const text = data.toString();
      if (BACKEND_TOKEN.test(text)) this.#fail(`${path} holds a token of the backend`);
      if (text.includes(MARK) && !path.startsWith(AUTH_FILE))
        this.#fail(`${path} holds a token of the account`);
    }
  }

  #fail(message: string): void {
    this.#site.world.scheduler.fail(new Violation(this.name, message));
  }
}
