/** What an issuer says in an answer that is no success, and other small readings of its answers. */

import { cutBytes, hideKnown, maskTokens, oneLine } from '../../observe/body-preview.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Reason } from '../../protocol/reasons.js';
import type { Secret } from '../../protocol/secret.js';

const WORDS_BYTES = 300;
const URL_CHARS = 500;
/** A poll interval that an issuer may ask for, seconds. */
const INTERVAL = { least: 1, most: 60, usual: 5 };

/** ACC-79: a text of seconds; a number is taken, too. */
export function intervalOf(raw: unknown): number {
  const seconds = typeof raw === 'string' && raw !== '' ? Number(raw) : raw;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return INTERVAL.usual;
  return Math.min(Math.max(seconds, INTERVAL.least), INTERVAL.most);
}

/** An address that people are sent to: only a page of the issuer itself. RFC 8628 section 3.3.1 */
export function pageOf(raw: unknown, issuer: string): string | null {
  if (typeof raw !== 'string' || raw.length > URL_CHARS || !URL.canParse(raw)) return null;
  const url = new URL(raw);
  return url.origin === new URL(issuer).origin && url.username === '' && url.password === ''
    ? url.href
    : null;
}

/** `error.code`, `error` as a text, or `code`. ACC-53 */
export function codeIn(json: unknown): string | undefined {
  if (!isRecord(json)) return undefined;
  const { error, code } = json;
  const found = [isRecord(error) ? error.code : error, code].find(
    (word) => typeof word === 'string' && word.trim() !== '',
  );
  return typeof found === 'string' ? found.toLowerCase() : undefined;
}

/** What the issuer says for people. ACC-75 */
export function errorMessageIn(json: unknown): string | undefined {
  if (!isRecord(json)) return undefined;
  const { error, error_description: description, code } = json;
  const inner = isRecord(error) ? (error.message ?? error.code) : error;
  const found = [description, inner, code].find((word) => typeof word === 'string' && word !== '');
  return typeof found === 'string' ? found : undefined;
}

/** The issuer's words as they may be shown. */
export const shownMessage = (words: string, secrets: readonly Secret[]): string =>
  cutBytes(oneLine(maskTokens(hideKnown(words, secrets))), WORDS_BYTES);

const DEAD: Readonly<Record<string, Reason>> = {
  refresh_token_expired: 'refreshTokenExpired',
  refresh_token_reused: 'refreshTokenReused',
  refresh_token_invalidated: 'refreshTokenRevoked',
};

/** Why these credentials are dead, or undefined when they may live. */
export function permanentFailureReason(status: number, code: string | undefined): Reason | undefined {
  const known = code !== undefined && Object.hasOwn(DEAD, code) ? DEAD[code] : undefined;
  // RFC 6749 5.2: expired, revoked or spent. The reference takes it for lasting with this status only.
  const refused = status === 401 || (status === 400 && code === 'invalid_grant');
  return known ?? (refused ? 'refreshTokenRefused' : undefined);
}
