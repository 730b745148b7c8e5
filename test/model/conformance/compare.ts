/** Plays generated paths of remoteControl against a client and collects the differences. */
import { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import { generatePaths, type Path } from '../../../src/testing/index.js';
import { chartHash, toChart } from '../../../src/visualize/chart.js';
import { type Moment, playPath, type Seen } from './driver.js';
import { intendedWhy } from './intended.js';
import { branchOf, NOT_FROM_OUTSIDE, OUTSIDE_STARTS, type OutsideStart, outsideOptions } from './model.js';
import type { Target } from './targets.js';

interface CompareOptions {
  /** Paths that are played at the same time. */
  readonly jobs: number;
  /** Time for the client to reach the expected state, ms. */
  readonly patience: number;
  /** Maximum number of paths. Default: all. */
  readonly paths?: number | undefined;
  readonly onPath?: (done: number) => void;
}

export interface Difference {
  readonly kind: 'wire' | 'status';
  /** State of the chart before, the step, and the state after. */
  readonly state: string;
  readonly event: string;
  readonly to: string;
  readonly expected: Seen | null;
  readonly seen: Seen | null;
  /** Why the difference is intended; null when it is not explained. */
  readonly intended: string | null;
  readonly times: number;
  /** The steps of one path that leads there. */
  readonly story: readonly string[];
}

interface PathResult {
  readonly start: string;
  readonly steps: number;
  readonly outcome: 'same' | 'differs' | 'unplayable';
  /** The steps up to the end of the path. */
  readonly story: readonly string[];
}

export interface Comparison {
  readonly against: string;
  readonly chart: string;
  readonly paths: readonly PathResult[];
  readonly transitions: {
    readonly total: number;
    readonly same: readonly string[];
    readonly differs: readonly string[];
    /** Transitions that no played path reached. */
    readonly notReached: readonly string[];
    readonly notPlayed: readonly { readonly id: string; readonly why: string }[];
  };
  readonly differences: readonly Difference[];
  /** Steps that could not be played. */
  readonly unplayable: readonly { readonly state: string; readonly event: string; readonly why: string }[];
}

interface Job {
  readonly start: OutsideStart;
  readonly path: Path;
}

/** Transitions behind a difference are tried on other paths, in this many rounds. */
const ROUNDS = 3;

export async function compare(target: Target, options: CompareOptions): Promise<Comparison> {
  const chart = toChart(remoteControlMachine);
  const all = chart.edges.map(({ id }) => id);
  const guards = chart.edges.flatMap(({ guard }) =>
    guard === null ? [] : [`${guard} holds`, `${guard} fails`],
  );
  const banned = new Set<string>();
  const same = new Set<string>();
  const differs = new Set<string>();
  const found: Moment[] = [];
  const stories = new Map<Moment, readonly string[]>();
  const paths: PathResult[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const jobs: Job[] = [];
    const planned = new Set([...guards, ...same, ...differs]);
    for (const start of OUTSIDE_STARTS) {
      const settings = outsideOptions(start, banned);
      const isRepeated = (id: string): boolean => round === 0 && start.repeated?.test(id) === true;
      const except = new Set([...planned].filter((id) => !isRepeated(id)));
      const generated = generatePaths(remoteControlMachine, { ...settings, except });
      for (const path of generated.paths) {
        jobs.push({ start, path });
        for (const id of path.steps.flatMap(({ edges }) => edges)) planned.add(id);
      }
    }
    const left = (options.paths ?? Number.POSITIVE_INFINITY) - paths.length;
    const queue = jobs.slice(0, Math.max(left, 0));
    if (queue.length === 0) break;
    await Promise.all(Array.from({ length: options.jobs }, () => work(queue)));
  }
  const judged = new Set([...same, ...differs]);
  const reasonOf = (id: string) => NOT_FROM_OUTSIDE.find(([pattern]) => pattern.test(id))?.[1];
  const rest = all.filter((id) => !judged.has(id));
  return {
    against: target.name,
    chart: chartHash(remoteControlMachine),
    paths,
    transitions: {
      total: all.length,
      same: all.filter((id) => same.has(id) && !differs.has(id)),
      differs: all.filter((id) => differs.has(id)),
      notReached: rest.filter((id) => reasonOf(id) === undefined),
      notPlayed: rest.flatMap((id) => {
        const why = reasonOf(id);
        return why === undefined ? [] : [{ id, why }];
      }),
    },
    differences: differencesOf(found, stories),
    unplayable: found.flatMap(({ outcome, from, words, why }) =>
      outcome === 'unplayable' ? [{ state: from, event: words, why: why ?? '' }] : [],
    ),
  };

  async function work(queue: Job[]): Promise<void> {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const moments = await playPath(target, job.start, job.path, { patience: options.patience }).catch(
        startFailure,
      );
      const story: string[] = [];
      for (const moment of moments) {
        story.push(`${moment.from} on ${moment.words}`);
        for (const id of moment.edges) (moment.outcome === 'same' ? same : differs).add(id);
        if (moment.outcome === 'same') continue;
        found.push(moment);
        stories.set(moment, [...story]);
        if (moment.outcome !== 'status') banned.add(branchOf(moment.from, moment.words));
        if (moment.edges.length === 0) queue.length = 0;
      }
      const last = moments.at(-1)?.outcome;
      const steps = job.path.steps.length;
      const outcome = last === 'differs' || last === 'unplayable' ? last : 'same';
      paths.push({ start: job.start.name, steps, outcome, story });
      options.onPath?.(paths.length);
    }
  }
}

/** The client did not start, so the path could not be played. */
function startFailure(error: unknown): readonly Moment[] {
  const why = error instanceof Error ? error.message : String(error);
  const nothing = { edges: [], expected: null, seen: null };
  return [{ ...nothing, words: 'start', from: 'idle', to: 'idle', outcome: 'unplayable', why }];
}

function differencesOf(
  found: readonly Moment[],
  stories: ReadonlyMap<Moment, readonly string[]>,
): readonly Difference[] {
  const groups = new Map<string, Moment[]>();
  for (const moment of found) {
    if (moment.outcome === 'unplayable' || moment.outcome === 'same') continue;
    const key = JSON.stringify([moment.from, moment.words, moment.to, moment.expected, moment.seen]);
    groups.set(key, [...(groups.get(key) ?? []), moment]);
  }
  const differences = [...groups.values()].flatMap((moments): Difference[] => {
    const [moment] = moments;
    if (moment === undefined) return [];
    const { from, words, to, expected, seen, outcome } = moment;
    return [
      {
        kind: outcome === 'status' ? 'status' : 'wire',
        state: from,
        event: words,
        to,
        expected,
        seen,
        intended: intendedWhy(moment),
        times: moments.length,
        story: stories.get(moment) ?? [],
      },
    ];
  });
  const weight = ({ intended, kind }: Difference): number =>
    (intended === null ? 0 : 2) + (kind === 'wire' ? 0 : 1);
  return differences.sort((a, b) => weight(a) - weight(b));
}
