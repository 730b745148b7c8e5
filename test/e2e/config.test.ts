import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { START_SETTINGS } from '../../src/cli/settings/start-settings.js';
import { it, type Json } from '../support/lab.js';

describe('RC-127: rc-engine config', () => {
  it('show names each setting with its value and its origin', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o700 });
    await writeFile(join(lab.home, 'config.json'), '{\n  "maxChildren": 3,\n  "listen": "off"\n}\n', {
      mode: 0o600,
    });
    const digest = 'ab'.repeat(32);
    const { code, stdout } = await lab.cli(
      ['config', 'show', '--home', lab.home, '--json', '--on-conflict', 'exit'],
      { RC_ENGINE_LISTEN: 'stdio://', RC_ENGINE_WS_TOKEN_SHA256: digest },
    );
    expect(code).toBe(0);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(rows.map(({ name }) => name)).toEqual(START_SETTINGS.map(({ name }) => name));
    const row = (name: string) => rows.find((one) => one.name === name);
    expect(row('onConflict')).toMatchObject({ value: 'exit', origin: 'flag', flag: '--on-conflict' });
    expect(row('listen')).toMatchObject({
      value: 'stdio://',
      origin: 'variable',
      variable: 'RC_ENGINE_LISTEN',
    });
    expect(row('maxChildren')).toMatchObject({ value: 3, origin: 'file', line: 2 });
    expect(row('baseUrl')).toMatchObject({
      value: null,
      origin: 'default',
      default: expect.stringMatching(/^https/),
    });
    expect(row('wsTokenSha256')).toMatchObject({ value: '<redacted>', origin: 'variable' });
    expect(stdout).not.toContain(digest);
    const one = await lab.cli(['config', 'show', '--max-children', '--home', lab.home]);
    expect(one.code).toBe(2);
    const named = await lab.cli(['config', 'show', 'maxChildren', '--home', lab.home]);
    expect(named.stdout).toBe(`maxChildren  3  (${lab.home}/config.json:2)\n`);
  });

  it('set makes a private file, and start uses it; unset removes the key', async ({ lab }) => {
    const set = (...words: string[]) => lab.cli(['config', 'set', ...words, '--home', lab.home]);
    expect((await set('listen', 'off')).code).toBe(0);
    expect((await set('RC_ENGINE_MAX_CHILDREN', '4')).code).toBe(0);
    const file = join(lab.home, 'config.json');
    expect(await readFile(file, 'utf8')).toBe('{\n  "listen": "off",\n  "maxChildren": 4\n}\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const unset = await lab.cli(['config', 'unset', 'listen', '--home', lab.home]);
    expect([unset.code, unset.stdout]).toEqual([
      0,
      expect.stringContaining('its default is ws://127.0.0.1:0'),
    ]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ maxChildren: 4 });
  });

  it.each<[string[], string, string]>([
    [['listn', 'off'], 'Unknown setting "listn".', 'Did you mean listen?'],
    [['maxChildren', 'many'], 'maxChildren must be a whole number from 1', 'Correct it'],
    [['json', 'maybe'], 'json must be true or false', 'Correct it'],
    [['listen', ''], 'VALUE must not be empty', 'config set --help'],
    [['remoteControl', 'perhaps'], 'remoteControl must be on, off or preference', 'Correct it'],
  ])('set %j is refused and writes nothing', async (words, problem, nextStep) => {
    const { Lab } = await import('../support/lab.js');
    const lab = await Lab.open();
    const { code, stderr } = await lab.cli(['config', 'set', ...words, '--home', lab.home]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(problem)]);
    expect(stderr).toContain(nextStep);
    await expect(stat(join(lab.home, 'config.json'))).rejects.toThrow();
    await lab.end();
  });

  it('a wrong file is not written, a link stays a link, and contradictions are reported', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o700 });
    const target = join(lab.folder, 'shared.json');
    await writeFile(target, '{"listn": 1}', { mode: 0o600 });
    await symlink(target, join(lab.home, 'config.json'));
    const set = (...words: string[]) => lab.cli(['config', 'set', ...words, '--home', lab.home]);
    const wrong = await set('listen', 'off');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('"listn" is not a known key')]);
    await writeFile(target, '{}', { mode: 0o600 });
    const contradiction = await set('wsTokenFile', '/x');
    expect(contradiction.code).toBe(0);
    expect(contradiction.stderr).toContain('A start would be refused now: --ws-token-file needs --ws-auth.');
    expect(JSON.parse(await readFile(target, 'utf8'))).toEqual({ wsTokenFile: '/x' });
  });

  it('says that a running engine keeps its settings', async ({ lab }) => {
    await lab.connected();
    const { stderr } = await lab.cli(['config', 'set', 'maxChildren', '5', '--home', lab.home]);
    expect(stderr).toContain('until it is restarted');
  });
});
