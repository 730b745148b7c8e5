// Runs the tests with real agents: Codex CLI, an MCP server, an ACP agent, and their SDK clients (docs/agents.md). The
// packages are installed in a temporary directory, because together they have 690 MB. CODEX_BIN and
// RC_ENGINE_TEST_AGENTS name installed ones instead. Where the registry does not answer, the tests are skipped with the
// reason. With `--require`, that is a failure.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { withPackages } from './temporary-packages.mjs';

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
const OTHERS = [
  'test/docs/commands.test.ts',
  'test/listener/codex-socket.test.ts',
  'test/model/conformance.test.ts',
];

const given = { CODEX_BIN: process.env.CODEX_BIN, RC_ENGINE_TEST_AGENTS: process.env.RC_ENGINE_TEST_AGENTS };
if (given.CODEX_BIN && given.RC_ENGINE_TEST_AGENTS) process.exitCode = test(given);
else {
  await withPackages(PACKAGES, 'the tests with real agents', (modules) => {
    const agents = agentsIn(modules);
    const missing = Object.values(agents).find((path) => !existsSync(path));
    if (missing !== undefined) throw new Error(`npm install did not create ${missing}`);
    return test(agents);
  });
}

function agentsIn(modules) {
  return { CODEX_BIN: join(modules, '.bin/codex'), RC_ENGINE_TEST_AGENTS: modules };
}

/** @returns the exit code */
function test(agents) {
  const env = { ...process.env, ...agents };
  const vitest = (...args) =>
    spawnSync('npx', ['vitest', 'run', ...args], {
      stdio: 'inherit',
      env,
      shell: process.platform === 'win32',
    }).status ?? 1;
  const codes = [vitest(...FILES), vitest(...OTHERS, '-t', 'Codex CLI')];
  return Math.max(...codes);
}
