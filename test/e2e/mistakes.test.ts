import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { flagOf, variableOf } from '../../src/cli/settings/setting.js';
import { START_SETTINGS } from '../../src/cli/settings/start-settings.js';
import type { CliResult } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';

/** A wrong value for each setting, and what the message says is allowed. Other sources: test/cli/settings. */
const WRONG_VALUES: Readonly<Record<string, readonly [string, RegExp]>> = {
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
/** Settings that are checked where they are used. The message names the value instead of the flag. */
const NAMED_BY_VALUE = new Set(['baseUrl', 'caCert']);

/** Common wrong invocations: what the message says, and the next step. */
const INVOCATIONS: readonly (readonly [argv: readonly string[], message: string, nextStep: string])[] = [
  [['--json'], 'A command is missing.', 'Run: rc-engine --help'],
  [['strat'], 'Unknown command: strat.', 'Did you mean start?'],
  [['conect'], 'Unknown command: conect.', 'Did you mean connect?'],
  [['connect'], 'No environment is paired with this home directory.', 'rc-engine connect --code-stdin'],
  [['connect', '--bogus'], 'Unknown option of connect: --bogus.', 'Run: rc-engine connect --help'],
  [['start', '--bas-url', 'x'], 'Unknown option of start: --bas-url.', 'Did you mean --base-url?'],
  [['start', '-x'], 'Unknown option of start: -x.', 'Run: rc-engine start --help'],
  [['start', '--listen'], '--listen needs a value.', 'Run: rc-engine start --help'],
  [['start', 'now'], 'Unknown argument of start: now.', 'Run: rc-engine start -- now'],
  [['start', '--home', ''], '--home must not be empty.', 'Name a directory'],
  [
    ['start', '--listen', 'x'],
    '--listen must be ws://',
    'leave it out to use the default (ws://127.0.0.1:0)',
  ],
  [['start', '--ws-token-file', '/x'], '--ws-token-file needs --ws-auth.', 'Add --ws-auth capability-token.'],
  [
    ['start', '--ws-auth', 'capability-token'],
    'needs --ws-token-file',
    'rc-engine token create --capability',
  ],
  [
    ['start', '--ws-issuer', 'a', '--ws-issuer', 'b'],
    '--ws-issuer is given 2 times.',
    'Give --ws-issuer once.',
  ],
  [['start', '--'], 'The command after -- is missing.', 'rc-engine start -- codex app-server'],
  [
    ['status', '--', 'codex'],
    'Only start, doctor and service install accept a command after --.',
    'rc-engine start -- COMMAND',
  ],
  [['status', '--jsn'], 'Unknown option of status: --jsn.', 'Did you mean --json?'],
  [['wait', '--timeout', 'soon'], '--timeout must be a number of seconds', 'give --timeout 60'],
  [['explain'], 'explain needs CODE.', 'Run: rc-engine explain --help'],
  [['explain', 'connectionconflit'], 'Unknown code "connectionconflit".', 'Did you mean connectionConflict?'],
  [['token'], 'A subcommand of token is missing: create or sign.', 'Run: rc-engine token --help'],
  [['token', 'creat'], 'Unknown subcommand of token: creat.', 'Did you mean create?'],
  [['token', 'create'], 'token create needs --capability.', 'Run: rc-engine token create --help'],
  [['token', 'create', '--capability', '/'], 'it already exists', 'Choose another path'],
  [['login', '--device', '--api-key-stdin'], 'cannot be used together.', 'Remove one of the two.'],
  [['call', 'engine/status/read'], 'call needs --base-url.', 'or --home of an engine'],
  [['call', '--base-url', 'http://127.0.0.1:1/'], 'needs a pairing code', 'Run rc-engine pair'],
  [['repair', '--yes'], '--yes needs --step', 'Add --step with one of: retry'],
  [['repair', '--step', 'hammer'], 'Unknown step "hammer".', 'Choose one of: retry'],
  [['graph', 'lnik'], 'Unknown machine "lnik".', 'Did you mean link?'],
  [['graph', '--format', 'jsno'], 'Unknown format "jsno".', 'Did you mean json?'],
  [['paths', '--coverage', 'state'], 'Unknown coverage "state".', 'Did you mean states?'],
  [['inspect'], 'inspect needs FILE or --attach.', 'Run: rc-engine inspect --help'],
  [['inspect', 'x.json', '--port', '99999'], '--port must be a whole number', 'use any free port'],
  [['backend', '--listen', 'ftp://x'], 'ftp://x', 'http://127.0.0.1'],
];

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

describe('a wrong value of a setting', () => {
  it.for(Object.entries(WRONG_VALUES))(
    '%s: exit code 2, the message names the source and what is allowed',
    async ([name, [text, allowed]], { lab }) => {
      const flag = `--${flagOf(name)}`;
      const source = new RegExp(NAMED_BY_VALUE.has(name) ? text : flag);
      expectMistake(await start(lab, [`${flag}=${text}`]), source, allowed);
    },
  );
});

describe('a wrong invocation', () => {
  it.for(INVOCATIONS)(
    'rc-engine %j: exit code 2, %j, next step %j',
    async ([args, message, nextStep], { lab }) => {
      const { code, stderr } = await lab.cli([...args], { RC_ENGINE_HOME: lab.home });
      expect(code, stderr).toBe(2);
      const [first, second, ...rest] = stderr.trimEnd().split('\n');
      expect(first).toMatch(/^rc-engine: /);
      expect(first).toContain(message);
      expect(second?.trim()).toContain(nextStep);
      expect(rest, 'one next step and no stack trace').toEqual([]);
    },
  );

  it('help is shown by the help command, by --help and by -h', async ({ lab }) => {
    for (const args of [['--help'], ['help'], ['help', 'start'], ['start', '--help'], ['wait', '-h']]) {
      const { code, stdout, stderr } = await lab.cli(args);
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/Options:/);
    }
    const { stdout } = await lab.cli(['start', '--help']);
    // Nobody reads forty options in one list.
    for (const topic of ['Remote control', 'Account', 'Local listener', 'App server', 'Output']) {
      expect(stdout).toMatch(new RegExp(`^${topic}:\n +--`, 'm'));
    }
    for (const { name } of START_SETTINGS) expect(stdout.replace(/\s+/g, ' ')).toContain(variableOf(name));
  });

  it('RC-68: a command of the app server that does not exist fails the start', async ({ lab }) => {
    await lab.signIn();
    const missing = join(lab.folder, 'no-such-command');
    const text = join(lab.folder, 'text');
    await writeFile(text, 'not executable');
    for (const [command, why] of [
      ['no-such-command', 'no-such-command is not on the PATH.'],
      [missing, missing],
      [text, text],
    ] as const) {
      for (const mode of [[], ['--app-server-mode', 'shared'], ['--app-server-mode', 'per-client']]) {
        const options = ['--no-remote-control', '--listen', 'off', ...mode];
        const result = await lab.cli(['start', '--home', lab.home, ...options, '--', command]);
        expectMistake(result, /The app server cannot be started: /, /Check the command after --/);
        expect(result.stderr).toContain(why);
      }
    }
  });

  it('a repeated --allow-host adds to the first one', async ({ lab }) => {
    const { stderr } = await start(lab, [
      ...['--base-url', 'http://two.test'],
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

  it('with --json or RC_ENGINE_JSON the error is also on stdout', async ({ lab }) => {
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

  it('an unknown command is reported also with unknown options, and --version works with any command', async ({
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

  it('a home in /proc, where no directory can be created, is reported at once', async ({ lab }) => {
    const { code, stderr } = await lab.cli(['start', '--home', '/proc/x/y']);
    expect(code).toBe(1);
    expect(stderr).toContain('The home directory /proc/x/y cannot be used: ');
  });

  it('a full disk under stdout ends a command with a message; an engine says so once and runs on', async ({
    lab,
  }) => {
    const full = { before: 'exec >/dev/full' };
    const text = 'rc-engine: stdout cannot be written: the disk is full (ENOSPC).';
    for (const args of [['explain', 'missingToken'], ['--version']]) {
      const { code, stderr } = await lab.run(args, {}, full).exited;
      expect({ args, code }).toEqual({ args, code: 1 });
      expect(stderr).toContain(text);
      expect(stderr).not.toMatch(/^\s+at /m);
    }
    const home = ['--home', lab.home, '--no-remote-control'];
    for (const args of [
      ['start', '--json', ...home],
      ['start', ...home],
    ]) {
      const engine = lab.run(args, {}, full);
      await engine.until(() => engine.stderr.includes(text) || undefined, 'the message');
      await engine.until(() => existsSync(join(lab.home, 'engine.json')) || undefined, 'the engine');
      expect((await engine.stop()).code).toBe(0);
      expect(engine.stderr.split(text)).toHaveLength(2);
      expect(engine.stderr).not.toMatch(/^\s+at /m);
    }
  });

  it('a file that cannot be written (EFBIG simulates a full disk) is reported, and no partial file stays', async ({
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

  it('an empty HOME is ignored, and a path that is not UTF-8 is refused', async ({ lab }) => {
    const { stdout } = await lab.cli(['status', '--json'], { HOME: '' });
    expect(JSON.parse(stdout).message).toBe(`No engine runs on ${join(userInfo().homedir, '.rc-engine')}.`);
    const wrong = await lab.cli(['start', '--home', `${lab.folder}/a\uFFFD`]);
    expect(wrong.stderr).toMatch(/not UTF-8/);
  });

  it.runIf(process.getuid?.() === 0)(
    'without HOME and without an entry of the user in the system, the message says so',
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

  it('a home that is a file, or cannot be created, is reported', async ({ lab }) => {
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
