/** Reads the Retry-After header and other dates of HTTP. RC-12 */

/** Longest Retry-After that is honored, ms. A longer one is a mistake, or meant for another reader. RC-12 */
export const RETRY_AFTER_LIMIT = 60 * 60 * 1_000;

/** The wall-clock milliseconds that a Retry-After names; undefined unless they are in the future. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  const at = /^\d+$/.test(text) ? now + Number(text) * 1_000 : parseHttpDate(text);
  return at !== undefined && at > now ? Math.min(at, now + RETRY_AFTER_LIMIT) : undefined;
}

const HTTP_DATE = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/** Wall-clock milliseconds of one of the three formats of RFC 9110. `Date.parse` alone accepts far too much. */
export function parseHttpDate(text: string): number | undefined {
  const format = HTTP_DATE.findIndex((pattern) => pattern.test(text));
  if (format === -1) return undefined;
  const at = Date.parse(format === 2 ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : at;
}
