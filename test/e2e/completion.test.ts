import { execFile, spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { CLI, cleanEnv, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

/** The script uses `mapfile`, which the bash of macOS does not have. */
const bash = spawnSync('bash', ['-c', 'type mapfile'], { stdio: 'ignore' }).status === 0;

/** The completions of bash for the last word of a line. */
async function completions(...line: string[]): Promise<string[]> {
  const bin = await tmpFolder();
  const command = join(bin, 'rc-engine');
  await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
  await chmod(command, 0o755);
  const { PATH = '' } = process.env;
  const words = line.map((word) => `'${word}'`).join(' ');
  const { stdout } = await promisify(execFile)(
    'bash',
    [
      '-c',
      `source <(rc-engine completion); COMP_WORDS=(${words}); COMP_CWORD=${line.length - 1};
       _rc-engine_yargs_completions; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ],
    { env: cleanEnv({ PATH: `${bin}:${PATH}`, SHELL: '/bin/bash' }) },
  );
  return stdout.split('\n').filter((word) => word !== '');
}

describe('rc-engine completion', () => {
  it.runIf(bash)('completes commands and flags in bash', async () => {
    expect(await completions('rc-engine', 'sta')).toEqual(expect.arrayContaining(['start', 'status']));
    expect(await completions('rc-engine', 'start', '--ws-au')).toEqual(
      expect.arrayContaining(['--ws-auth', '--ws-audience']),
    );
    expect(await completions('rc-engine', 'status', '--jso')).toEqual(['--json']);
  });

  it.runIf(bash).for([
    ['start', '--app-server-', '--app-server-mode', '--app-server-protocol', '--app-server-token-file'],
    ['start', '--ws-s', '--ws-subprotocol', '--ws-shared-secret-file'],
    ['start', '--max-c', '--max-children', '--max-connections'],
    ['call', '--init', '--initialize'],
  ])('completes the flags of %s that begin with %s', async ([command = '', start = '', ...flags]) => {
    expect((await completions('rc-engine', command, start)).sort()).toEqual(flags.sort());
  });

  it.runIf(bash).for([
    ['--app-server-mode', 'shared', 'per-client', 'per-connection'],
    ['--app-server-protocol', 'auto', 'codex', 'mcp', 'acp', 'raw'],
    ['--ws-auth', 'capability-token', 'signed-bearer-token', 'filesystem'],
    ['--listen', 'codex', 'off'],
  ])('completes the values of %s', async ([flag = '', ...values]) => {
    expect(await completions('rc-engine', 'start', flag, '')).toEqual(expect.arrayContaining(values));
  });

  it('prints a zsh script when SHELL is zsh', async () => {
    expect((await cli(['completion'], { SHELL: '/bin/zsh' })).stdout).toMatch(/^#compdef rc-engine/m);
  });
});
