/** Access to the page: the link opens it once, and the session in that page opens the timeline. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { refusalOf } from '../net/http-gate.js';
import type { LinkOptions } from '../observe/watcher.js';
import { Secret } from '../protocol/secret.js';
import { SESSION_PROTOCOL } from './wire.js';

type AccessDecision =
  /** `session` is present when this request used the link: the page must contain it. */
  { readonly ok: true; readonly session?: Secret } | { readonly ok: false; readonly message: string };

const USE_LINK_ADVICE = 'Open the link that rc-engine printed when it started.';

const newSecret = (): Secret => new Secret(randomBytes(32).toString('base64url'));

/** A link that opens the page once. */
interface Ticket {
  readonly token: Secret;
  /** A file on this machine may lead to it. Such a file is another site to the browser. */
  readonly fromFile: boolean;
  readonly onUsed: () => void;
  used: boolean;
}

/** Unused and used links that are remembered; the oldest is forgotten first. */
const MAX_TICKETS = 256;

/**
 * One-time tokens, and what they are exchanged for. Browsers send a cookie of 127.0.0.1 to each port of it, so also to
 * programs of other users. The session is therefore no cookie: the page keeps it in the storage of its own origin, which
 * includes the port. Each start creates new secrets.
 */
export class PageAccess {
  readonly #port: number;
  /** By purpose. */
  readonly #tickets = new Map<string, Ticket>();
  readonly #session = newSecret();
  /** Part of the address of the page. It opens the page without a session, so that a reload works. */
  readonly pageKey = newSecret();

  constructor(port: number) {
    this.#port = port;
  }

  /**
   * A link to print once. It must not be written anywhere else. An earlier link of the same purpose is void; a page that
   * is open stays open.
   */
  newLink(path: string, { purpose = '', fromFile = false, onUsed = () => {} }: LinkOptions = {}): Secret {
    const ticket: Ticket = { token: newSecret(), fromFile, onUsed, used: false };
    this.#tickets.delete(purpose);
    this.#tickets.set(purpose, ticket);
    for (const [oldest] of this.#tickets) {
      if (this.#tickets.size <= MAX_TICKETS) break;
      this.#tickets.delete(oldest);
    }
    return new Secret(`http://127.0.0.1:${this.#port}${path}?token=${ticket.token.reveal()}`);
  }

  /** Decides a request for a page. */
  authorize(request: IncomingMessage, query: URLSearchParams): AccessDecision {
    const refusal = refusalOf(request, true);
    if (refusal !== undefined) return { ok: false, message: refusal.message };
    const token = query.get('token');
    const ticket = token === null ? undefined : this.#ticketOf(token);
    const problem = ticket?.fromFile === true ? documentProblem(request) : siteProblem(request);
    if (problem !== undefined) return { ok: false, message: problem };
    if (token === null) {
      if (equalsSecret(query.get('page') ?? '', this.pageKey)) return { ok: true };
      return { ok: false, message: USE_LINK_ADVICE };
    }
    if (ticket === undefined)
      return { ok: false, message: `The token in this link is wrong. ${USE_LINK_ADVICE}` };
    if (ticket.used) {
      return {
        ok: false,
        message:
          'This link has been used: it opens the page in one browser only. Print a new link with rc-engine url --inspector, or start the replay or rc-engine inspect --attach again.',
      };
    }
    ticket.used = true;
    ticket.onUsed();
    return { ok: true, session: this.#session };
  }

  #ticketOf(token: string): Ticket | undefined {
    return [...this.#tickets.values()].find((ticket) => equalsSecret(token, ticket.token));
  }

  /** Decides a WebSocket upgrade. Browsers always send the origin of the page with it. */
  authorizeSocket(request: IncomingMessage): AccessDecision {
    const problem =
      request.headers.origin === undefined
        ? 'Only the page may use this.'
        : (refusalOf(request, true)?.message ?? siteProblem(request));
    if (problem !== undefined) return { ok: false, message: problem };
    const [protocol, session = '', ...more] = (request.headers['sec-websocket-protocol'] ?? '').split(',');
    const ok =
      protocol === SESSION_PROTOCOL && more.length === 0 && equalsSecret(session.trim(), this.#session);
    return ok ? { ok } : { ok, message: USE_LINK_ADVICE };
  }
}

function siteProblem({ headers }: IncomingMessage): string | undefined {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return `Other sites must not open this page. ${USE_LINK_ADVICE}`;
  return undefined;
}

/** A file that leads here makes the browser show a document. Nothing that a script fetches or frames is one. */
function documentProblem({ headers }: IncomingMessage): string | undefined {
  const { 'sec-fetch-mode': mode = 'navigate', 'sec-fetch-dest': target = 'document' } = headers;
  return mode === 'navigate' && target === 'document'
    ? undefined
    : `Other sites must not open this page. ${USE_LINK_ADVICE}`;
}

/** Compares in constant time. */
function equalsSecret(value: string, secret: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(value), digest(secret.reveal()));
}
