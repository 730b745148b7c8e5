// Judges mutants of one chart, one after the other. An endless mutant ends with this thread.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { ROOT } from '../import-source.mjs';
import { collector, firstFailure } from './tests.mjs';

const KINDS = ['hand', 'laws'];
const require = createRequire(join(ROOT, 'package.json'));
// Fake timers of vitest read their settings from here.
globalThis.__vitest_worker__ = { config: { fakeTimers: {} } };
const vitest = await import('vitest');
// The same sequences for each mutant.
require('fast-check').configureGlobal({ seed: workerData.seed });
const scriptOf = (text) => new Script(`(function (require, module, exports) {${text}\n})`);
const script = scriptOf(workerData.text);
const times = { hand: new Map(), laws: new Map() };

let uncaught;
process.on('uncaughtException', (error) => {
  uncaught ??= error;
});
process.on('unhandledRejection', (error) => {
  uncaught ??= error;
});
for (const method of ['log', 'warn', 'error', 'info']) console[method] = () => {};

const original = load(collector(vitest).api, script);
let paths;

parentPort.on('message', async (message) => {
  const answer = await handled(message).catch((error) => ({ broken: error.stack ?? String(error) }));
  parentPort.postMessage(answer);
});

async function handled({ ask, mutant, fault }) {
  if (ask === 'mutants') {
    const from = performance.now();
    const broken = await testsThatFail();
    if (broken !== undefined) return { broken };
    return { mutants: await thePaths().mutants(), took: performance.now() - from };
  }
  const broken = fault === undefined ? script : scriptOf(fault);
  for (const kind of KINDS) {
    const found = await noticedBy(kind, mutant, broken);
    if (found !== undefined) return { by: kind, how: found };
  }
  const step =
    fault === undefined
      ? await thePaths().notice(mutant)
      : await thePaths().noticeOf(load(collector(vitest).api, broken).machineOf(workerData.chart));
  return step === undefined ? {} : { by: 'paths', how: step };
}

/** The unchanged chart must pass: otherwise everything would count as noticed. */
async function testsThatFail() {
  for (const kind of KINDS) {
    const found = await noticedBy(kind, undefined);
    if (found !== undefined) return `Without any mistake, ${found} fails.`;
  }
}

async function noticedBy(kind, mutant, tested = script) {
  uncaught = undefined;
  const { api, tests } = collector(vitest);
  try {
    const loaded = load(api, tested);
    if (mutant !== undefined) loaded.putInto(workerData.chart, mutant);
    loaded[kind]();
  } catch (error) {
    return `the import: ${error.message}`;
  }
  const failure = await firstFailure(tests, times[kind]);
  if (failure !== undefined)
    return mutant === undefined && tested === script
      ? `${failure.test} (${failure.error.stack})`
      : failure.test;
  await new Promise((done) => setImmediate(done));
  return uncaught === undefined ? undefined : `an uncaught error: ${uncaught.message}`;
}

function thePaths() {
  paths ??= new original.Paths(workerData.chart);
  return paths;
}

function load(api, tested) {
  const module = { exports: {} };
  const resolve = (name) => (name === 'vitest' ? api : require(name));
  tested.runInThisContext()(resolve, module, module.exports);
  return module.exports;
}
