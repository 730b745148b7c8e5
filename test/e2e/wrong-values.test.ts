/** Wrong invocations of other kinds: variables, files, hyphens, commands for operators. RC-133 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { it } from '../support/lab.js';

type Case = readonly [argv: readonly string[], message: string, env?: NodeJS.ProcessEnv, config?: string];

const WRONG: readonly Case[] = [
  // Hyphens.
  [['–home', 'x', 'status'], '–home is no option of rc-engine.'],
  [['status', '—json'], '—json is no option of rc-engine.'],
  [['status', '-home', 'x'], '-home is no option of rc-engine.'],
  [['status', '-json'], '-json is no option of rc-engine.'],
  [['status', '--HOME', 'x'], '--HOME is no option of rc-engine.'],
  [['start', '--Listen=off'], '--Listen is no option of rc-engine.'],
  [['start', '-listen=off'], '-listen is no option of rc-engine.'],
  [['start', '--no-json'], 'Unknown option of start: --no-json.'],
  [['--version', '--jsn'], '--version cannot be used with --jsn.'],
  // A flag in the place of a value.
  [['status', '--home', '--json'], '--home needs a value.'],
  [['start', '--max-connections', '0x10'], '--max-connections must be a whole number'],
  [['start', '--max-connections', '1_000'], '--max-connections must be a whole number'],
  [['stop', '--timeout', '1h'], '--timeout must be a number of seconds'],
  [['restart', '--timeout', 'x'], '--timeout must be a number of seconds'],
  // Variables.
  [['start'], 'RC_ENGINE_LISTEN must be ws://IP:PORT', { RC_ENGINE_LISTEN: 'x' }],
  [['start'], 'RC_ENGINE_JSON must be true or false', { RC_ENGINE_JSON: 'maybe' }],
  [['start'], 'RC_ENGINE_MAX_CONNECTIONS must be a whole number', { RC_ENGINE_MAX_CONNECTIONS: 'many' }],
  [['start'], 'RC_ENGINE_WS_AUTH must be capability-token', { RC_ENGINE_WS_AUTH: '' }],
  [['start'], 'RC_ENGINE_METRICS must be true or false', { RC_ENGINE_METRICS: 'yes' }],
  [['start'], 'RC_ENGINE_ACCESS_TOKEN is not a token', { RC_ENGINE_ACCESS_TOKEN: 'two words' }],
  // config.json.
  [['start'], 'config.json', {}, '{"listen": "off",}'],
  [['start'], '"listen"', {}, '{"listn": "off"}'],
  [['start'], 'maxConnections', {}, '{"maxConnections": "7"}'],
  [['start'], 'config.json', {}, '["listen"]'],
  [['config', 'set', 'nosuch', '1'], 'Unknown setting "nosuch".'],
  [['config', 'set', 'listen'], 'config set needs KEY VALUE.'],
  [['config', 'set', 'maxConnections', 'abc'], 'maxConnections must be a whole number'],
  [['config', 'unset', 'nosuch'], 'Unknown setting "nosuch".'],
  [['config'], 'A subcommand of config is missing: show, set or unset.'],
  // Commands for operators.
  [['completion', 'tcsh'], 'Unknown shell "tcsh".'],
  [['completion', 'bash', 'zsh'], 'Unknown argument of completion: zsh.'],
  [['service', 'install', '--name', 'a b'], '--name must be a short name'],
  [['service', 'install', '--user', 'me'], '--user needs --system.'],
  [['service', 'install', '--manager', 'upstart'], 'Unknown manager "upstart".'],
  [['service', 'stat'], 'Unknown subcommand of service: stat.'],
  [['url', '--new', '--inspector'], '--new and --inspector cannot be used together'],
  [['connect', '--list', 'work'], '--list lists all environments and takes no ENVIRONMENT.'],
  [['connect', '--listen', 'ws://8.8.8.8:1'], '--listen ws://8.8.8.8:1 is not a local endpoint.'],
  [['devices', 'rename', 'phone'], 'The new name is missing.'],
  [['logs', '--level', 'loud'], 'Unknown level "loud".'],
  [['start', '--metrics', '--listen', 'off'], '--metrics needs a listener, and --listen is off.'],
  [['start', '--metrics-token-file', 'rel'], '--metrics-token-file needs --metrics-listen.'],
  [['start', '--log-file', '/no/such/dir/x'], 'The file /no/such/dir/x of --log-file cannot be opened'],
];

describe('RC-133: a wrong invocation of another kind', () => {
  it.for(WRONG)('%j: "%s"', async ([argv, message, env = {}, config], { lab }) => {
    if (config !== undefined) {
      await mkdir(join(lab.folder, '.rc-engine'), { mode: 0o700 });
      await writeFile(join(lab.folder, '.rc-engine/config.json'), config, { mode: 0o600 });
    }
    const { code, stdout, stderr } = await lab.cli([...argv], { HOME: lab.folder, ...env });
    expect(code, stderr).toBe(2);
    const [first = '', next = '', ...rest] = stderr.trimEnd().split('\n');
    expect(first).toMatch(/^rc-engine: /);
    expect(first).toContain(message);
    expect(next).toMatch(/^ {2}[A-Z]\S.*/);
    expect(rest.filter((line) => !line.includes('rc-engine explain'))).toEqual([]);
    expect(stderr).not.toMatch(/yargs|YError|valibot|node:|\bERR_[A-Z]|^\s+at /m);
    if (!argv.includes('--json')) expect(stdout).toBe('');
  });

  it('a home that is a file is named as such by each command', async ({ lab }) => {
    const file = join(lab.folder, 'file');
    await writeFile(file, '');
    for (const command of ['status', 'start', 'stop', 'whoami', 'pair']) {
      const { code, stdout, stderr } = await lab.cli([command, '--home', file]);
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('it is not a directory')]);
    }
  });
});
