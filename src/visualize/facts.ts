/** What is known about a machine and is not in its definition, so that pictures can show it. */
import type { AnyStateMachine } from 'xstate';

export interface ChartFacts {
  /** The part of the context that does not change. Delays that are computed from it alone have a value. */
  readonly context: unknown;
  /** What a guard stands for, in a word or two: `{ conflict: '409' }`. */
  readonly guards: Readonly<Record<string, string>>;
  /**
   * What a delay is that depends on what happened, by its name, or by the path of a state and its name:
   * `{ pause: '1–30 s', 'active.refused pause': '100–500 ms' }`.
   */
  readonly delays?: Readonly<Record<string, string>>;
}

const known = new WeakMap<object, ChartFacts>();

/** Copies with other implementations share the facts. */
export function registerFacts({ config }: AnyStateMachine, facts: ChartFacts): void {
  known.set(config, facts);
}

/** What the guard stands for; undefined when that is not known. */
export function guardNote({ config }: AnyStateMachine, guard: string): string | undefined {
  const guards = known.get(config)?.guards;
  return guards !== undefined && Object.hasOwn(guards, guard) ? guards[guard] : undefined;
}

/** The value of a named delay: `800 ms`, `10 s`, `2 min`, or words for one that depends on what happened. */
export function delayValue(
  machine: AnyStateMachine,
  path: readonly string[],
  delay: string,
): string | undefined {
  const facts = known.get(machine.config);
  const words = new Map(Object.entries(facts?.delays ?? {}));
  const found = words.get(`${path.join('.')} ${delay}`) ?? words.get(delay);
  if (found !== undefined) return found;
  const { delays } = machine.implementations;
  const given: unknown = Object.hasOwn(delays, delay) ? delays[delay] : undefined;
  const ms = typeof given === 'function' ? computed(given, facts?.context) : given;
  return typeof ms === 'number' && Number.isFinite(ms) ? durationText(ms) : undefined;
}

function computed(delay: { readonly name: string }, context: unknown): unknown {
  if (context === undefined) return undefined;
  try {
    return Reflect.apply(delay as never, undefined, [{ context, event: { type: '' } }, undefined]) as unknown;
  } catch {
    // It reads a part of the context that is not known before the chart runs.
    return undefined;
  }
}

/** `800 ms`, `10 s`, `2 min` */
function durationText(ms: number): string {
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms >= 1_000 && ms % 100 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}
