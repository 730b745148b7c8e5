import { createSecretKey, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AuthorityMode, type CredentialFacts, NOTHING_PRESENTED } from '../../protocol/authority.js';
import { Secret } from '../../protocol/secret.js';
import type { UpgradeRequest } from '../handshake/upgrade-request.js';
import { exposure } from './private-socket.js';
import { examineSignedToken, type SignedTokenRules } from './signed-token.js';

/** Which credential a listener requires. WSA-2 … WSA-12 */
export type AuthorityConfig =
  /** A token in the URL that the engine prints. `enforced: false` accepts connections without it, as degraded. */
  | { readonly mode: 'queryToken'; readonly enforced: boolean }
  /** A bearer token that the user created. `digest`: its SHA-256. */
  | { readonly mode: 'capability'; readonly digest: Buffer }
  /** A JWT signed with HS256. `secret`: the shared key. */
  | ({ readonly mode: 'signedBearer'; readonly secret: Secret } & Omit<SignedTokenRules, 'key'>)
  /** No credential: a unix socket in a directory that only the user of the engine can enter. */
  | { readonly mode: 'filesystem' };

export interface Examination {
  readonly credential: CredentialFacts;
  /** When the credential expires, wall-clock ms, clock skew included; null: it does not. */
  readonly expiresAt: number | null;
}

/** Compares the credential of a request. The statechart decides about the result. */
export interface Authority {
  readonly mode: AuthorityMode;
  readonly enforced: boolean;
  /** The token in the connect URL; only in query-token mode. */
  readonly queryToken: Secret | undefined;
  /** Replaces the query token: the old one is not accepted from now on. Undefined: the mode has none. WSA-67 */
  readonly rotate: (() => void) | undefined;
  examine(request: UpgradeRequest, now: number): Examination;
}

const examination = (facts: Partial<CredentialFacts>): Examination => ({
  credential: { ...NOTHING_PRESENTED, ...facts },
  expiresAt: null,
});
const NOT_PRESENTED = examination({});
const SEVERAL = examination({ presented: 'several' });
const MALFORMED = examination({ presented: 'malformed' });
const NOT_MATCHING = examination({ presented: 'one' });
const MATCHING = examination({ presented: 'one', matches: true });

const QUERY_TOKEN_BYTES = 32;
const WITHOUT_QUERY_TOKEN = { enforced: true, queryToken: undefined, rotate: undefined } as const;

/** @param socketPath The unix socket of the listener; undefined: it listens on a port. */
export function createAuthority(config: AuthorityConfig, socketPath?: string): Authority {
  switch (config.mode) {
    case 'queryToken':
      return new QueryTokenAuthority(config.enforced);
    case 'capability': {
      const expected = Buffer.from(config.digest.toString('hex'));
      return {
        mode: 'capability',
        ...WITHOUT_QUERY_TOKEN,
        examine: (request) => {
          const bearer = bearerOf(request);
          if (typeof bearer !== 'string') return bearer;
          return timingSafeEqual(Buffer.from(hash('sha256', bearer, 'hex')), expected)
            ? MATCHING
            : NOT_MATCHING;
        },
      };
    }
    case 'signedBearer': {
      const rules = { ...config, key: createSecretKey(config.secret.reveal(), 'utf8') };
      return {
        mode: 'signedBearer',
        ...WITHOUT_QUERY_TOKEN,
        examine: (request, now) => {
          const bearer = bearerOf(request);
          if (typeof bearer !== 'string') return bearer;
          const { facts, expiresAt } = examineSignedToken(bearer, rules, now);
          return {
            credential: facts,
            expiresAt: expiresAt === null ? null : (expiresAt + config.skew) * 1000,
          };
        },
      };
    }
    case 'filesystem':
      return {
        mode: 'filesystem',
        ...WITHOUT_QUERY_TOKEN,
        // Each time: somebody may have opened the directory since the start. WSA-51
        examine: () =>
          socketPath !== undefined && exposure(socketPath) === undefined ? MATCHING : NOT_MATCHING,
      };
  }
}

/** A token for each process, in memory only. WSA-1 */
class QueryTokenAuthority implements Authority {
  readonly mode = 'queryToken';
  readonly enforced: boolean;
  #token = newToken();
  #expected = Buffer.from(this.#token.reveal());

  constructor(enforced: boolean) {
    this.enforced = enforced;
  }

  get queryToken(): Secret {
    return this.#token;
  }

  readonly rotate = (): void => {
    this.#token = newToken();
    this.#expected = Buffer.from(this.#token.reveal());
  };

  examine({ query }: UpgradeRequest): Examination {
    return examineQuery(query, this.#expected);
  }
}

const newToken = (): Secret => new Secret(randomBytes(QUERY_TOKEN_BYTES).toString('base64url'));

export const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');

/** Compares the token in the query with the one of this process, in constant time. WSA-9 */
function examineQuery(query: string | undefined, expected: Buffer): Examination {
  if (query === undefined) return NOT_PRESENTED;
  const tokens = queryTokens(query);
  if (tokens.length > 1) return SEVERAL;
  const [token] = tokens;
  if (token === undefined) return NOT_PRESENTED;
  const presented = Buffer.from(token);
  // The length is not secret, because it is always the same.
  return presented.length === expected.length && timingSafeEqual(presented, expected)
    ? MATCHING
    : NOT_MATCHING;
}

/** All values of `token` in a form-urlencoded query. */
function queryTokens(query: string): string[] {
  // URLSearchParams drops a leading `?`; one that belongs to the query must stay.
  if (query.includes('%') || query.includes('+')) return new URLSearchParams(`?${query}`).getAll('token');
  if (query.startsWith('token=') && !query.includes('&')) return [query.slice('token='.length)];
  const found: string[] = [];
  for (const part of query.split('&')) {
    if (part.startsWith('token=')) found.push(part.slice('token='.length));
    else if (part === 'token') found.push('');
  }
  return found;
}

const VISIBLE = /^[\t\x20-\x7e]*$/;
const BEARER = /^bearer /i;

/** The bearer credential of a request, or the examination that says why there is none. WSA-10 */
function bearerOf({ authorizations, authorization }: UpgradeRequest): string | Examination {
  if (authorizations === 0 || authorization === undefined) return NOT_PRESENTED;
  if (authorizations > 1 || !VISIBLE.test(authorization) || !BEARER.test(authorization)) return MALFORMED;
  const value = authorization.slice('bearer '.length).trim();
  return value === '' ? MALFORMED : value;
}
