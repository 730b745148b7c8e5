/** The pages that a browser shows after a sign-in. Each text from outside is escaped. */
import { createHash } from 'node:crypto';
import { peerText } from '../../observe/peer-text.js';

const TEXT_BYTES = 600;
const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1.5rem;color:#1c1c1e;background:#fff}' +
  'h1{font-size:1.4rem}@media(prefers-color-scheme:dark){body{color:#eee;background:#161618}}';

/** Direction characters would show a text in another order than it has. */
const escaped = (text: string): string =>
  peerText(text, TEXT_BYTES).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

function page(title: string, text: string, script = ''): string {
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>` +
    `<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">` +
    `<style>${STYLE}</style></head><body><h1>${escaped(title)}</h1><p>${escaped(text)}</p>${script}</body></html>`
  );
}

/** The URL of the success page contains tokens: they must not stay in the browser history. */
const SCRIPT = "history.replaceState(null,'','/success')";

/** A page loads nothing and runs this one script only, also if some text were not escaped. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const successPage = (): string =>
  page(
    'Signed in',
    'You can close this window and return to the program that you signed in from.',
    `<script>${SCRIPT}</script>`,
  );

export const failedPage = (message: string): string => page('Sign-in failed', message);

export const cancelledPage = (): string => page('Login cancelled', 'You can close this window.');

export const wrongStatePage = (): string =>
  page(
    'Wrong sign-in',
    'State mismatch: this link belongs to another sign-in, or it was changed. Start the sign-in again.',
  );

export const usedPage = (): string =>
  page('Already used', 'This sign-in was answered before. You can close this window.');
