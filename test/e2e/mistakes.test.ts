import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { flagOf, variableOf } from '../../src/cli/settings/setting.js';
import { START_SETTINGS } from '../../src/cli/settings/start-settings.js';
import type { CliResult } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';

/** A mistake in each setting, and what the message must say is allowed. Other sources: test/cli/settings/settings.test.ts */
const MISTAKES: Readonly<Record<string, readonly [string, RegExp]>> = {
  authFile: ['', /must not be empty/],
  authStore: ['keyring', /must be file, auto or ephemeral \(.*system keyring/],
  baseUrl: ['https://chatgpt.com.evil.com/', /Allowed are https to chatgpt\.com/],
  allowHost: ['https://my.host/', /must be a host name, or host:port/],
  caCert: ['/does/not/exist.pem', /cannot be read/],
  listen: ['tcp://127.0.0.1:0', /must be .*off.*stdio:\/\/|must be .*stdio:\/\/.*off/],
  remoteControl: ['maybe', /must be on, off or preference/],
  clientName: ['', /must not be empty/],
  authStartup: ['later', /must be ready or recoverable/],
  onConflict: ['fight', /must be wait, reenroll or exit/],
  store: ['postgres://x', /must be sqlite:PATH, memory: or none/],
  logLevel: ['loud', /must be silent, error, warn, info, debug or trace/],
  logFormat: ['xml', /must be pretty or json/],
};
/** Settings whose value is checked where it is used; the message names the value. */
const NAMED_BY_VALUE = new Set(['baseUrl', 'caCert']);

function expectMistake(result: CliResult, source: RegExp, allowed: RegExp): void {
  expect(result.code, result.stderr).toBe(2);
  expect(result.stderr).toMatch(/^rc-engine: /);
  expect(result.stderr).toMatch(source);
  expect(result.stderr).toMatch(allowed);
  expect(result.stderr, 'a stack trace').not.toMatch(/^\s+at /m);
  expect(result.stdout).toBe('');
}

async function start(lab: Lab, args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliResult> {
  await lab.signIn();
  return lab.cli(['start', '--home', lab.home, ...args], env);
}

describe('one mistake in each setting ends the start with code 2, naming its source and what is allowed', () => {
  it.for(Object.entries(MISTAKES))('%s', async ([name, [text, allowed]], { lab }) => {
    const flag = `--${flagOf(name)}`;
    const source = new RegExp(NAMED_BY_VALUE.has(name) ? text : flag);
    expectMistake(await start(lab, [`${flag}=${text}`]), source, allowed);
  });
});

describe('other mistakes of a new user', () => {
  it('no command, an unknown one, an unknown flag, one without its value, one argument too many', async ({
    lab,
  }) => {
    expectMistake(await lab.cli([]), /A command is missing/, /Run: rc-engine --help/);
    expectMistake(await lab.cli(['strat']), /Unknown command: strat/, /Did you mean start\?/);
    expectMistake(
      await start(lab, ['--bas-url', 'x']),
      /Unknown option of start: --bas-url/,
      /Did you mean --base-url\?/,
    );
    expectMistake(await start(lab, ['--listen']), /--listen needs a value/, /Run: rc-engine start --help/);
    expectMistake(await start(lab, ['now']), /Unknown argument of start: now/, /Run: rc-engine start --help/);
    expectMistake(await lab.cli(['start', '--home', '']), /--home/, /must not be empty/);
  });

  it('help works as a word, as a flag, and for each command', async ({ lab }) => {
    for (const args of [['--help'], ['help'], ['help', 'start'], ['start', '--help'], ['wait', '-h']]) {
      const { code, stdout, stderr } = await lab.cli(args);
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/Options:/);
    }
    const { stdout } = await lab.cli(['start', '--help']);
    // Forty flags in one list are not read by anybody.
    for (const topic of ['Remote control', 'Account', 'Local listener', 'App server', 'Output']) {
      expect(stdout).toMatch(new RegExp(`^${topic}:\n +--`, 'm'));
    }
    for (const { name } of START_SETTINGS) expect(stdout.replace(/\s+/g, ' ')).toContain(variableOf(name));
  });

  it('a command that is not there is told at the start, not only to the first client', async ({ lab }) => {
    const engine = await lab.start(['--no-remote-control', '--listen', 'off', '--', 'no-such-command']);
    await engine.until(() => engine.stderr.includes('is not on the PATH'), 'the warning');
    expect(engine.stderr).toContain(
      'no-such-command is not on the PATH: clients are refused until it is available.',
    );
  });

  it('a flag given again replaces what it said before; --allow-host grows', async ({ lab }) => {
    const { stderr } = await start(lab, [
      ...['--base-url', 'http://one.test', '--base-url', 'http://two.test'],
      ...['--allow-host', 'a.test', '--allow-host', 'b.test'],
    ]);
    expect(stderr).toMatch(/two\.test\/ is refused.*now: a\.test, b\.test/);
  });

  it.for([
    ['not JSON', '{"json": tru', /line 1, column 10/],
    ['no object', '[]', /must contain an object/],
    ['an unknown key', '{"baseURL": "x"}', /did you mean "baseUrl"\?/],
  ] as const)('the configuration file is wrong: %s', async ([, text, allowed], { lab }) => {
    await mkdir(lab.home, { recursive: true });
    await writeFile(join(lab.home, 'config.json'), text);
    expectMistake(await start(lab, []), /config\.json/, allowed);
  });

  it('--json, however it is given, says it on stdout as well', async ({ lab }) => {
    const mistake = ['--listen', 'x'];
    for (const result of [
      await start(lab, ['--json', ...mistake]),
      await start(lab, mistake, { RC_ENGINE_JSON: '1' }),
    ]) {
      expect(result.code).toBe(2);
      expect(JSON.parse(result.stdout)).toEqual({
        type: 'error',
        code: 'usage',
        message: expect.stringMatching(/^--listen must be .*, not "x"\.$/),
        hint: expect.any(String),
      });
    }
  });

  it('an unknown command is what is wrong, whatever flags stand behind it; --version is answered anywhere', async ({
    lab,
  }) => {
    for (const args of [['nothing'], ['nothing', '--json'], ['nothing', '--bogus']]) {
      const { code, stderr } = await lab.cli(args);
      expect({ code, first: stderr.split('\n')[0] }).toEqual({
        code: 2,
        first: 'rc-engine: Unknown command: nothing.',
      });
    }
    expect((await lab.cli(['start', '--version'])).stdout).toBe((await lab.cli(['--version'])).stdout);
  });

  it('a place that lets nothing be made in it and does not say so (/proc) is told at once', async ({
    lab,
  }) => {
    const { code, stderr } = await lab.cli(['start', '--home', '/proc/x/y']);
    expect(code).toBe(1);
    expect(stderr).toContain('The home directory /proc/x/y cannot be used: ');
  });

  it('a full disk under stdout ends a command with a message, and an engine in good order', async ({
    lab,
  }) => {
    const full = { before: 'exec >/dev/full' };
    const home = ['--home', lab.home, '--no-remote-control'];
    for (const args of [
      ['explain', 'missingToken'],
      ['--version'],
      ['start', '--json', ...home],
      ['start', ...home],
    ]) {
      const { code, stderr } = await lab.run(args, {}, full).exited;
      expect({ args, code }).toEqual({ args, code: 1 });
      expect(stderr).toContain('rc-engine: stdout cannot be written: the disk is full (ENOSPC).');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });

  it('a file that cannot be written (EFBIG stands for a full disk) is told, and no half of it stays', async ({
    lab,
  }) => {
    const none = { before: `trap '' XFSZ; ulimit -f 0` };
    const file = join(lab.folder, 'token');
    const made = await lab.run(['token', 'create', '--capability', file], {}, none).exited;
    expect(made).toMatchObject({ code: 2, stderr: expect.stringContaining('(EFBIG)') });
    expect(existsSync(file)).toBe(false);
    const out = join(lab.folder, 'charts');
    const drawn = await lab.run(['graph', 'link', '--format', 'json', '--out', out], {}, none).exited;
    expect(drawn).toMatchObject({ code: 2, stderr: expect.stringContaining('(EFBIG)') });
    expect(made.stderr + drawn.stderr).not.toMatch(/^\s+at /m);
  });

  it('an empty HOME is no home, and bytes that are no text are no path', async ({ lab }) => {
    const { stdout } = await lab.cli(['status', '--json'], { HOME: '' });
    expect(JSON.parse(stdout).message).toBe(`No engine runs on ${join(userInfo().homedir, '.rc-engine')}.`);
    const wrong = await lab.cli(['start', '--home', `${lab.folder}/a\uFFFD`]);
    expect(wrong.stderr).toMatch(/not UTF-8/);
  });

  it.runIf(process.getuid?.() === 0)(
    'a user that the system does not know, without HOME, is told',
    async ({ lab }) => {
      const stranger = { uid: 12_345, gid: 12_345, before: 'unset HOME' };
      const { code, stderr } = await lab.run(['status'], {}, stranger).exited;
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^rc-engine: HOME is not set, and the system has no home directory for this user\.\n/,
      );
      expect(stderr).toContain('--home');
    },
  );

  it('a home that is a file, or cannot be made', async ({ lab }) => {
    const file = join(lab.folder, 'file');
    await writeFile(file, '');
    for (const home of [file, join(file, 'below')]) {
      const { code, stderr } = await lab.cli(['start', '--home', home]);
      expect(code).toBe(1);
      expect(stderr).toContain(`The home directory ${home} cannot be used: `);
      expect(stderr).toContain('explain homeUnusable');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });
});
