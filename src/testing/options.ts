/** Checks what users pass: a wrong option would make paths that miss what they are for, without a word. */
import type { AnyStateMachine } from 'xstate';
import { toChart } from '../visualize/chart.js';
import { ChartError } from '../visualize/chart-error.js';
import { assertMachine } from '../visualize/machine-check.js';
import { handles } from './event-types.js';
import type { Coverage, GenerateOptions } from './types.js';

const COVERAGES: readonly Coverage[] = ['transitions', 'states', 'thorough', 'pairs'];

type OptionName = keyof GenerateOptions<AnyStateMachine>;

/** What each option must be. */
const SHAPES: Readonly<Record<OptionName, readonly [isRight: (value: unknown) => boolean, words: string]>> = {
  events: [(value) => Array.isArray(value) || isFunction(value), 'a list of events or a function'],
  outcomes: [isRecord, 'an object with a list for each actor'],
  failures: [isRecord, 'an object with a list for each actor'],
  snapshots: [isRecord, 'an object with a list for each actor'],
  coverage: [(value) => COVERAGES.some((one) => one === value), `one of ${COVERAGES.join(', ')}`],
  key: [isFunction, 'a function'],
  except: [(value) => value instanceof Set, 'a Set of names'],
  limit: [isCount, 'a number above 0'],
  maxSteps: [isCount, 'a number above 0'],
  setTime: [isFunction, 'a function'],
  input: [() => true, 'anything'],
  waits: [isFunction, 'a function'],
  within: [isFunction, 'a function'],
};

/** @throws ChartError that names the chart, what is wrong, and what would be right */
export function checkOptions(machine: unknown, options: unknown): void {
  assertMachine(machine);
  const chart = `generatePaths of the chart ${machine.id}`;
  if (!isRecord(options))
    throw new ChartError(`${chart} got no object with options`, undefined, 'Pass { … }.');
  for (const [name, value] of Object.entries(options)) {
    const shape = isOption(name) ? SHAPES[name] : undefined;
    if (shape === undefined) {
      throw new ChartError(
        `${chart} has no option ${JSON.stringify(name)}`,
        undefined,
        `Options are: ${Object.keys(SHAPES).join(', ')}.`,
      );
    }
    const [isRight, words] = shape;
    if (value !== undefined && !isRight(value))
      throw new ChartError(`${chart}: the option ${name} is not ${words}`, undefined, `Pass ${words}.`);
  }
  for (const name of ['outcomes', 'failures', 'snapshots'] as const)
    checkActors(machine, name, options[name], name === 'outcomes');
  if (Array.isArray(options.events)) checkEvents(machine, options.events);
}

/** @throws ChartError */
export function checkDriver(paths: unknown, driver: unknown): void {
  if (!Array.isArray(paths)) {
    throw new ChartError(
      'runPaths got no list of paths',
      undefined,
      'Pass the `paths` of what generatePaths() returns.',
    );
  }
  const missing = ['start', 'act', 'check'].filter((name) => !isRecord(driver) || !isFunction(driver[name]));
  if (missing.length > 0) {
    throw new ChartError(
      `The driver of runPaths has no function ${missing.join(', ')}`,
      undefined,
      'A driver is { start, act, check, end? }; actorDriver(machine) is one.',
    );
  }
}

/** Each key is the id of an invoke, and each value a list. */
function checkActors(machine: AnyStateMachine, option: string, given: unknown, mayBeFunction: boolean): void {
  if (!isRecord(given)) return;
  const invokes = toChart(machine).states.flatMap(({ id: state, invokes: all }) =>
    all.map((invoke) => ({ ...invoke, state })),
  );
  for (const [id, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const subject = `The option ${option} for the chart ${machine.id} names ${JSON.stringify(id)}`;
    if (!invokes.some((invoke) => invoke.id === id)) {
      const named = invokes.find(({ src }) => src === id);
      throw new ChartError(
        `${subject}, and no state invokes an actor with that id`,
        undefined,
        named !== undefined
          ? `The state ${named.state} invokes ${id} with the id ${JSON.stringify(named.id)}: use that, or give the invoke an id.`
          : invokes.length === 0
            ? 'The chart invokes no actor.'
            : `Ids are: ${[...new Set(invokes.map((invoke) => invoke.id))].join(', ')}.`,
      );
    }
    if (!Array.isArray(value) && !(mayBeFunction && isFunction(value))) {
      const words = mayBeFunction ? 'a list, or a function that returns one' : 'a list';
      throw new ChartError(`${subject} with what is not ${words}`, undefined, `Pass ${words}.`);
    }
  }
}

function checkEvents(machine: AnyStateMachine, events: readonly unknown[]): void {
  const known = [
    ...new Set(
      toChart(machine).edges.flatMap(({ trigger }) => (trigger.kind === 'event' ? [trigger.event] : [])),
    ),
  ];
  for (const event of events) {
    const type = isRecord(event) ? event.type : undefined;
    if (typeof type !== 'string') {
      throw new ChartError(
        `The option events for the chart ${machine.id} has an event without a type`,
        undefined,
        "Pass events as { type: 'GO' }.",
      );
    }
    // What an actor sends may be listed, too.
    if (type.startsWith('xstate.') || known.some((descriptor) => handles(descriptor, type))) continue;
    throw new ChartError(
      `The option events for the chart ${machine.id} has the event ${JSON.stringify(type)}, which no state handles`,
      undefined,
      known.length === 0 ? 'The chart handles no event.' : `Events are: ${known.join(', ')}.`,
    );
  }
}

const isOption = (name: string): name is OptionName => Object.hasOwn(SHAPES, name);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && value > 0;
}
