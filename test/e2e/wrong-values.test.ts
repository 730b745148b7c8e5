/** Wrong invocations of other kinds: variables, files, hyphens, commands for operators. RC-133 */
import { execFileSync } from 'node:child_process';
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
  // Paths of another kind, short flags, and words that are almost right.
  [['start', '--listen', 'unix:///'], '--listen must name a socket in that directory'],
  [['start', '--listen', 'unix:///tmp/'], '--listen must name a socket in that directory'],
  [['start', '--ca-cert', '/dev/null'], 'The file /dev/null of --ca-cert contains no PEM certificate.'],
  [['login', '--ca-cert', '/dev/null'], 'The file /dev/null of --ca-cert contains no PEM certificate.'],
  [['start', '--ca-cert', '/'], 'The certificate file / cannot be read: it is a directory'],
  [['start', '--', ''], 'The command after -- is empty.'],
  [['start', '--', '/etc'], 'The app server cannot be started: /etc is not an executable program.'],
  [['start', '--listen', 'ws://[::1'], '--listen must be ws://IP:PORT'],
  [['start', '--listen', 'ws://256.1.1.1:80'], '--listen must name an IP address'],
  [['start', '--base-url', 'https://x:99999'], 'base URL https://x:99999 is refused'],
  [['start', '--base-url', 'http://[::g]'], 'base URL http://[::g] is refused'],
  [['start', '--metrics-listen', ':::'], '--metrics-listen must be IP:PORT'],
  [['start', '---json'], 'Unknown option of start: ---json.'],
  [['start', '--=x'], 'Unknown option of start: --=x.'],
  [['logs', '-n'], '-n needs a value.'],
  [['logs', '-f', '-f'], '--follow is given 2 times.'],
  [['logs', '-f', '--follow'], '--follow is given 2 times.'],
  [['logs', '-n', '3', '--lines', '4'], '--lines is given 2 times.'],
  [['logs', '-n', '1.5'], '--lines must be a whole number from 0 to 4000.'],
  [['history', '--since', '2026-13-45'], '--since "2026-13-45" is no moment.'],
  [['version'], 'Unknown command: version.'],
  [['STATUS'], 'Unknown command: STATUS.'],
  [['login', '--api-key', 'x'], 'Unknown option of login: --api-key.'],
  [['login', '--issuer', 'http://'], '--issuer must be an https URL'],
  [['call', 'x/y', '{}', 'extra'], 'Unknown argument of call: extra.'],
  [['explain', ''], 'CODE must not be empty.'],
  [['explain', '99999'], 'Unknown code "99999".'],
  [['inspect', '--compare', 'x'], 'inspect needs FILE or --attach.'],
  [['inspect', '--attach', 'x'], '--attach and a saved timeline contradict each other.'],
  [['connect', ''], 'ENVIRONMENT is empty.'],
  [['connect', '--code-stdin'], 'The first line of stdin holds no pairing code.'],
  [['config', 'set', 'home', '/x'], 'Unknown setting "home".'],
  [['backend', '--listen', 'http://0.0.0.0:99999'], 'it is not an http URL with a port of at most 65535'],
  [['token', 'create', '--capability', '--ttl'], '--capability needs a value.'],
  [['status', '--home='], '--home must not be empty.'],
  [['graph', '/dev/null'], 'There is no file or directory /dev/null.'],
  [['graph', 'link', '--format'], '--format needs a value.'],
];

/** What the next step proposes, where it is more than the help. */
const PROPOSED: readonly (readonly [argv: readonly string[], next: RegExp])[] = [
  [['STATUS'], /Did you mean status\?/],
  [['version'], /Run: .*rc-engine --version/],
  [['login', '--api-key', 'x'], /Did you mean --api-key-stdin\?/],
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

  it.for(PROPOSED)('%j is followed by %s', async ([argv, next], { lab }) => {
    const { stderr } = await lab.cli([...argv], { HOME: lab.folder });
    expect(stderr).toMatch(next);
  });

  it('a pipe in place of a file does not make a command wait for ever', async ({ lab }) => {
    const pipe = join(lab.folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const { code, stderr } = await lab.cli(['inspect', pipe]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/pipe is not a file\.\n {2}\S/)]);
  });

  it('a directory in place of a socket is named as such', async ({ lab }) => {
    const { code, stderr } = await lab.cli(['start', '--home', lab.home, '--listen', `unix://${lab.folder}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/is a directory, and a socket needs a path.*\n {2}Name a file in it, such as/);
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
