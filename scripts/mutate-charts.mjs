// Measures the tests of the charts. It puts one mistake at a time into a chart and reports who notices it: first the
// hand-written tests (test/machines), then the laws (test/model/laws), then the generated paths.
//
// The mistakes: an edge is dropped, has another target, a negated guard, or changes places with the next one; an action,
// message, entry, exit or tag is missing; a delay is twice as long; an assignment does not clear; a reason is another one.
//
//   npm run mutants                           every chart
//   npm run mutants -- link pairing           these charts
//   npm run mutants -- --sample 5 --seed 7    5 mutants of each chart, chosen by the seed
//   npm run mutants -- --list                 also lists what only the paths notice, and which test noticed the others
//   npm run mutants -- --faults               the mistakes of test/model/mutation/faults.ts instead, put in by hand
//   npm run mutants -- --jobs 4               threads; default 2
//
// Exit code 1 when fewer than 95 % of the mutants of a chart (with --sample: of all charts) are noticed.
import { parseArgs } from 'node:util';
import { importSource } from './import-source.mjs';
import { judge, judgeFaults } from './mutants/judge.mjs';

const GOAL = 0.95;
const NAMES = { hand: 'hand-written tests', laws: 'laws', paths: 'paths' };
const { values, positionals } = read();
const [sample, seed, jobs] = ['sample', 'seed', 'jobs'].map(countOf);
const { chartNames } = await importSource('test/model/mutation/judge.ts');
const { EQUIVALENT } = await importSource('test/model/mutation/equivalent.ts');
for (const name of positionals) {
  if (!chartNames.includes(name)) stop(`Unknown chart ${name}. Use: ${chartNames.join(', ')}.`);
}

const charts = positionals.length > 0 ? positionals : chartNames;
if (values.faults) process.exit((await reportFaults()) ? 0 : 1);

const began = performance.now();
const sums = [];
for (const name of charts) sums.push(await report(name));
const all = sums.reduce(joined);
if (sums.length > 1) console.log(line('All', all, began));
// Of a small sample of one chart, one mutant is too much.
const judged = values.sample === undefined ? sums : [all];
process.exitCode = judged.every(({ noticed, total }) => noticed >= GOAL * total) ? 0 : 1;

async function report(name) {
  const from = performance.now();
  const known = EQUIVALENT[name] ?? {};
  const verdicts = await judge(name, { jobs, seed, pick: sampled });
  const counted = verdicts.filter(({ mutant, by }) => known[mutant.id] === undefined || by !== undefined);
  const by = (kind) => counted.filter((verdict) => verdict.by === kind);
  const survivors = by(undefined);
  const sum = {
    total: counted.length,
    noticed: counted.length - survivors.length,
    hand: by('hand').length,
    laws: by('laws').length,
    paths: by('paths').length,
    equivalent: verdicts.length - counted.length,
  };
  console.log(line(name, sum, from));
  for (const { mutant } of survivors) console.log(`  survived: ${words(mutant)}`);
  for (const { mutant, by, how } of verdicts.filter(({ mutant }) => known[mutant.id] !== undefined)) {
    if (by === undefined) console.log(`  equivalent: ${words(mutant)}: ${known[mutant.id]}`);
    else console.log(`  is listed as equivalent, but ${how} notices it: ${words(mutant)}`);
  }
  if (values.list) {
    for (const { mutant, how } of by('paths')) console.log(`  only by paths: ${words(mutant)} (${how})`);
    for (const { mutant, by: kind, how } of counted)
      if (kind === 'hand' || kind === 'laws') console.log(`  by ${kind}: ${words(mutant)} (${how})`);
  }
  if (positionals.length === 0 && values.sample === undefined) {
    const ids = new Set(verdicts.map(({ mutant }) => mutant.id));
    for (const id of Object.keys(known))
      if (!ids.has(id)) console.log(`  is listed as equivalent, but does not exist: ${id}`);
  }
  return sum;
}

/** True when each fault is noticed. */
async function reportFaults() {
  const { FAULTS } = await importSource('test/model/mutation/faults.ts');
  const verdicts = [];
  for (const chart of charts) {
    const faults = FAULTS.filter((fault) => fault.chart === chart);
    for (const verdict of faults.length === 0 ? [] : await judgeFaults(chart, faults, { seed })) {
      verdicts.push(verdict);
      const { fault, by, how, isStale } = verdict;
      const found = isStale
        ? 'is not in the sources any more'
        : by === undefined
          ? 'SURVIVED'
          : `noticed by ${NAMES[by]} (${how})`;
      if (values.list || by === undefined) console.log(`${fault.chart}: ${fault.words}: ${found}`);
    }
  }
  const by = (kind) => verdicts.filter((verdict) => verdict.by === kind && !verdict.isStale).length;
  const lost = verdicts.filter((verdict) => verdict.by === undefined).length;
  console.log(
    `${verdicts.length - lost} of ${verdicts.length} faults noticed (by hand-written tests ${by('hand')}, ` +
      `laws ${by('laws')}, paths ${by('paths')})`,
  );
  return lost === 0;
}

function words({ operator, words: text, id }) {
  return `${operator}: ${text} {${id}}`;
}

function line(name, { total, noticed, hand, laws, paths, equivalent }, from) {
  const percent = (count) => (total === 0 ? '100.0' : ((100 * count) / total).toFixed(1));
  const seconds = ((performance.now() - from) / 1_000).toFixed(0);
  return (
    `${name}: ${percent(noticed)} % of ${total} mutants noticed (by hand-written tests ${hand}, laws ${laws}, paths ${paths}; ` +
    `without paths ${percent(hand + laws)} %), ${total - noticed} survived, ${equivalent} equivalent; ${seconds} s`
  );
}

function joined(a, b) {
  return Object.fromEntries(Object.entries(a).map(([key, count]) => [key, count + b[key]]));
}

/** As many as --sample says, chosen by --seed. */
function sampled(mutants) {
  if (values.sample === undefined) return [...mutants];
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return mutants
    .map((mutant) => ({ mutant, place: random() }))
    .sort((a, b) => a.place - b.place)
    .slice(0, sample)
    .map(({ mutant }) => mutant);
}

function countOf(name) {
  const text = values[name];
  if (text === undefined || /^[1-9]\d*$/.test(text)) return Number(text ?? 1);
  return stop(`--${name} is ${JSON.stringify(text)}. Use a whole number of 1 or more.`);
}

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        sample: { type: 'string' },
        seed: { type: 'string', default: '1' },
        jobs: { type: 'string', default: '2' },
        list: { type: 'boolean', default: false },
        faults: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return stop(`${error.message} See the comment at the top of scripts/mutate-charts.mjs.`);
  }
}

function stop(message) {
  console.error(message);
  process.exit(64);
}
