import { chartHashes } from '../engine/charts.js';
import { VERSION } from '../engine/version.js';
import { printJson } from './output.js';

export async function version(json: boolean): Promise<number> {
  if (json) printJson({ version: VERSION, node: process.versions.node, charts: chartHashes() });
  else process.stdout.write(`${VERSION}\n`);
  return 0;
}
