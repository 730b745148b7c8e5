// Deletes the declarations in dist/types that no entry of the package reaches: tsc writes one for each source file that an
// entry uses, most of them internal, and each takes a block of the disk of every user.
import { existsSync, readdirSync, readFileSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TYPES = join(ROOT, 'dist/types');
const { exports: entries } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

const reached = new Set();
const pending = Object.values(entries).flatMap(({ types }) =>
  types === undefined ? [] : [join(ROOT, types)],
);
for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
  if (reached.has(file)) continue;
  if (!existsSync(file)) throw new Error(`${file} is missing: run tsc -p tsconfig.build.json first.`);
  reached.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(
    /(?:from|import\(|import)\s*['"](\.[^'"]+)\.js['"]/g,
  )) {
    pending.push(`${resolve(dirname(file), path)}.d.ts`);
  }
}

let deleted = 0;
function prune(directory) {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) prune(path);
    else if (!reached.has(path)) {
      unlinkSync(path);
      deleted += 1;
    }
  }
  if (readdirSync(directory).length === 0) rmdirSync(directory);
}
prune(TYPES);
console.error(
  `${reached.size} declarations are reached by the entries of the package, ${deleted} were deleted`,
);
