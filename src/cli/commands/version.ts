import { chartHashes } from '../../engine/charts.js';
import { VERSION } from '../../protocol/version.js';
import { printJson } from '../output/output.js';

export async function version(json: boolean): Promise<number> {
  if (json) printJson({ version: VERSION, node: process.versions.node, charts: chartHashes() });
  else process.stdout.write(`${VERSION}\n`);
  return 0;
}
