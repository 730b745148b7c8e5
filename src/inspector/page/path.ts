/**
 * The states that a step went through without staying, as the edges that it took tell: an edge begins with the id of
 * its source.
 * @param from Ids of the states that were active before; those, and what they are in, were not gone through.
 */
export function statesPassed(edges: readonly string[], from: readonly string[]): string[] {
  const sources = edges.map((edge) => edge.slice(0, edge.indexOf(' ')));
  const wasIn = (id: string) => from.some((one) => one === id || one.startsWith(`${id}.`));
  return [...new Set(sources)].filter((id) => !wasIn(id));
}
