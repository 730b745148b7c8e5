import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { REASONS } from '../../src/protocol/reasons.js';
import { whyNotExecutable } from '../../src/system/processes.js';
import { CLI, cleanEnv, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const has = (program: string): boolean => whyNotExecutable(program) === null;
const bash = has('bash');

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
      `source <(rc-engine completion bash); COMP_WORDS=(${words}); COMP_CWORD=${line.length - 1};
       _rc_engine; printf '%s\\n' "\${COMPREPLY[@]}"`,
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

  it.runIf(bash).for<[string[], string[]]>([
    [
      ['token', ''],
      ['create', 'sign'],
    ],
    [['config', 'set', 'maxCh'], ['maxChildren']],
    [['explain', 'connectionConf'], ['connectionConflict']],
    [['graph', 'websocketA'], ['websocketAuth']],
    [['paths', 'pairi'], ['pairing']],
    [
      ['devices', 're'],
      ['rename', 'revoke'],
    ],
    [['start', '--listen', '=', 'co'], ['codex']],
    [['start', '--auth-file', '/etc/passw'], ['/etc/passwd']],
    [['start', '--home', '/et'], ['/etc']],
    [['start', '--home', '/x', '--auth-sta'], ['--auth-startup']],
    [['start', '--', 'sh', '/etc/passw'], ['/etc/passwd']],
    [['logs', '--lev'], ['--level']],
  ])('RC-171: completes %j', async ([line, expected]) => {
    expect(await completions('rc-engine', ...line)).toEqual(expect.arrayContaining(expected));
  });

  it('RC-171: every command, flag and reason is in each script', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { stdout } = await cli(['completion', shell]);
      for (const command of COMMANDS) {
        expect(stdout).toContain(command.name);
        const leaves = 'subcommands' in command ? command.subcommands : [command];
        for (const leaf of leaves) {
          for (const flag of Object.keys(leaf.options)) {
            expect(stdout).toContain(shell === 'fish' ? `-l ${flag}` : `--${flag}`);
          }
        }
      }
      for (const reason of Object.keys(REASONS)) expect(stdout).toContain(reason);
    }
  });

  for (const [shell, args] of [
    ['bash', ['-n']],
    ['zsh', ['-n']],
    ['fish', ['--no-execute']],
  ] as const) {
    it.runIf(has(shell))(`RC-171: ${shell} reads its script`, async () => {
      const file = join(await tmpFolder(), 'script');
      await writeFile(file, (await cli(['completion', shell])).stdout);
      await promisify(execFile)(shell, [...args, file]);
    });
  }

  it('RC-171: the manual page has each command, and man reads it without a warning', async () => {
    const { stdout } = await cli(['completion', '--man']);
    for (const { name } of COMMANDS) expect(stdout).toMatch(new RegExp(`^\\.SS ${name}`, 'm'));
    if (!has('man')) return;
    const file = join(await tmpFolder(), 'rc-engine.1');
    await writeFile(file, stdout);
    const { stderr } = await promisify(execFile)('man', ['--warnings', '-l', '-Tutf8', file], {
      env: { ...process.env, MANWIDTH: '80', MANPAGER: 'cat' },
    });
    expect(stderr).toBe('');
  });

  it('prints a zsh script when SHELL is zsh', async () => {
    expect((await cli(['completion'], { SHELL: '/bin/zsh' })).stdout).toMatch(/^#compdef rc-engine/m);
  });
});
