/** The examples of docs/charts-for-your-project.md, as they are written: each file, each command, and what it prints. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { CLI, cleanEnv } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PAGE = readFileSync(path.join(ROOT, 'docs/charts-for-your-project.md'), 'utf8');

/** A file with its name above it, or commands after `$` with what they print. */
const BLOCK = /(?:^`([^`\n]+)`\n)?^```(\w+)\n([\s\S]*?)^```$/gm;

it.runIf(process.platform !== 'win32')(
  'the examples run, and print what the page says',
  { timeout: 120_000 },
  async () => {
    const project = await tmpFolder();
    const link = (name: string, target: string) => {
      mkdirSync(path.dirname(path.join(project, 'node_modules', name)), { recursive: true });
      symlinkSync(target, path.join(project, 'node_modules', name));
    };
    link('xstate', path.join(ROOT, 'node_modules/xstate'));
    link('rc-engine', ROOT);
    const command = (name: string, text: string) => {
      const file = path.join(project, 'bin', name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, `#!/bin/sh\n${text}\n`);
      chmodSync(file, 0o755);
    };
    command('rc-engine', `exec '${process.execPath}' '${CLI}' "$@"`);
    command(
      'npx',
      `shift; exec '${process.execPath}' '${path.join(ROOT, 'node_modules/jiti/lib/jiti-cli.mjs')}' "$@"`,
    );
    writeFileSync(path.join(project, '.gitignore'), 'node_modules\nbin\n');
    writeFileSync(path.join(project, 'package.json'), '{"type":"module"}');
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
        cwd: project,
        stdio: 'pipe',
      });
    git('init', '--quiet', '--initial-branch=main');
    const env: NodeJS.ProcessEnv = { ...cleanEnv(), JITI_FS_CACHE: 'false' };
    env.PATH = `${path.join(project, 'bin')}:${env.PATH}`;
    let commands = 0;
    for (const [, name, , text = ''] of PAGE.matchAll(BLOCK)) {
      if (name !== undefined) {
        mkdirSync(path.dirname(path.join(project, name)), { recursive: true });
        writeFileSync(path.join(project, name), text);
        if (name !== 'src/checkout.machine.ts') continue;
        git('add', '.');
        git('commit', '--quiet', '-m', 'x');
      }
      for (const part of text.split(/^\$ /m).slice(1)) {
        const [line = '', ...printed] = part.split('\n');
        const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
          cwd: project,
          env,
          encoding: 'utf8',
        });
        expect([line, status, stderr]).toEqual([line, 0, '']);
        // A hash changes with the wording of a function.
        const output = stdout.replace(/\b[0-9a-f]{12}\b/g, 'HASH');
        expect(output.trimEnd(), line).toBe(printed.join('\n').trimEnd());
        commands += 1;
      }
    }
    expect(commands).toBe(8);
  },
);
