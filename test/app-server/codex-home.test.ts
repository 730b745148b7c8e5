import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeCodexHome } from '../../src/app-server/codex-home.js';
import { tmpFolder } from '../support/tmp.js';

describe('WSA-69: the directory of Codex CLI', () => {
  it('is made where it is missing, for its user alone, and stays as it is where it exists', async () => {
    const user = await tmpFolder();
    makeCodexHome({}, user);
    const directory = join(user, '.codex');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    writeFileSync(join(directory, 'config.toml'), '');
    makeCodexHome({}, user);
    expect(statSync(join(directory, 'config.toml')).isFile()).toBe(true);
  });

  it('is not made where CODEX_HOME names another one, and a failure is left to Codex CLI', async () => {
    const user = await tmpFolder();
    makeCodexHome({ CODEX_HOME: join(user, 'other') }, user);
    expect(statSync(join(user, '.codex'), { throwIfNoEntry: false })).toBeUndefined();
    expect(statSync(join(user, 'other'), { throwIfNoEntry: false })).toBeUndefined();
    mkdirSync(join(user, 'file-user'));
    writeFileSync(join(user, 'file-user/.codex'), '');
    makeCodexHome({}, join(user, 'file-user'));
    makeCodexHome({}, '/proc/no/such');
  });
});
