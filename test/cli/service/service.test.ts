import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { managerOf } from '../../../src/cli/commands/service.js';
import { serviceDefinition } from '../../../src/cli/service/definition.js';
import { plistText } from '../../../src/cli/service/launchd.js';
import { statusText, takeNotifySettings } from '../../../src/cli/service/notify.js';
import { restartCommand, unitInCgroup, unitOf } from '../../../src/cli/service/running-unit.js';
import { unitText } from '../../../src/cli/service/systemd.js';
import { resolveEach } from '../../../src/cli/settings/resolve-settings.js';
import { tmpFolder } from '../../support/tmp.js';

const SCRIPT = process.argv[1] ?? '';

function definition(
  flags: Record<string, unknown> = {},
  env: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', HOME: '/home/me' },
  appServer?: readonly string[],
  file: Record<string, unknown> = {},
) {
  const resolved = resolveEach(flags, { ...env }, file);
  return serviceDefinition({ name: 'rc-engine', home: '/h', resolved, appServer, env, script: SCRIPT });
}

const argumentsOf = (made: ReturnType<typeof definition>) => made.command.slice(2);

describe('RC-128: the definition of a service', () => {
  it('has flags and variables as flags; what the file has stays there', () => {
    const env = { PATH: '/bin', HOME: '/home/me', RC_ENGINE_MAX_CHILDREN: '3' };
    const made = definition(
      { onConflict: 'exit', allowHost: ['a.example', 'b.example'] },
      env,
      ['sh', '-c', 'x'],
      {
        clientName: 'file',
      },
    );
    expect(argumentsOf(made)).toEqual([
      ...['start', '--home', '/h', '--json', '--listen', 'off', '--auth-startup', 'recoverable'],
      ...['--allow-host', 'a.example', '--allow-host', 'b.example'],
      ...['--max-children', '3', '--on-conflict', 'exit', '--', 'sh', '-c', 'x'],
    ]);
  });

  it('leaves listen and authStartup alone where they are set, also in the file', () => {
    const made = definition({ authStartup: 'ready' }, undefined, undefined, { listen: 'codex' });
    expect(argumentsOf(made)).toEqual(['start', '--home', '/h', '--json', '--auth-startup', 'ready']);
  });

  it.each<[string, Record<string, unknown>, readonly string[] | undefined]>([
    ['a digest of a token', { wsTokenSha256: 'ab'.repeat(32) }, undefined],
    ['a query in the URL of an app server', { appServer: 'ws://127.0.0.1:1/?token=x' }, undefined],
    [
      'a token in the command',
      {},
      ['sh', '-c', 'OPENAI_API_KEY=sk-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z run'],
    ],
  ])('refuses %s', (_name, flags, command) => {
    expect(() => definition(flags, undefined, command)).toThrow(/secret/);
  });

  it('records proxies without a password, and says which one it leaves out', () => {
    const made = definition(
      {},
      {
        PATH: '/bin:node_modules/.bin:/x/node_modules/.bin',
        HOME: '/home/me',
        HTTPS_PROXY: 'http://me:hunter2@proxy:1',
        http_proxy: 'http://proxy:2',
        RC_ENGINE_ACCESS_TOKEN: 'secret-token',
      },
    );
    expect(made.environment).toMatchObject({ HTTP_PROXY: 'http://proxy:2', HOME: '/home/me' });
    expect(made.environment.PATH?.split(':')[0]).toBe('/bin');
    expect(made.environment.PATH).not.toContain('.bin');
    expect(JSON.stringify(made)).not.toMatch(/hunter2|secret-token/);
    expect(made.notes).toEqual([
      expect.stringContaining('HTTPS_PROXY'),
      expect.stringContaining('ACCESS_TOKEN'),
    ]);
  });

  it('is quoted for systemd: spaces, percent signs, dollars, quotes', () => {
    const made = definition({}, { PATH: '/a b%:/bin', HOME: '/h' }, ['sh', '-c', 'echo "$HOME" 100% \\x']);
    const unit = unitText(made, { scope: 'user', user: undefined, notifies: true });
    expect(unit).toContain('sh -c "echo \\"$$HOME\\" 100%% \\\\x"');
    expect(unit).toContain('Environment="PATH=/a b%%:/bin');
    expect(unit).toMatch(/^Type=notify\nNotifyAccess=all\nWatchdogSec=\d+$/m);
  });

  it('without systemd-notify it is Type=exec, and one of the system has a user', () => {
    const unit = unitText(definition(), { scope: 'system', user: 'me', notifies: false });
    expect(unit).toMatch(/^Type=exec$/m);
    expect(unit).not.toContain('WatchdogSec');
    expect(unit).toMatch(/^User=me$/m);
    expect(unit).toMatch(/^WantedBy=multi-user\.target$/m);
  });

  it('is escaped for launchd', () => {
    const text = plistText(definition({}, { PATH: '/bin', HOME: '/h' }, ['sh', '-c', 'a < b && c']));
    expect(text).toContain('<string>a &lt; b &amp;&amp; c</string>');
  });
});

