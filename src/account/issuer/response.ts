/** What responses of the OAuth issuer say: valid tokens, error codes and messages for people. */
import * as v from 'valibot';
import { cutBytes, maskTokens, oneLine } from '../../observe/body-preview.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Secret } from '../../protocol/secret.js';
import { jwtClaims } from '../jwt.js';

/** Visible ASCII, because it becomes a header or is stored. ACC-92 */
export const Token = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,65536}$/));

/** Names the person: one that cannot be read must not replace one that can. */
export const IdToken = v.pipe(
  Token,
  v.check((token) => jwtClaims(token) !== undefined),
);

/** The error code in lower case: `error.code`, else `error` when it is a string, else `code`. ACC-53 */
export function errorCodeIn(json: unknown): string | undefined {
  if (!isRecord(json)) return undefined;
  const { error, code } = json;
  const found = [isRecord(error) ? error.code : error, code].find(
    (word) => typeof word === 'string' && word.trim() !== '',
  );
  return typeof found === 'string' ? found.toLowerCase() : undefined;
}

/** The message for people: `error_description`, else `error.message`, else the code. ACC-75 */
export function errorMessageIn(json: unknown): string | undefined {
  if (!isRecord(json)) return undefined;
  const { error, error_description: description, code } = json;
  const inner = isRecord(error) ? (error.message ?? error.code) : error;
  const found = [description, inner, code].find((word) => typeof word === 'string' && word !== '');
  return typeof found === 'string' ? found : undefined;
}

const MESSAGE_BYTES = 300;

/** The message of the issuer on one line, cut, without secrets. */
export const shownMessage = (message: string, secrets: readonly Secret[]): string =>
  cutBytes(oneLine(maskTokens(message, secrets)), MESSAGE_BYTES);
