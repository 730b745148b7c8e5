// Part of `npm run lint`: decisions belong into the charts (machines/). Finds loops around `await`, timers, deadlines and
// fields that hold a state in src/, except where decisions-allowed.mjs says why.
//
//   node scripts/check-decisions.mjs
//
// Exit code 1: there are findings, or entries that are not needed.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { ALLOWED, NOT_YET, OTHER_PROGRAMS } from './decisions-allowed.mjs';
import { checkFiles } from './decisions-outside-charts.mjs';

const root = join(import.meta.dirname, '..');
const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name))
  .map(({ parentPath, name }) => relative(root, join(parentPath, name)).split(sep).join('/'));
const problems = checkFiles(
  files.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
  { others: OTHER_PROGRAMS, allowed: { ...ALLOWED, ...NOT_YET } },
);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  console.error(
    'A chart takes each decision. Move it there, or, if this is the data plane, give the reason in scripts/decisions-allowed.mjs.',
  );
  process.exitCode = 1;
}
