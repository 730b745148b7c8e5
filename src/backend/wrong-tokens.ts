import type { IncomingMessage } from 'node:http';
import { FailedAttempts } from './failed-attempts.js';
import { HttpError, unauthorized } from './http.js';
import { hashToken } from './identities.js';

/** Within a minute. */
const MAX_OF_TOKEN = 10;
const MAX_OF_PEER = 100;

/**
 * The answer to a wrong token: 401, and 429 when the same token, or tokens of the same peer, were wrong too often. A right
 * token never waits: it cannot be guessed, and the programs of a machine share its address. RC-57
 */
export class WrongTokens {
  readonly #ofToken: FailedAttempts;
  readonly #ofPeer: FailedAttempts;

  constructor(now: () => number) {
    this.#ofToken = new FailedAttempts(now, MAX_OF_TOKEN);
    this.#ofPeer = new FailedAttempts(now, MAX_OF_PEER);
  }

  /** For requests. An upgrade always gets 401, so that an engine learns that its token is no longer valid. */
  refusal(request: IncomingMessage, token: string): HttpError {
    const hash = hashToken(token);
    const peer = request.socket.remoteAddress ?? '';
    const wait = Math.max(this.#ofToken.retryAfterSeconds(hash), this.#ofPeer.retryAfterSeconds(peer));
    if (wait > 0) return new HttpError(429, 'Too many wrong tokens', { 'retry-after': String(wait) });
    this.#ofToken.add(hash);
    this.#ofPeer.add(peer);
    return unauthorized();
  }
}
