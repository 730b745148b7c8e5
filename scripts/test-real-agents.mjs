// Runs the tests with real agents: Codex CLI, an MCP server, an ACP agent, and their SDK clients (docs/agents.md). The
// packages are installed in a temporary directory, because together they have 690 MB. CODEX_BIN and
// RC_ENGINE_TEST_AGENTS name installed ones instead. Where the registry does not answer, the tests are skipped with the
// reason. With `--require`, that is a failure.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PACKAGES = [
  '@openai/codex@0.171.0',
  '@modelcontextprotocol/sdk@1.32.2',
  '@modelcontextprotocol/server-everything@2026.8.31',
  '@zed-industries/codex-acp@0.16.0',
  '@agentclientprotocol/sdk@2.4.0',
];
/** All tests of these files, and of the others those whose title names Codex CLI. */
const FILES = [
  'test/agents/packages.test.ts',
  'test/app-server/codex.test.ts',
  'test/app-server/codex-turns.test.ts',
  'test/account/codex-cli.test.ts',
  'test/backend/codex-cli.test.ts',
  'test/e2e/connect-codex.test.ts',
];
const OTHERS = ['test/listener/codex-socket.test.ts', 'test/model/conformance.test.ts'];
/** ms */
const REGISTRY_TIMEOUT = 10_000;
const INSTALL_TIMEOUT = 120_000;

const given = { CODEX_BIN: process.env.CODEX_BIN, RC_ENGINE_TEST_AGENTS: process.env.RC_ENGINE_TEST_AGENTS };
const complete = given.CODEX_BIN && given.RC_ENGINE_TEST_AGENTS;
const directory = complete ? undefined : mkdtempSync(join(tmpdir(), 'rc-engine-agents-'));
try {
  const problem = directory === undefined ? undefined : await install(directory);
  if (problem === undefined) process.exitCode = test(directory === undefined ? given : agentsIn(directory));
  else {
    console.log(`skipped: the tests with real agents, because ${problem}`);
    process.exitCode = process.argv.includes('--require') ? 1 : 0;
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
}

/** Undefined, or why the packages are not there. A package that the registry has and that cannot be installed is a failure. */
async function install(directory) {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  for (const name of PACKAGES) {
    const problem = await whyNot(registry, name);
    if (problem !== undefined) return problem;
  }
  const { status, error } = spawnSync(
    'npm',
    ['install', '--prefix', directory, '--no-audit', '--no-fund', '--loglevel=error', ...PACKAGES],
    { stdio: ['ignore', 'inherit', 'inherit'], timeout: INSTALL_TIMEOUT },
  );
  if (error !== undefined) return `npm install did not end within ${INSTALL_TIMEOUT / 1_000} s`;
  if (status !== 0) throw new Error(`npm install ended with exit code ${status}`);
  const missing = Object.values(agentsIn(directory)).find((path) => !existsSync(path));
  if (missing !== undefined) throw new Error(`npm install did not create ${missing}`);
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

function agentsIn(directory) {
  const modules = join(directory, 'node_modules');
  return { CODEX_BIN: join(modules, '.bin/codex'), RC_ENGINE_TEST_AGENTS: modules };
}

/** @returns the exit code */
function test(agents) {
  const env = { ...process.env, ...agents };
  const vitest = (...args) =>
    spawnSync('npx', ['vitest', 'run', ...args], { stdio: 'inherit', env }).status ?? 1;
  const codes = [vitest(...FILES), vitest(...OTHERS, '-t', 'Codex CLI')];
  return Math.max(...codes);
}
