// Runs the deterministic simulation: docs/simulation.md.
import { build } from 'esbuild';
import { importSource, ROOT } from './import-source.mjs';

/** The script of the threads that run the seeds. */
const { outputFiles } = await build({
  entryPoints: [`${ROOT}/test/simulation/worker.ts`],
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  write: false,
  logLevel: 'warning',
});
const { main } = await importSource('test/simulation/main.ts');
process.exitCode = await main(
  ROOT.endsWith('/') ? ROOT : `${ROOT}/`,
  outputFiles[0].text,
  process.argv.slice(2),
);
