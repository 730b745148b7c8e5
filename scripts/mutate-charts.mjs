// How good are the tests of the charts? Puts one mistake at a time into a chart (an edge dropped, led elsewhere, its
// guard turned around) and sees who notices: the generated paths, and the tests written by hand.
//
//   npm run mutants                          every chart; what the paths miss is shown to the tests by hand
//   npm run mutants -- link pairing          these charts
//   npm run mutants -- --hand [--sample 40]  the tests by hand see every mutant, or so many of each chart
//
// Exit code 1 when fewer than 90 % are noticed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { importSource, ROOT } from './import-source.mjs';

const GOAL = 0.9;
const { values, positionals } = read();
if (values.sample !== undefined && !/^[1-9]\d*$/.test(values.sample)) {
  stop(`--sample must be a whole number from 1 on, not ${JSON.stringify(values.sample)}.`);
}

const { chartNames, judge } = await importSource('test/model/mutation-run.ts');
for (const name of positionals) {
  if (chartNames.includes(name)) continue;
  stop(`There is no chart ${name}. There is: ${chartNames.join(', ')}.`);
}

let all = 0;
let noticed = 0;
const survivors = [];
for (const name of positionals.length > 0 ? positionals : chartNames) {
  const verdicts = [];
  for await (const verdict of judge(name)) verdicts.push(verdict);
  const byPaths = verdicts.filter(({ killed }) => killed);
  const shown = values.hand ? sampled(verdicts) : verdicts.filter(({ killed }) => !killed);
  const byHand = [];
  for (const verdict of shown) if (await isNoticedByHand(verdict)) byHand.push(verdict);
  const living = verdicts.filter((verdict) => !verdict.killed && !byHand.includes(verdict));
  all += verdicts.length;
  noticed += verdicts.length - living.length;
  survivors.push(...living);
  console.log(
    `${name}: ${verdicts.length} mutants; noticed by generated paths ${byPaths.length}, ` +
      `by hand-written tests ${byHand.length} of ${shown.length} shown to them; ${living.length} live`,
  );
}
for (const { chart, mutant } of survivors) console.log(`lives: ${chart}: ${mutant.words}`);
const rate = all === 0 ? 1 : noticed / all;
console.log(`${noticed} of ${all} noticed (${(rate * 100).toFixed(1)} %)`);
process.exit(rate >= GOAL ? 0 : 1);

/** Spread evenly, so that the same ones are taken each time. */
function sampled(verdicts) {
  const count = Math.min(Number(values.sample ?? verdicts.length), verdicts.length);
  return Array.from({ length: count }, (_, index) => verdicts[Math.floor((index * verdicts.length) / count)]);
}

function isNoticedByHand({ chart, mutant }) {
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
    return stop(`${error.message} The head of scripts/mutate-charts.mjs says what there is.`);
  }
}

function stop(message) {
  console.error(message);
  process.exit(64);
}