describe('RC-129: reports to systemd', () => {
  it('take the variables out of the environment, and honor the pid of the watchdog', () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '120000000', WATCHDOG_PID: '7', PATH: '/bin' };
    expect(takeNotifySettings({ ...env }, 7)).toEqual({ socket: '/run/x', interval: 60_000 });
    expect(takeNotifySettings({ ...env }, 8)).toEqual({ socket: '/run/x', interval: undefined });
    expect(takeNotifySettings({ NOTIFY_SOCKET: '/run/x' }, 7)).toEqual({
      socket: '/run/x',
      interval: undefined,
    });
    expect(takeNotifySettings({}, 7)).toBeUndefined();
    const taken: NodeJS.ProcessEnv = { ...env };
    takeNotifySettings(taken, 7);
    expect(taken).toEqual({ PATH: '/bin' });
  });

  it('have one line for each state', () => {
    expect(statusText({ status: 'connected', reason: 'connected', detail: null })).toBe('Connected');
    expect(statusText({ status: 'errored', reason: 'authMissing', detail: null })).toBe(
      'Not connected: Nobody is signed in',
    );
    expect(statusText({ status: 'errored', reason: 'authMissing', detail: 'a\nb' })).toBe(
      'Not connected: a b',
    );
  });
});

describe('RC-122: the unit of a process', () => {
  it.each([
    [
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/rc-engine.service\n',
      'user',
      'rc-engine.service',
    ],
    ['0::/system.slice/rc-engine.service\n', 'system', 'rc-engine.service'],
    ['3:cpu:/x\n1:name=systemd:/system.slice/a.service\n', 'system', 'a.service'],
    ['0::/system.slice/rc-engine.service/child\n', 'system', 'rc-engine.service'],
  ])('%j', (cgroup, scope, name) => {
    expect(unitInCgroup(cgroup)).toEqual({ manager: 'systemd', scope, name });
  });

  it.each([
    '',
    '0::/user.slice/user-1000.slice/session-3.scope\n',
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope\n',
    '0::/user.slice/user-1000.slice/user@1000.service\n',
  ])('%j belongs to no unit', (cgroup) => {
    expect(unitInCgroup(cgroup)).toBeUndefined();
  });

  it('is restarted by its own manager', () => {
    expect(restartCommand({ manager: 'systemd', scope: 'user', name: 'a.service' })).toEqual([
      ...['systemctl', '--user', 'restart', 'a.service'],
    ]);
  });
});

describe('the service manager of a system', () => {
  it('is systemd or launchd; Windows has neither, and the error names what to use', () => {
    expect([managerOf('linux'), managerOf('darwin')]).toEqual(['systemd', 'launchd']);
    expect(() => managerOf('win32')).toThrow('neither systemd nor launchd');
    const page = readFileSync(join(import.meta.dirname, '../../../docs/platforms.md'), 'utf8');
    expect(page).toContain('Register-ScheduledTask');
  });
});

describe.runIf(process.platform === 'linux')('RC-122: launchd, with a launchctl of the test', () => {
  const { PATH } = process.env;
  const platform = Object.getOwnPropertyDescriptor(process, 'platform');
  afterEach(() => {
    process.env.PATH = PATH;
    if (platform !== undefined) Object.defineProperty(process, 'platform', platform);
  });

  it('the job of a process is found, and only its own', async () => {
    const bin = await tmpFolder();
    const list = 'PID\\tStatus\\tLabel\\n-\\t0\\tcom.example\\n4711\\t0\\trc-engine\\n';
    writeFileSync(join(bin, 'launchctl'), `#!/bin/sh\necho "$*" >> '${bin}/calls'\nprintf '${list}'\n`, {
      mode: 0o755,
    });
    process.env.PATH = `${bin}:${PATH}`;
    Object.defineProperty(process, 'platform', { value: 'darwin' });
    const job = await unitOf(4711);
    expect(job).toEqual({ manager: 'launchd', scope: 'user', name: 'rc-engine' });
    expect(await unitOf(4712)).toBeUndefined();
    expect(readFileSync(join(bin, 'calls'), 'utf8')).toBe('list\nlist\n');
    if (job === undefined) return;
    expect(restartCommand(job)).toEqual([
      'launchctl',
      'kickstart',
      '-k',
      `gui/${process.getuid?.()}/rc-engine`,
    ]);
  });
});
