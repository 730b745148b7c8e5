/** Shows what a backend sent without showing a secret in it. RC-11 */
import { REDACTED, type Secret } from '../protocol/secret.js';

const PREVIEW_BYTES = 4_096;
/** Text that is no JSON is masked up to here; only its beginning can be shown anyway. */
const MASKED_CHARS = 65_536;

/** Names whose value is never shown, at any depth; compared without case, `_` and `-`. */
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
 * At most 4,096 bytes of `body`, one line, cut at a character boundary. JSON is shown as JSON with its secrets
 * redacted; in anything else whatever looks like a token is masked. `known` are values that must not appear.
 */
export function previewBody(body: Uint8Array, known: readonly Secret[]): string {
  const text = new TextDecoder().decode(body).trim();
  if (text === '') return '<empty>';
  return cutBytes(oneLine(hideKnown(redactJson(text) ?? maskTokens(text), known)), PREVIEW_BYTES);
}

/** Free text from the other side (a close reason, an error), one line, with anything like a token masked. */
export function maskTokens(text: string): string {
  return maskNamed(text.slice(0, MASKED_CHARS)).replace(RUN, (run) => (looksRandom(run) ? REDACTED : run));
}

export function hideKnown(text: string, known: readonly Secret[]): string {
  let shown = text;
  for (const secret of known) {
    const value = secret.reveal();
    if (value !== '') shown = shown.replaceAll(value, REDACTED);
  }
  return shown;
}

export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** The beginning of `text`, at most `limit` bytes as UTF-8 with an ellipsis at the cut. */
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
    return undefined; // No JSON, or nested deeper than the stack: masked as text instead.
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

/** Masks what is a token by its form or name, and leaves plain runs (paths, ids) readable. */
export function maskNamed(text: string): string {
  return text
    .replace(NAMED, `$1${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(SCHEME, `$1 ${REDACTED}`)
    .replace(PREFIXED, REDACTED);
}

/** Words, paths, header names and repeated characters are no tokens: those mix digits or cases and repeat little. */
function looksRandom(run: string): boolean {
  if (new Set(run).size < 8) return false;
  const digits = run.match(/\d/g)?.length ?? 0;
  const caseChanges = run.match(/[a-z][A-Z]/g)?.length ?? 0;
  return digits >= 3 || caseChanges >= 4;
}
