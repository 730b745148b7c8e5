// Runs the deterministic simulation: docs/simulation.md.
import { importSource, ROOT } from './import-source.mjs';

const { main } = await importSource('test/simulation/main.ts');
process.exitCode = await main(`${ROOT}/`, process.argv.slice(2));
