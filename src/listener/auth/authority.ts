import { createSecretKey, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AuthorityMode, type CredentialFacts, NOTHING_PRESENTED } from '../../protocol/authority.js';
import { Secret } from '../../protocol/secret.js';
import type { UpgradeRequest } from '../handshake/upgrade-request.js';
import { examineSignedToken, type SignedTokenRules } from './signed-token.js';

/** What one listener asks of a connection. WSA-2 … WSA-12 */
export type AuthorityConfig =
  | { readonly mode: 'queryToken'; readonly enforced: boolean }
  /** SHA-256 of the capability token. */
  | { readonly mode: 'capability'; readonly digest: Buffer }
  | ({ readonly mode: 'signedBearer'; readonly secret: Secret } & Omit<SignedTokenRules, 'key'>);

export interface Examination {
  readonly credential: CredentialFacts;
  /** Wall-clock ms at which the credential ends, skew included; null: it does not. */
  readonly expiresAt: number | null;
}

/** Compares what a request presents. Decides nothing. */
export interface Authority {
  readonly mode: AuthorityMode;
  readonly enforced: boolean;
  /** In query-token mode: what the connect URL holds. */
  readonly queryToken: Secret | undefined;
  examine(request: UpgradeRequest, now: number): Examination;
}

const examination = (facts: Partial<CredentialFacts>): Examination => ({
  credential: { ...NOTHING_PRESENTED, ...facts },
  expiresAt: null,
});
const NONE = examination({});
const SEVERAL = examination({ presented: 'several' });
const MALFORMED = examination({ presented: 'malformed' });
const WRONG = examination({ presented: 'one' });
const RIGHT = examination({ presented: 'one', matches: true });

const QUERY_TOKEN_BYTES = 32;

export function createAuthority(config: AuthorityConfig): Authority {
  switch (config.mode) {
    case 'queryToken': {
      // New for each process and kept in memory only. WSA-1
      const token = randomBytes(QUERY_TOKEN_BYTES).toString('base64url');
      const expected = Buffer.from(token);
      return {
        mode: 'queryToken',
        enforced: config.enforced,
        queryToken: new Secret(token),
        examine: ({ query }) => examineQuery(query, expected),
      };
    }
    case 'capability': {
      const expected = Buffer.from(config.digest.toString('hex'));
      return {
        mode: 'capability',
        enforced: true,
        queryToken: undefined,
        examine: (request) => {
          const bearer = bearerOf(request);
          if (typeof bearer !== 'string') return bearer;
          return timingSafeEqual(Buffer.from(hash('sha256', bearer, 'hex')), expected) ? RIGHT : WRONG;
        },
      };
    }
    case 'signedBearer': {
      const rules = { ...config, key: createSecretKey(config.secret.reveal(), 'utf8') };
      return {
        mode: 'signedBearer',
        enforced: true,
        queryToken: undefined,
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
  }
}

export const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');

/** Compares the token of the query, in constant time, with the one of this process. WSA-9 */
function examineQuery(query: string | undefined, expected: Buffer): Examination {
  if (query === undefined) return NONE;
  const tokens = queryTokens(query);
  if (tokens.length > 1) return SEVERAL;
  const [token] = tokens;
  if (token === undefined) return NONE;
  const presented = Buffer.from(token);
  // The length is no secret: it is always the same.
  return presented.length === expected.length && timingSafeEqual(presented, expected) ? RIGHT : WRONG;
}

/** Form-urlencoded values of `token`. */
function queryTokens(query: string): string[] {
  // It drops one question mark at the start, which in a query would be part of the first name.
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

/** The one bearer credential of a request, or why there is none. WSA-10 */
function bearerOf({ authorizations, authorization }: UpgradeRequest): string | Examination {
  if (authorizations === 0 || authorization === undefined) return NONE;
  if (authorizations > 1 || !VISIBLE.test(authorization) || !BEARER.test(authorization)) return MALFORMED;
  const value = authorization.slice('bearer '.length).trim();
  return value === '' ? MALFORMED : value;
}
