/** What a browser shows that opens the address of the listener. The page is always the same and holds no secret. WSA-66 */
import type { IncomingMessage } from 'node:http';
import type { HttpResponse } from './responses.js';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;margin:12vh auto;max-width:38rem;padding:0 1.5rem;color:#1c1c1e;background:#fff}' +
  'h1{font-size:1.4rem}code{background:#8882;padding:.1em .3em;border-radius:.3em}' +
  '@media(prefers-color-scheme:dark){body{color:#eee;background:#161618}}';

const PAGE =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>rc-engine</title>' +
  '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">' +
  `<style>${STYLE}</style></head><body><h1>This is rc-engine</h1>` +
  '<p>rc-engine runs on this machine and keeps an app server reachable. This address is for programs, not for browsers: ' +
  'they connect to it with a WebSocket.</p>' +
  '<p>To see how it is, run <code>rc-engine status</code> on this machine. To connect a program, give it the URL that ' +
  '<code>rc-engine start</code> printed.</p>' +
  '<p>Does the address of this page contain a token? Then it is in the history of this browser now, and anybody who has it can ' +
  'use the app server until it is replaced: run <code>rc-engine url --new</code>, and delete the page from the history.</p></body></html>';

/** It loads nothing, runs nothing and is shown in no frame. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS = [
  `Content-Security-Policy: ${POLICY}`,
  'X-Content-Type-Options: nosniff',
  'Referrer-Policy: no-referrer',
];

/** Whether a person reads the response: browsers request pages, programs do not. */
export const isPageRequest = ({ headers }: IncomingMessage): boolean =>
  headers.accept?.includes('text/html') === true;

/** The same response with the page as its body. */
export const asPage = (response: HttpResponse): HttpResponse => ({
  status: response.status,
  text: PAGE,
  contentType: 'text/html; charset=utf-8',
  headers: [...(response.headers ?? []), ...HEADERS],
});
