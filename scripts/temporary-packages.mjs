// Installs packages of the registry in a temporary directory, for tests that need more than npm ci installs.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** ms */
const REGISTRY_TIMEOUT = 10_000;
const INSTALL_TIMEOUT = 180_000;

/** On Windows npm is a batch file, which only a shell runs. */
const shell = process.platform === 'win32';

/**
 * Calls `run` with the node_modules that holds the packages, and sets the exit code of this process to its result. Where
 * the registry does not answer or does not have one of them, it prints that `what` is skipped, with the reason. With
 * `--require`, that is a failure.
 * @param packages as npm takes them: `name@1.0.0` or `alias@npm:name@1.0.0`
 */
export async function withPackages(packages, what, run) {
  const directory = mkdtempSync(join(tmpdir(), 'rc-engine-packages-'));
  try {
    const problem = await install(directory, packages);
    if (problem === undefined) process.exitCode = await run(join(directory, 'node_modules'));
    else {
      console.log(`skipped: ${what}, because ${problem}`);
      process.exitCode = process.argv.includes('--require') ? 1 : 0;
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Undefined, or why the packages are not there. A package that the registry has and that cannot be installed is a failure. */
async function install(directory, packages) {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', shell }).trim();
  for (const spec of packages) {
    const problem = await whyNot(registry, spec.replace(/^.*@npm:/, ''));
    if (problem !== undefined) return problem;
  }
  const { status, error } = spawnSync(
    'npm',
    ['install', '--prefix', directory, '--no-audit', '--no-fund', '--loglevel=error', ...packages],
    { stdio: ['ignore', 'inherit', 'inherit'], timeout: INSTALL_TIMEOUT, shell },
  );
  if (error !== undefined) return `npm install did not end within ${INSTALL_TIMEOUT / 1_000} s`;
  if (status !== 0) throw new Error(`npm install ended with exit code ${status}`);
  return undefined;
}

async function whyNot(registry, spec) {
  const name = spec.slice(0, spec.lastIndexOf('@'));
  const url = new URL(name.replace('/', '%2f'), registry.endsWith('/') ? registry : `${registry}/`);
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/vnd.npm.install-v1+json' },
      signal: AbortSignal.timeout(REGISTRY_TIMEOUT),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `the registry does not have ${name} (HTTP ${response.status})`;
  } catch (error) {
    return `the registry does not answer (${error instanceof Error ? error.message : error})`;
  }
}
