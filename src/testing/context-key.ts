import type { AnyMachineSnapshot } from 'xstate';

/**
 * The whole context as text: two contexts that a guard could tell apart have different texts. JSON alone takes each Map
 * and each Set for `{}`, and throws for a BigInt.
 *
 * @throws Error when the context refers to itself.
 */
export function contextKey({ context, machine }: AnyMachineSnapshot): string {
  try {
    return textOf(context);
  } catch (error) {
    const [cause] = String(error instanceof Error ? error.message : error).split('\n');
    throw new Error(
      `The context of the chart ${machine.id} cannot be compared (${cause}). ` +
        'Pass a `key` with only what its guards read.',
      { cause: error },
    );
  }
}

/** A value as text, for a comparison. Functions do not count. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, replace) ?? '';
}

function replace(_key: string, value: unknown): unknown {
  if (typeof value === 'function') return undefined;
  if (typeof value === 'bigint') return { bigint: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) };
  // The order of the entries does not count.
  if (value instanceof Map) return { map: [...value].map((entry) => textOf(entry)).sort() };
  if (value instanceof Set) return { set: [...value].map((item) => textOf(item)).sort() };
  return value;
}
