// Runs `npm audit signatures`, which checks that each installed package is the one that the registry signed. A registry
// that has no signing keys (many mirrors) or does not answer cannot be asked: skipped, with the reason.
import { execFileSync, spawnSync } from 'node:child_process';

/** ms */
const KEYS_TIMEOUT = 10_000;
const AUDIT_TIMEOUT = 180_000;

/** On Windows npm and npx are batch files, which only a shell runs. */
const shell = process.platform === 'win32';

const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', shell }).trim();
const reason = await whyNot(new URL('-/npm/v1/keys', registry));
if (reason === undefined) {
  const { status, error } = spawnSync('npm', ['audit', 'signatures'], {
    stdio: 'inherit',
    shell,
    timeout: AUDIT_TIMEOUT,
  });
  if (error !== undefined) console.error(`npm audit signatures: ${error.message}`);
  process.exitCode = status ?? 1;
} else {
  console.log(`skipped: ${reason}`);
}

async function whyNot(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(KEYS_TIMEOUT) });
    if (!response.ok) return `the registry has no signing keys (HTTP ${response.status})`;
    const { keys } = await response.json();
    return Array.isArray(keys) && keys.length > 0 ? undefined : 'the registry has no signing keys';
  } catch (error) {
    return `the registry does not answer (${error instanceof Error ? error.message : error})`;
  }
}
