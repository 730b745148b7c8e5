/** Access to the page: the link opens it once, and the session in that page opens the timeline. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { refusalOf } from '../net/http-gate.js';
import { Secret } from '../protocol/secret.js';
import { SESSION_PROTOCOL } from './wire.js';

type AccessDecision =
  /** `session` is present when this request used the link: the page must contain it. */
  { readonly ok: true; readonly session?: Secret } | { readonly ok: false; readonly message: string };

const USE_LINK_ADVICE = 'Open the link that rc-engine printed when it started.';

const newSecret = (): Secret => new Secret(randomBytes(32).toString('base64url'));

/**
 * A one-time token, and what it is exchanged for. Browsers send a cookie of 127.0.0.1 to each port of it, so also to
 * programs of other users. The session is therefore no cookie: the page keeps it in the storage of its own origin, which
 * includes the port. Each start creates new secrets.
 */
export class PageAccess {
  readonly #port: number;
  #token = newSecret();
  readonly #session = newSecret();
  /** Part of the address of the page. It opens the page without a session, so that a reload works. */
  readonly pageKey = newSecret();
  #used = false;

  constructor(port: number) {
    this.#port = port;
  }

  /** The link to print once. It must not be written anywhere else. */
  linkTo(path: string): Secret {
    return new Secret(`http://127.0.0.1:${this.#port}${path}?token=${this.#token.reveal()}`);
  }

  /** A new link; one that was not used yet is void. A page that is open stays open. */
  renewLink(path: string): Secret {
    this.#token = newSecret();
    this.#used = false;
    return this.linkTo(path);
  }

  /** Decides a request for a page. */
  authorize(request: IncomingMessage, query: URLSearchParams): AccessDecision {
    const problem = originProblem(request);
    if (problem !== undefined) return { ok: false, message: problem };
    const token = query.get('token');
    if (token === null) {
      if (equalsSecret(query.get('page') ?? '', this.pageKey)) return { ok: true };
      return { ok: false, message: USE_LINK_ADVICE };
    }
    if (!equalsSecret(token, this.#token))
      return { ok: false, message: `The token in this link is wrong. ${USE_LINK_ADVICE}` };
    if (this.#used) {
      return {
        ok: false,
        message:
          'This link has been used: it opens the page in one browser only. Print a new link with rc-engine url --inspector, or start the replay again.',
      };
    }
    this.#used = true;
    return { ok: true, session: this.#session };
  }

  /** Decides a WebSocket upgrade. Browsers always send the origin of the page with it. */
  authorizeSocket(request: IncomingMessage): AccessDecision {
    const problem =
      request.headers.origin === undefined ? 'Only the page may use this.' : originProblem(request);
    if (problem !== undefined) return { ok: false, message: problem };
    const [protocol, session = '', ...more] = (request.headers['sec-websocket-protocol'] ?? '').split(',');
    const ok =
      protocol === SESSION_PROTOCOL && more.length === 0 && equalsSecret(session.trim(), this.#session);
    return ok ? { ok } : { ok, message: USE_LINK_ADVICE };
  }
}

function originProblem(request: IncomingMessage): string | undefined {
  const refusal = refusalOf(request, true);
  if (refusal !== undefined) return refusal.message;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return `Other sites must not open this page. ${USE_LINK_ADVICE}`;
  return undefined;
}

/** Compares in constant time. */
function equalsSecret(value: string, secret: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(value), digest(secret.reveal()));
}
