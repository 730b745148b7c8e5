/** The filter of the timeline: words, fields and exclusions. */
import type { Actor, Entry } from '../timeline.js';
import { eventText, failureText } from '../words.js';

export const FILTER_FIELDS = ['actor', 'sender', 'event', 'from', 'to', 'reason'] as const;
type Field = (typeof FILTER_FIELDS)[number];

interface Term {
  /** Undefined: any of them. */
  readonly field: Field | undefined;
  readonly word: string;
  readonly excluded: boolean;
}

/** What the filter compares of one entry, in lower case. */
export type Searched = Readonly<Record<Field, string>> & { readonly other: string };

/** `reason:backendUnauthorized to:recovering -link`; words without a field are searched in all of them. */
export function parseFilter(text: string): Term[] {
  return text
    .trim()
    .toLowerCase()
    .split(/\s+/)
    .flatMap((part) => {
      const [, minus = '', name = '', rest = ''] = /^(-?)(?:([a-z]+):)?(.*)$/.exec(part) ?? [];
      const field = FILTER_FIELDS.find((known) => known === name);
      const word = field === undefined && name !== '' ? `${name}:${rest}` : rest;
      return word === '' ? [] : [{ field, word, excluded: minus !== '' }];
    });
}

export function searchedOf(
  entry: Entry,
  actor: Actor | undefined,
  sender: Actor | undefined,
  before: readonly string[],
): Searched {
  return {
    actor: (actor?.name ?? '').toLowerCase(),
    sender: (sender?.name ?? '').toLowerCase(),
    event: `${entry.event} ${eventText(entry, actor)}`.toLowerCase(),
    from: before.join(' ').toLowerCase(),
    to: entry.active.join(' ').toLowerCase(),
    reason: (entry.reason ?? '').toLowerCase(),
    other:
      `${entry.kind} ${entry.decision ?? ''} ${entry.failure === undefined ? '' : failureText(entry.failure)}`.toLowerCase(),
  };
}

export function matchesFilter(terms: readonly Term[], searched: Searched): boolean {
  return terms.every(({ field, word, excluded }) => {
    const texts = field === undefined ? Object.values(searched) : [searched[field]];
    return texts.some((text) => text.includes(word)) !== excluded;
  });
}
