/** An environment, as a person may name it. */
export interface NamedEnvironment {
  readonly environmentId: string;
  readonly serverName: string;
}

/** How `wanted` names environments, the best way first. */
const WAYS: readonly ((environment: NamedEnvironment, wanted: string) => boolean)[] = [
  ({ environmentId }, wanted) => environmentId === wanted,
  ({ serverName }, wanted) => serverName.toLowerCase() === wanted.toLowerCase(),
  ({ environmentId }, wanted) => environmentId.startsWith(wanted),
];

/** Those that `wanted` names: by their id, else by their name, else by the beginning of their id. RC-95 */
export function environmentsNamed<T extends NamedEnvironment>(known: readonly T[], wanted: string): T[] {
  for (const isNamed of WAYS) {
    const found = known.filter((environment) => isNamed(environment, wanted));
    if (found.length > 0) return found;
  }
  return [];
}
