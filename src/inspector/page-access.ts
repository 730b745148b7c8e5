/** Access to the page: the link opens it once, then a cookie lets that browser continue. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Secret } from '../protocol/secret.js';

type AccessDecision =
  /** `cookie` is present when this request used the link: the response must set it. */
  { readonly ok: true; readonly cookie?: Secret } | { readonly ok: false; readonly message: string };

const USE_LINK_ADVICE = 'Open the link that rc-engine printed when it started.';

/** A one-time token, and the session cookie that it is exchanged for. Each start creates new ones. */
export class PageAccess {
  readonly #port: number;
  readonly #session = new Secret(randomBytes(32).toString('base64url'));
  readonly #token = new Secret(randomBytes(32).toString('base64url'));
  #used = false;

  constructor(port: number) {
    this.#port = port;
  }

  /** The link to print once. It must not be written anywhere else. */
  linkTo(path: string): Secret {
    return new Secret(`http://127.0.0.1:${this.#port}${path}?token=${this.#token.reveal()}`);
  }

  /** Value of `Set-Cookie`. Cookies ignore the port, so the name of the cookie contains it. */
  setCookie(session: Secret): string {
    return `${this.#cookieName}=${session.reveal()}; Path=/; HttpOnly; SameSite=Strict`;
  }

  /** Decides a request for a page. */
  authorize(request: IncomingMessage, token: string | null): AccessDecision {
    const problem = this.#originProblem(request, false);
    if (problem !== undefined) return { ok: false, message: problem };
    if (this.#hasCookie(request)) return { ok: true };
    if (token === null) return { ok: false, message: USE_LINK_ADVICE };
    if (!equalsSecret(token, this.#token))
      return { ok: false, message: `The token in this link is wrong. ${USE_LINK_ADVICE}` };
    if (this.#used) {
      return {
        ok: false,
        message:
          'This link has been used: it opens the page in one browser only. Restart the engine for a new link.',
      };
    }
    this.#used = true;
    return { ok: true, cookie: this.#session };
  }

  /** Decides a WebSocket upgrade. Browsers always send the origin of the page with it. */
  authorizeSocket(request: IncomingMessage): AccessDecision {
    const problem = this.#originProblem(request, true);
    if (problem !== undefined) return { ok: false, message: problem };
    return this.#hasCookie(request) ? { ok: true } : { ok: false, message: USE_LINK_ADVICE };
  }

  #originProblem({ headers }: IncomingMessage, required: boolean): string | undefined {
    const hosts = [`127.0.0.1:${this.#port}`, `localhost:${this.#port}`];
    if (this.#port === 80) hosts.push('127.0.0.1', 'localhost');
    // Another name that resolves to this machine belongs to another site (DNS rebinding).
    if (headers.host === undefined || !hosts.includes(headers.host))
      return 'Wrong host name: use 127.0.0.1 or localhost.';
    const { origin } = headers;
    if (origin === undefined ? required : origin !== `http://${headers.host}`) {
      return 'Other sites must not use this page.';
    }
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return `Other sites must not open this page. ${USE_LINK_ADVICE}`;
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
      if (equalsSecret(part.slice(at + 1).trim(), this.#session)) return true;
    }
    return false;
  }
}

/** Compares in constant time. */
function equalsSecret(value: string, secret: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(value), digest(secret.reveal()));
}
