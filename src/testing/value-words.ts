/** Events and outcomes in a few words, to distinguish them in a path. */
import type { EventObject } from 'xstate';

/** For example ` (tokenRejected)`: the short members of a value. */
export function valueWords(value: unknown): string {
  const words = plainWords(value);
  return words === '' ? '' : ` (${words})`;
}

export function eventWords(event: EventObject): string {
  const { type, ...payload } = event;
  return `${type}${valueWords(payload)}`;
}

function plainWords(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  if (value === null) return 'null';
  if (typeof value !== 'object') return '';
  const kind = 'kind' in value && typeof value.kind === 'string' ? [value.kind] : [];
  const rest = Object.entries(value).flatMap(([key, inner]: [string, unknown]): string[] => {
    if (key === 'kind' && kind.length > 0) return [];
    if (inner === null || ['string', 'number', 'boolean'].includes(typeof inner))
      return [`${key}: ${String(inner)}`];
    if (typeof inner !== 'object') return [];
    return nestedWords(key, inner ?? {});
  });
  return [...kind, ...rest].join(', ');
}

/** Of a nested object, only its first string member. */
function nestedWords(key: string, value: object): string[] {
  const first = Object.entries(value).find(([, inner]) => typeof inner === 'string');
  return first === undefined ? [] : [`${key}.${first[0]}: ${String(first[1])}`];
}
