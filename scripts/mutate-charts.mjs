// Measures the tests of the charts. It puts one mistake at a time into a chart (an edge dropped, with another target, or
// with its guard negated) and counts how many mistakes the generated paths and the tests by hand detect.
//
//   npm run mutants                          every chart; tests by hand run for mutants that the paths miss
//   npm run mutants -- link pairing          these charts
//   npm run mutants -- --hand [--sample 40]  tests by hand run for every mutant, or for that many of each chart
//
// Exit code 1 when fewer than 90 % are detected.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { importSource, ROOT } from './import-source.mjs';

const GOAL = 0.9;
const { values, positionals } = read();
if (values.sample !== undefined && !/^[1-9]\d*$/.test(values.sample)) {
  stop(`--sample is ${JSON.stringify(values.sample)}. Use a whole number of 1 or more.`);
}

const { chartNames, judge } = await importSource('test/model/mutation-run.ts');
for (const name of positionals) {
  if (chartNames.includes(name)) continue;
  stop(`Unknown chart ${name}. Use: ${chartNames.join(', ')}.`);
}

let all = 0;
let detected = 0;
const survivors = [];
for (const name of positionals.length > 0 ? positionals : chartNames) {
  const verdicts = [];
  for await (const verdict of judge(name)) verdicts.push(verdict);
  const byPaths = verdicts.filter(({ killed }) => killed);
  const shown = values.hand ? sampled(verdicts) : verdicts.filter(({ killed }) => !killed);
  const byHand = [];
  for (const verdict of shown) if (await isDetectedByHand(verdict)) byHand.push(verdict);
  const living = verdicts.filter((verdict) => !verdict.killed && !byHand.includes(verdict));
  all += verdicts.length;
  detected += verdicts.length - living.length;
  survivors.push(...living);
  console.log(
    `${name}: ${verdicts.length} mutants; detected by generated paths ${byPaths.length}, ` +
      `by hand-written tests ${byHand.length} of ${shown.length} that they ran for; ${living.length} survived`,
  );
}
for (const { chart, mutant } of survivors) console.log(`survived: ${chart}: ${mutant.words}`);
const rate = all === 0 ? 1 : detected / all;
console.log(`${detected} of ${all} detected (${(rate * 100).toFixed(1)} %)`);
process.exit(rate >= GOAL ? 0 : 1);

/** An even sample, the same in each run. */
function sampled(verdicts) {
  const count = Math.min(Number(values.sample ?? verdicts.length), verdicts.length);
  return Array.from({ length: count }, (_, index) => verdicts[Math.floor((index * verdicts.length) / count)]);
}

function isDetectedByHand({ chart, mutant }) {
  const file = `test/machines/${chart.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.test.ts`;
  if (!existsSync(join(ROOT, file))) return false;
  const args = ['vitest', 'run', '--bail', '1', '--config', 'test/model/mutant.vitest.config.ts', file];
  const env = { ...process.env, RC_MUTANT: JSON.stringify({ chart, mutant }) };
  return new Promise((resolve, reject) => {
    const child = spawn('npx', args, { cwd: ROOT, env, stdio: 'ignore', timeout: 120_000 });
    child.on('error', reject);
    child.on('close', (code) => resolve(code !== 0));
  });
}

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { hand: { type: 'boolean', default: false }, sample: { type: 'string' } },
    });
  } catch (error) {
    return stop(`${error.message} See the comment at the top of scripts/mutate-charts.mjs.`);
  }
}

function stop(message) {
  console.error(message);
  process.exit(64);
}
