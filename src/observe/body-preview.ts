/** Shows what a backend sent, with its secrets masked. RC-11 */
import { REDACTED, type Secret } from '../protocol/secret.js';
import { hideKnown } from './known-secrets.js';

const PREVIEW_BYTES = 4_096;
/** Text that is not JSON is masked up to here; only its beginning is shown anyway. */
const MASKED_CHARS = 65_536;

/** Members whose value is never shown, at any depth. Compared without case, `_` and `-`. */
const SECRET_NAMES = new Set([
  'remotecontroltoken',
  'pairingcode',
  'manualpairingcode',
  'accesstoken',
  'refreshtoken',
  'idtoken',
  'authorization',
]);
const NAMED =
  /(["']?(?:remote_?control_?token|(?:manual_?)?pairing_?code|(?:access|refresh|id)_?token)["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;}&<]+)/gi;
const JWT = /\beyJ[\w-]{5,}(?:\.[\w-]+){1,4}/g;
const SCHEME = /\b(Bearer|Basic)\s+(?!(?:token|tokens|auth\w*|scheme|realm|error)\b)[^\s"',;<>]+/gi;
const PREFIXED = /\b(?:sk|rct|rt|sess)-[\w-]{6,}/g;
/** Base64 and hex runs. */
const RUN = /[A-Za-z0-9+/_-]{20,}={0,2}/g;

/**
 * At most 4,096 bytes of `body` on one line, cut at a character boundary. JSON is shown as JSON with its secrets
 * redacted; in other text everything that looks like a token is masked. No part of the values in
 * `known` appears, see `hideKnown`.
 */
export function previewBody(body: Uint8Array, known: readonly Secret[]): string {
  const text = new TextDecoder().decode(body).trim();
  if (text === '') return '<empty>';
  return cutBytes(oneLine(hideKnown(redactJson(text) ?? maskTokens(text), known)), PREVIEW_BYTES);
}

/** Text from the other side (a close reason, an error) with everything that looks like a token masked. */
export function maskTokens(text: string): string {
  return maskNamed(text.slice(0, MASKED_CHARS)).replace(RUN, (run) => (looksRandom(run) ? REDACTED : run));
}

/** Replaces line breaks and control characters by spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** The beginning of `text`: at most `limit` bytes of UTF-8, an ellipsis at the cut included. */
export function cutBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let end = limit - Buffer.byteLength('…');
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString('utf8', 0, end)}…`;
}

function redactJson(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return JSON.stringify(redact(value));
  } catch {
    return undefined; // Not JSON, or nested too deeply for the stack: masked as text instead.
  }
}

function redact(value: unknown): unknown {
  if (typeof value === 'string') return maskNamed(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(redact);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      maskNamed(name),
      SECRET_NAMES.has(name.toLowerCase().replace(/[_-]/g, '')) ? REDACTED : redact(inner),
    ]),
  );
}

/** Masks tokens that their form or name reveals. Other long runs of characters (paths, ids) stay readable. */
export function maskNamed(text: string): string {
  return text
    .replace(NAMED, `$1${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(SCHEME, `$1 ${REDACTED}`)
    .replace(PREFIXED, REDACTED);
}

/** Tokens mix digits or cases and repeat few characters, unlike words, paths and header names. */
function looksRandom(run: string): boolean {
  if (new Set(run).size < 8) return false;
  const digits = run.match(/\d/g)?.length ?? 0;
  const caseChanges = run.match(/[a-z][A-Z]/g)?.length ?? 0;
  return digits >= 3 || caseChanges >= 4;
}
