/** Who may see the page: whoever holds the link once, then that browser. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Secret } from '../protocol/secret.js';

export type Admission =
  /** `cookie`: to be set, because the link was used now. */
  { readonly ok: true; readonly cookie?: Secret } | { readonly ok: false; readonly why: string };

const USE_LINK = 'Open the link that rc-engine printed when it started.';

/** A token for one use, and the cookie that it is exchanged for. Both are new for each start. */
export class Gate {
  readonly #port: number;
  readonly #session = new Secret(randomBytes(32).toString('base64url'));
  readonly #token = new Secret(randomBytes(32).toString('base64url'));
  #used = false;

  constructor(port: number) {
    this.#port = port;
  }

  /** To be printed once, and written nowhere else. */
  linkTo(path: string): Secret {
    return new Secret(`http://127.0.0.1:${this.#port}${path}?token=${this.#token.reveal()}`);
  }

  /** Value of `Set-Cookie`. Cookies do not know ports, so its name does. */
  setCookie(session: Secret): string {
    return `${this.#cookieName}=${session.reveal()}; Path=/; HttpOnly; SameSite=Strict`;
  }

  /** For the page itself and what it loads. */
  admit(request: IncomingMessage, token: string | null): Admission {
    const refused = this.#refusedOrigin(request, false);
    if (refused !== undefined) return { ok: false, why: refused };
    if (this.#hasCookie(request)) return { ok: true };
    if (token === null) return { ok: false, why: USE_LINK };
    if (!equal(token, this.#token)) return { ok: false, why: `This link is not the right one. ${USE_LINK}` };
    if (this.#used) {
      return {
        ok: false,
        why: 'This link has been used: it opens the page in one browser only. Start the engine again for a new one.',
      };
    }
    this.#used = true;
    return { ok: true, cookie: this.#session };
  }

  /** For the WebSocket: a browser says where its page is from. */
  admitSocket(request: IncomingMessage): Admission {
    const refused = this.#refusedOrigin(request, true);
    if (refused !== undefined) return { ok: false, why: refused };
    return this.#hasCookie(request) ? { ok: true } : { ok: false, why: USE_LINK };
  }

  #refusedOrigin({ headers }: IncomingMessage, required: boolean): string | undefined {
    const hosts = [`127.0.0.1:${this.#port}`, `localhost:${this.#port}`];
    if (this.#port === 80) hosts.push('127.0.0.1', 'localhost');
    // A name that resolves to this machine is another site's (DNS rebinding).
    if (headers.host === undefined || !hosts.includes(headers.host)) return 'Not a name of this page.';
    const { origin } = headers;
    if (origin === undefined ? required : origin !== `http://${headers.host}`) {
      return 'Another site may not use this page.';
    }
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return `Another site may not open this page. ${USE_LINK}`;
    }
    return undefined;
  }

  get #cookieName(): string {
    return `rc-inspector-${this.#port}`;
  }

  #hasCookie({ headers }: IncomingMessage): boolean {
    for (const part of (headers.cookie ?? '').split(';')) {
      const at = part.indexOf('=');
      if (part.slice(0, at).trim() !== this.#cookieName) continue;
      if (equal(part.slice(at + 1).trim(), this.#session)) return true;
    }
    return false;
  }
}

/** In the same time for any value. */
function equal(given: string, secret: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret.reveal()));
}
