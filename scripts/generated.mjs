// Writes generated files, or compares them with those that are committed.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * @param wanted the text of each file, by its path in the current directory
 * @param stale paths of generated files that nothing makes any more
 */
export async function writeOrCheck(wanted, stale, { check, command }) {
  if (!check) {
    for (const [path, text] of wanted) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    for (const path of stale) await rm(path);
    return;
  }
  const wrong = [];
  for (const [path, text] of wanted) {
    const found = await readFile(path, 'utf8').catch(() => undefined);
    if (found === undefined) wrong.push(`${path} is missing.`);
    else if (found !== text)
      wrong.push(`${path} does not match the sources; first at line ${firstDifference(found, text)}.`);
  }
  for (const path of stale) wrong.push(`${path} belongs to no chart.`);
  if (wrong.length === 0) return;
  console.error([...wrong, `Run \`${command}\` and commit what it writes.`].join('\n'));
  process.exitCode = 1;
}

function firstDifference(found, wanted) {
  const lines = wanted.split('\n');
  const at = found.split('\n').findIndex((line, index) => line !== lines[index]);
  return at === -1 ? found.split('\n').length : at + 1;
}
