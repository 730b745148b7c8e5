import { cutBytes } from './body-preview.js';

/** Control, format and direction characters: they can move a cursor, hide text or turn it around. */
const UNSAFE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/**
 * A name or another short string that a peer chose, made safe to store and to show: cut, and without characters that a
 * terminal or a page could act on.
 * @param maxBytes of UTF-8; default 200
 */
export function peerText(text: string, maxBytes = 200): string {
  // Cut first: the rest must cost nothing, however long it is.
  return cutBytes(text.slice(0, maxBytes).replace(UNSAFE, '\ufffd'), maxBytes);
}
