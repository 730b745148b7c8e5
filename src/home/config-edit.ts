/** Changes one key in the text of a configuration file, and leaves everything else in it as it was written. */
import { type MemberSpan, memberSpans } from '../protocol/json-members.js';

/**
 * The text with `name` set to `value`.
 * @param text valid JSON, an object; undefined: there is no file yet
 */
export function withMember(text: string | undefined, name: string, value: unknown): string {
  const encoded = Array.isArray(value)
    ? `[${value.map((one) => JSON.stringify(one)).join(', ')}]`
    : JSON.stringify(value);
  const member = `${JSON.stringify(name)}: ${encoded}`;
  if (text === undefined) return `{\n  ${member}\n}\n`;
  const spans = memberSpans(text);
  const found = spans.find((span) => span.name === name);
  if (found !== undefined) {
    return text.slice(0, found.valueStart) + encoded + text.slice(found.valueEnd);
  }
  const last = spans.at(-1);
  if (last !== undefined) {
    return `${text.slice(0, last.valueEnd)},${spaceBefore(text, last)}${member}${text.slice(last.valueEnd)}`;
  }
  const open = text.indexOf('{') + 1;
  return `${text.slice(0, open)}\n  ${member}\n${text.slice(open).trimStart()}`;
}

/** The text without `name`; the same text when it is not in it. */
export function withoutMember(text: string, name: string): string {
  const spans = memberSpans(text);
  const at = spans.findIndex((span) => span.name === name);
  const [found, before, after] = [spans[at], spans[at - 1], spans[at + 1]];
  if (found === undefined) return text;
  if (before !== undefined) return text.slice(0, before.valueEnd) + text.slice(found.valueEnd);
  return text.slice(0, found.keyStart) + text.slice(after?.keyStart ?? found.valueEnd).trimStart();
}

/** The line of a member, counted from 1; undefined: it is not in the text. */
export function memberLine(text: string, name: string): number | undefined {
  const found = memberSpans(text).find((span) => span.name === name);
  return found === undefined ? undefined : text.slice(0, found.keyStart).split('\n').length;
}

/** The line break and the indentation of a member, for the next one. */
const spaceBefore = (text: string, { keyStart }: MemberSpan): string =>
  /\s*$/.exec(text.slice(0, keyStart))?.[0] || ' ';
