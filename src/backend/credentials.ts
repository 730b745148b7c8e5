import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Secret } from '../protocol/secret.js';
import type { AccountPolicy } from './options.js';

/** A fresh token of 256 random bits. */
export function mintToken(prefix: string): Secret {
  return new Secret(`${prefix}_${randomBytes(32).toString('base64url')}`);
}

/** What is kept of a token. The tokens are random, so a plain hash cannot be guessed back. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

export function isAccountToken(policy: AccountPolicy, token: string): boolean {
  if (policy.kind === 'any') return token !== '';
  const given = createHash('sha256').update(token).digest();
  const wanted = createHash('sha256').update(policy.token.reveal()).digest();
  return timingSafeEqual(given, wanted);
}
