/** The part of a chart's definition that says how its states stand in each other. */
export interface ChartNode {
  readonly type?: string;
  readonly states?: Readonly<Record<string, ChartNode>>;
}

export type StateValue = string | { readonly [state: string]: StateValue };

/**
 * A state as XState writes it, from the ids of the active states without children.
 * @returns Undefined for a state without children, and when none of them is active.
 */
export function stateValueOf(node: ChartNode, id: string, active: readonly string[]): StateValue | undefined {
  const inside = Object.entries(node.states ?? {}).filter(([key]) =>
    active.some((one) => one === `${id}.${key}` || one.startsWith(`${id}.${key}.`)),
  );
  const insideOf = ([key, child]: [string, ChartNode]) => stateValueOf(child, `${id}.${key}`, active);
  const [first] = inside;
  if (first === undefined) return undefined;
  if (node.type === 'parallel') {
    return Object.fromEntries(inside.map((one): [string, StateValue] => [one[0], insideOf(one) ?? {}]));
  }
  const inner = insideOf(first);
  return inner === undefined ? first[0] : { [first[0]]: inner };
}
