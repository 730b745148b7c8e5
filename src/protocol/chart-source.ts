/**
 * Which charts come with a hash of their sources. The text of a function differs between the sources, a bundle and a
 * minified bundle, so it cannot identify a chart that is delivered in all three.
 */

/** The parts of a machine that identify it. */
interface Machine {
  /** The definition, which a provided copy shares. */
  readonly config: object;
  readonly implementations: Readonly<Record<'actions' | 'guards' | 'delays', object>>;
}

interface Registered extends Pick<Machine, 'implementations'> {
  readonly hash: string;
}

const registered = new WeakMap<object, Registered>();

export function registerSource({ config, implementations }: Machine, hash: string): void {
  if (!registered.has(config)) registered.set(config, { hash, implementations });
}

/**
 * The hash of the sources of a chart; undefined when none is registered, and for a copy with another guard, delay or
 * assignment. Actors and actions that the host has to provide are no part of the chart.
 */
export function sourceHashOf({ config, implementations }: Machine): string | undefined {
  const found = registered.get(config);
  if (found === undefined) return undefined;
  const { actions, guards, delays } = found.implementations;
  const isSame =
    hasAll(implementations.guards, guards) &&
    hasAll(implementations.delays, delays) &&
    hasAll(implementations.actions, decidedByChart(actions));
  return isSame ? found.hash : undefined;
}

function hasAll(named: object, original: object): boolean {
  return Object.entries(original).every(([name, value]) => Reflect.get(named, name) === value);
}

/** Assignments and messages. A plain function is an action of the host. */
function decidedByChart(actions: object): object {
  return Object.fromEntries(
    Object.entries(actions).filter(([, action]: [string, unknown]) => {
      return typeof action !== 'function' || 'resolve' in action;
    }),
  );
}
