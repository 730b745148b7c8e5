import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.js';
import {
  commandsIn,
  homeFlag,
  program,
  programOf,
  suggested,
  WITH_HOME,
  WITHOUT_HOME,
  withoutCommands,
} from '../../src/cli/suggested.js';
import { resolveHome } from '../../src/home/home.js';
import { it } from '../support/lab.js';

const NODE_ONLY = dirname(process.execPath);

describe('the commands of a next step', () => {
  it('are all known, so that each runs as printed', () => {
    const known = `${WITH_HOME}|${WITHOUT_HOME}`.split('|');
    expect(COMMANDS.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('RC-130: a proposed command', () => {
  it('is rc-engine where the PATH of another terminal leads here', ({ lab }) => {
    const script = join(lab.folder, 'dist', 'cli.js');
    mkdirSync(dirname(script), { recursive: true });
    writeFileSync(script, '', { mode: 0o755 });
    const bin = join(lab.folder, 'bin');
    const ofNpm = join(lab.folder, 'node_modules', '.bin');
    for (const directory of [bin, ofNpm]) {
      mkdirSync(directory, { recursive: true });
      symlinkSync(script, join(directory, 'rc-engine'));
    }
    const PATH = [bin, NODE_ONLY].join(delimiter);
    expect(programOf(join(bin, 'rc-engine'), { PATH })).toBe('rc-engine');
    expect(programOf(script, { PATH })).toBe('rc-engine');
    // npm and npx add their own directories, which another terminal does not have.
    const npm = [ofNpm, NODE_ONLY].join(delimiter);
    expect(programOf(script, { PATH: npm })).toBe(`node ${script}`);
    expect(programOf(join(ofNpm, 'rc-engine'), { PATH: npm })).toBe(join(ofNpm, 'rc-engine'));
    expect(programOf(script, { PATH: '/nowhere' })).toBe(`${process.execPath} ${script}`);
  });

  it('is npx with the package that npx was given, when it runs from the cache of npm', ({ lab }) => {
    const root = join(lab.folder, '_npx', 'abc');
    const script = join(root, 'node_modules', '.bin', 'rc-engine');
    mkdirSync(dirname(script), { recursive: true });
    writeFileSync(script, '', { mode: 0o755 });
    const made = (packages: string[]) =>
      writeFileSync(join(root, 'package.json'), JSON.stringify({ _npx: { packages } }));
    made(['rc-engine@1.2.3']);
    expect(programOf(script, { PATH: NODE_ONLY })).toBe('npx rc-engine@1.2.3');
    made(['./rc-engine.tgz']);
    expect(programOf(script, { PATH: NODE_ONLY })).toBe(script);
  });

  it('names the home, unless it is the usual one', () => {
    expect(homeFlag(resolveHome(undefined, {}))).toBe('');
    expect(homeFlag('/srv/my engine')).toBe(" --home '/srv/my engine'");
    expect(suggested('Sign in with rc-engine login --device, or see rc-engine explain usage.', '/x')).toBe(
      `Sign in with ${program()} login --device --home /x, or see ${program()} explain usage.`,
    );
    expect(suggested('Run rc-engine start --auth-store ephemeral first.', '/x')).toBe(
      `Run ${program()} start --auth-store ephemeral --home /x first.`,
    );
    // A path and a name are no commands.
    expect(suggested('~/.rc-engine/x and rc-engine statuses', '/x')).toBe(
      '~/.rc-engine/x and rc-engine statuses',
    );
  });

  it('stands on a line of its own where it is longer than in the sentence', () => {
    const sentence = 'If not: rc-engine repair --step installation-id gives one of them another identity.';
    expect(commandsIn(sentence, '/x')).toEqual([`${program()} repair --step installation-id --home /x`]);
    expect(withoutCommands(sentence)).toBe('If not: the repair command gives one of them another identity.');
  });
});
