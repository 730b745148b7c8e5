import { describe, expect } from 'vitest';
import { it } from '../support/lab.js';

/** Wrong command lines, and how the error begins. The next steps of some are in mistakes.test.ts. */
const WRONG: readonly (readonly [argv: readonly string[], message: string])[] = [
  [['strat'], 'Unknown command: strat.'],
  [['--json'], 'A command is missing.'],
  [['--bogus'], 'Unknown option: --bogus.'],
  [['-x'], 'Unknown option: -x.'],
  [['help', 'nosuch'], 'Unknown command: nosuch.'],
  [['start', 'codex', 'app-server'], 'Unknown argument of start: codex. The command of an app serv'],
  [
    ['start', '--listen', 'off', 'codex', 'app-server', '--foo'],
    'Unknown argument of start: codex. The command of an app serv',
  ],
  [['start', 'now'], 'Unknown argument of start: now. The command of an app server'],
  [['start', '--bas-url', 'x'], 'Unknown option of start: --bas-url.'],
  [['start', '-x'], 'Unknown option of start: -x.'],
  [['start', '--listen'], '--listen needs a value.'],
  [['start', '--listen='], '--listen must not be empty.'],
  [['start', '--listen', 'x'], '--listen must be ws://IP:PORT, wss://IP:PORT, unix://PATH, c'],
  [['start', '--listen', 'tcp://1.2.3.4:5'], '--listen must be ws://IP:PORT, wss://IP:PORT, unix://PATH, c'],
  [
    ['start', '--listen', 'ws://127.0.0.1:99999'],
    '--listen must name a port of at most 65535, not "ws://127.0.',
  ],
  [['start', '--listen', 'ws://127.0.0.1:0', '--listen', 'off'], '--listen is given 2 times.'],
  [['start', '--home', '/a', '--home', '/b'], '--home is given 2 times.'],
  [['start', '--json', '--json'], '--json is given 2 times.'],
  [['start', '--json=maybe'], '--json is a switch and takes no value.'],
  [
    ['start', '--no-remote-control', '--remote-control', 'on'],
    '--no-remote-control and --remote-control on contradict each ',
  ],
  [['start', '--remote-control', 'maybe'], '--remote-control must be on, off or preference, not "maybe".'],
  [['start', '--remote-control'], '--remote-control needs a value.'],
  [['start', '--max-connections', '0'], '--max-connections must be a whole number from 1 to 65536, no'],
  [['start', '--max-connections', 'abc'], '--max-connections must be a whole number from 1 to 65536, no'],
  [['start', '--max-connections', '1.5'], '--max-connections must be a whole number from 1 to 65536, no'],
  [['start', '--max-message-bytes', '-1'], '--max-message-bytes must be a whole number from 1024 to 2684'],
  [['start', '--max-remote-clients', '1e9'], '--max-remote-clients must be a whole number from 1 to 65536,'],
  [['start', '--log-level', 'loud'], '--log-level must be silent, error, warn, info, debug or trac'],
  [['start', '--log-format', 'xml'], '--log-format must be pretty or json, not "xml".'],
  [['start', '--store', 'postgres://x'], '--store must be sqlite:PATH, memory: or none, not "postgres:'],
  [['start', '--store', ''], '--store must not be empty.'],
  [['start', '--on-conflict', 'fight'], '--on-conflict must be wait, reenroll or exit, not "fight".'],
  [['start', '--auth-startup', 'later'], '--auth-startup must be ready or recoverable, not "later".'],
  [['start', '--auth-store', 'keyring'], '--auth-store must be file, auto or ephemeral (rc-engine does'],
  [['start', '--forced-login-method', 'sms'], '--forced-login-method must be api or chatgpt, not "sms".'],
  [['start', '--inspect', '99999'], '--inspect must be a port (0 for any free one), stately, or s'],
  [['start', '--inspect', 'foo'], '--inspect must be a port (0 for any free one), stately, or s'],
  [['start', '--issuer', 'notaurl'], '--issuer must be an https URL, or an http URL of this machin'],
  [
    ['start', '--issuer', 'http://evil.example'],
    '--issuer must be an https URL, or an http URL of this machin',
  ],
  [['start', '--base-url', 'http://evil.example'], 'base URL http://evil.example/ '],
  [['start', '--base-url', ''], '--base-url must not be empty.'],
  [['start', '--base-url', 'notaurl'], 'base URL notaurl is refused: i'],
  [['start', '--allow-host', 'https://x/'], '--allow-host must be a host name, or host:port, without a sc'],
  [['start', '--ca-cert', '/nope.pem'], 'The certificate file /nope.pem cannot be read: no such file '],
  [['start', '--ws-auth', 'nope'], '--ws-auth must be capability-token, signed-bearer-token or f'],
  [['start', '--ws-token-file', '/x'], '--ws-token-file needs --ws-auth.'],
  [
    ['start', '--ws-auth', 'capability-token'],
    '--ws-auth capability-token needs --ws-token-file or --ws-tok',
  ],
  [
    ['start', '--ws-auth', 'capability-token', '--ws-token-file', '/x', '--ws-token-sha256', '00'],
    '--ws-token-sha256 must be exactly 64 hex digits.',
  ],
  [
    ['start', '--ws-auth', 'capability-token', '--ws-token-sha256', 'zz'],
    '--ws-token-sha256 must be exactly 64 hex digits.',
  ],
  [
    ['start', '--ws-auth', 'signed-bearer-token'],
    '--ws-auth signed-bearer-token needs --ws-shared-secret-file.',
  ],
  [['start', '--ws-issuer', 'a', '--ws-issuer', 'b'], '--ws-issuer is given 2 times.'],
  [
    ['start', '--ws-max-clock-skew-seconds', '-5'],
    '--ws-max-clock-skew-seconds must be a whole number from 0 to',
  ],
  [['start', '--tls-cert', '/x'], '--tls-cert needs --tls-key.'],
  [['start', '--tls-key', '/x'], '--tls-key needs --tls-cert.'],
  [
    ['start', '--no-token-check', '--ws-auth', 'filesystem'],
    '--no-token-check cannot be used with --ws-auth filesystem: i',
  ],
  [['start', '--app-server', 'nope'], '--app-server must be builtin, ws://HOST:PORT, wss://HOST:POR'],
  [
    ['start', '--app-server', 'ws://x:1', '--', 'codex'],
    '--app-server cannot be used with a command after --.',
  ],
  [['start', '--app-server-mode', 'shared'], '--app-server-mode needs a command after --.'],
  [
    ['start', '--app-server-mode', 'weird', '--', 'true'],
    '--app-server-mode must be shared, per-client or per-connecti',
  ],
  [
    ['start', '--app-server-protocol', 'klingon', '--', 'true'],
    '--app-server-protocol must be auto, codex, mcp, acp or raw, ',
  ],
  [['start', '--app-server-token-file', '/x'], '--app-server-token-file needs --app-server with a URL.'],
  [['start', '--'], 'The command after -- is missing.'],
  [['start', '--', 'no-such-program-xyz'], 'The app server cannot be started: no-such-program-xyz is not'],
  [['start', '--pair', '--no-remote-control'], '--pair needs remote control, which is off.'],
  [
    ['start', '--pair', '--listen', 'stdio://'],
    '--pair cannot be used with --listen stdio://, where stdout b',
  ],
  [['start', '--home', ''], '--home must not be empty.'],
  [['start', '--client-name', ''], '--client-name must not be empty.'],
  [['status', '--jsn'], 'Unknown option of status: --jsn.'],
  [['status', 'extra'], 'Unknown argument of status: extra.'],
  [['status', '--json', '--verbose'], '--verbose cannot be used with --json, which shows everything'],
  [['status', '--watch=5'], '--watch is a switch and takes no value.'],
  [['status', '--', 'codex'], 'Only start, doctor and service install accept a command after --.'],
  [['wait', '--timeout', 'soon'], '--timeout must be a number of seconds from 0 to 2147483.'],
  [['wait', '--timeout', '-1'], '--timeout must be a number of seconds from 0 to 2147483.'],
  [['wait', '--timeout'], '--timeout needs a value.'],
  [['wait', '--timeout', '1', '--timeout', '2'], '--timeout is given 2 times.'],
  [['pair', 'extra'], 'Unknown argument of pair: extra.'],
  [['pair', '--wait=maybe'], '--wait is a switch and takes no value.'],
  [['login', '--device', '--api-key-stdin'], '--device and --api-key-stdin cannot be used together.'],
  [['login', '--no-qr'], '--no-qr needs --device.'],
  [['login', '--device', '--no-browser'], '--no-browser cannot be used with --device, which opens none.'],
  [['login', 'me'], 'Unknown argument of login: me.'],
  [['login', '--auth-file', ''], '--auth-file must not be empty.'],
  [
    ['login', '--auth-store', 'ephemeral', '--device'],
    'With --auth-store ephemeral a sign-in is lost when its engin',
  ],
  [['logout', 'now'], 'Unknown argument of logout: now.'],
  [['whoami', '--foo'], 'Unknown option of whoami: --foo.'],
  [['token'], 'A subcommand of token is missing: create or sign.'],
  [['token', 'creat'], 'Unknown subcommand of token: creat.'],
  [['token', 'create'], 'token create needs --capability.'],
  [['token', 'create', '--capability', '/'], 'The file / of --capability cannot be created: it already exi'],
  [['token', 'create', '--capability', ''], '--capability must not be empty.'],
  [
    ['token', 'create', '--capability', '/nope/x/y'],
    'The file /nope/x/y of --capability cannot be created: no suc',
  ],
  [['token', 'sign'], 'token sign needs --secret-file.'],
  [['token', 'sign', '--secret-file', '/etc/hostname', '--ttl', '0'], '--ttl must be at least 1 second.'],
  [
    ['token', 'sign', '--secret-file', '/etc/hostname', '--ttl', 'abc'],
    '--ttl must be a number of seconds from 0 to 2147483.',
  ],
  [['call', 'engine/status/read'], 'call needs --base-url.'],
  [['call', '--base-url', 'nope', 'x'], 'base URL nope is refused: it i'],
  [['call', '--base-url', 'http://127.0.0.1:1/', '--code'], '--code needs a value.'],
  [['connect', '--bogus'], 'Unknown option of connect: --bogus.'],
  [['connect', '--code', 'x', '--code-stdin'], '--code and --code-stdin cannot be used together.'],
  [['devices', 'revoke'], 'The device to revoke is missing.'],
  [['devices', 'list', 'phone'], 'devices list takes no device.'],
  [['devices', 'remove', 'phone'], 'Unknown action "remove".'],
  [['explain'], 'explain needs CODE.'],
  [['explain', 'connectionconflit'], 'Unknown code "connectionconflit".'],
  [['explain', 'a', 'b'], 'Unknown argument of explain: b.'],
  [['repair', '--yes'], '--yes needs --step: only a named step runs without a questio'],
  [['repair', '--step', 'hammer'], 'Unknown step "hammer".'],
  [['graph', 'lnik'], 'Unknown machine "lnik".'],
  [['graph', 'link', 'session'], 'Unknown machine "session".'],
  [['graph', '--format', 'jsno'], 'Unknown format "jsno".'],
  [['graph', '--out', ''], '--out must not be empty.'],
  [['graph', 'link', '--out', '/dev/null'], '/dev/null of --out is a file.'],
  [['graph', '--diff', 'no-such-revision'], 'This git repository has no revision'],
  [['paths', '--coverage', 'state'], 'Unknown coverage "state".'],
  [['paths', 'nope'], 'Unknown machine "nope".'],
  [['inspect', 'x.json', '--attach'], '--attach and a saved timeline contradict each other.'],
  [['inspect', 'x.json', '--home', 'h'], '--home has no effect on a saved timeline.'],
  [['url', '--open'], '--open needs --inspector.'],
  [['inspect'], 'inspect needs FILE or --attach.'],
  [['inspect', 'x.json', '--port', '99999'], '--port must be a whole number from 0 to 65535, not "99999".'],
  [['backend', '--listen', 'ftp://x'], 'the embedded backend cannot listen on ftp://x: it is not an '],
  [['backend', '--token-ttl', 'abc'], '--token-ttl must be a number of seconds from 0 to 2147483.'],
  [['doctor', '--timeout', '0'], '--timeout must be more than 0 seconds.'],
  [['enable', 'extra'], 'Unknown argument of enable: extra.'],
  [['logs', '--lines', 'abc'], '--lines must be a whole number from 0 to 4000.'],
];

/** Nothing of a library reaches a person: no name, no code, no text of its own. */
const FOREIGN = /yargs|YError|valibot|node:|\bERR_[A-Z]|Invalid values|Argument:|Choices:|^\s+at /m;

describe('RC-133: a wrong invocation', () => {
  it('is one of at least a hundred that are tried', () => {
    expect(WRONG.length).toBeGreaterThanOrEqual(100);
  });

  it.for(WRONG)('rc-engine %j: exit code 2, "%s", and one next step', async ([argv, message], { lab }) => {
    const { code, stdout, stderr } = await lab.cli([...argv], { HOME: lab.folder });
    expect(code, stderr).toBe(2);
    const [first = '', next = '', ...rest] = stderr.trimEnd().split('\n');
    expect(first).toContain(`rc-engine: ${message}`);
    expect(next).toMatch(/^ {2}[A-Z]\S.*/);
    expect(rest, 'one line and its next step').toEqual([]);
    expect(stderr).not.toMatch(FOREIGN);
    if (argv.includes('--json')) expect(JSON.parse(stdout)).toMatchObject({ type: 'error', code: 'usage' });
    else expect(stdout).toBe('');
  });

  it('a repeated flag, a switch with a value and spaces around a value are found in every position', async ({
    lab,
  }) => {
    const home = ['--home', lab.home];
    const at = (...args: string[]) => lab.cli([...args], { HOME: lab.folder });
    expect((await at('whoami', ...home, '--json', ...home)).stderr).toContain('--home is given 2 times.');
    expect((await at('whoami', '--json=true', ...home)).stderr).toContain('--json is a switch');
    const trimmed = await at('status', '--home', ` ${lab.home}\t`);
    expect([trimmed.code, trimmed.stderr]).toEqual([5, expect.stringContaining(`on ${lab.home}.`)]);
    const start = await at('start', ...home, '--log-level', ' loud ');
    expect(start.stderr).toContain('not "loud"');
    // Words after -- belong to the app server, repeated flags too.
    const words = ['--home', 'x', '--home', 'y', '--json=maybe'];
    const app = await at('start', ...home, '--', 'no-such-program-xyz', ...words);
    expect(app.stderr).toContain('no-such-program-xyz is not on the PATH');
  });

  it('rc-engine alone prints the help, and a forgotten -- is proposed with the whole command', async ({
    lab,
  }) => {
    const bare = await lab.cli([]);
    expect([bare.code, bare.stderr, bare.stdout]).toEqual([0, '', expect.stringContaining('Commands:')]);
    const { stderr } = await lab.cli(['start', '--listen', 'off', 'codex', 'app-server', '-c', 'a=b c']);
    expect(stderr).toContain("Run: rc-engine start --listen off -- codex app-server -c 'a=b c'");
  });
});
