import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished } from 'vitest';
import { whyNotExecutable } from '../../src/system/processes.js';
import { it, type Lab } from '../support/lab.js';

const has = (program: string): boolean => whyNotExecutable(program) === null;

/** A directory with a systemctl that writes its arguments to a file. */
async function fakeSystemd(
  lab: Lab,
): Promise<{ readonly env: NodeJS.ProcessEnv; calls(): Promise<string[]> }> {
  const bin = join(lab.folder, 'bin');
  const log = join(lab.folder, 'calls');
  await mkdir(bin);
  const script = `#!/bin/sh\necho "$0 $*" | sed 's|.*/||' >> ${log}\ncase "$*" in *show*) printf 'ActiveState=active\\nSubState=running\\nMainPID=42\\nStatusText=Connected\\nUnitFileState=enabled\\nResult=success\\n';; esac\n`;
  for (const name of ['systemctl', 'loginctl', 'systemd-notify']) {
    await writeFile(join(bin, name), script);
    await chmod(join(bin, name), 0o755);
  }
  await writeFile(log, '');
  return {
    env: { PATH: `${bin}:${process.env.PATH}`, XDG_CONFIG_HOME: join(lab.folder, 'config') },
    calls: async () => (await readFile(log, 'utf8')).trim().split('\n'),
  };
}

describe.runIf(process.platform === 'linux')('RC-128: rc-engine service', () => {
  it('install writes the unit, starts it and explains lingering; status and uninstall follow it', async ({
    lab,
  }) => {
    const { env, calls } = await fakeSystemd(lab);
    const path = join(lab.folder, 'config/systemd/user/rc-engine.service');
    const installed = await lab.cli(['service', 'install', '--home', lab.home, '--', 'cat'], env);
    expect(installed.code, installed.stderr).toBe(0);
    expect(installed.stdout).toContain('loginctl enable-linger');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const unit = await readFile(path, 'utf8');
    expect(unit).toMatch(new RegExp(`^ExecStart=/.* start --home ${lab.home} --json .* -- cat$`, 'm'));
    expect(await calls()).toEqual([
      'systemctl --user daemon-reload',
      'systemctl --user enable rc-engine.service',
      'systemctl --user restart rc-engine.service',
      expect.stringContaining('loginctl show-user'),
    ]);
    const status = await lab.cli(['service', 'status', '--json'], env);
    expect(JSON.parse(status.stdout)).toMatchObject({ running: true, pid: 42, statusText: 'Connected' });
    const removed = await lab.cli(['service', 'uninstall'], env);
    expect(removed.code, removed.stderr).toBe(0);
    await expect(stat(path)).rejects.toThrow();
    expect((await lab.cli(['service', 'status'], env)).code).toBe(5);
  });

  it('a unit that somebody else wrote is neither replaced nor removed', async ({ lab }) => {
    const { env } = await fakeSystemd(lab);
    const folder = join(lab.folder, 'config/systemd/user');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'rc-engine.service'), '[Service]\n');
    for (const command of ['install', 'uninstall']) {
      const { code, stderr } = await lab.cli(['service', command], env);
      expect([code, stderr]).toEqual([2, expect.stringContaining('was not written by')]);
    }
  });

  it('install refuses while an engine runs on this home, and settings that would not start', async ({
    lab,
  }) => {
    const { env, calls } = await fakeSystemd(lab);
    await lab.connected();
    const { code, stderr } = await lab.cli(['service', 'install', '--home', lab.home], env);
    expect([code, stderr]).toEqual([4, expect.stringContaining('An engine runs on')]);
    const wrong = await lab.cli(['service', 'install', '--ws-token-file', '/x', '--home', lab.home], env);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('--ws-token-file needs --ws-auth'),
    ]);
    expect(await calls()).toEqual(['']);
  });

  it.runIf(has('systemd-analyze'))('systemd-analyze verifies what --print shows', async ({ lab }) => {
    const file = join(lab.folder, 'rc-engine.service');
    const home = join(lab.folder, 'a home 100%');
    for (const more of [[], ['--system', '--user', 'root']]) {
      const { code, stdout, stderr } = await lab.cli([
        ...['service', 'install', '--print', ...more, '--home', home],
        ...['--', 'sh', '-c', 'echo "$HOME" %h'],
      ]);
      expect(code, stderr).toBe(0);
      await writeFile(file, stdout);
      const runtime = join(lab.folder, 'run');
      await mkdir(runtime, { recursive: true, mode: 0o700 });
      const scope = more.length === 0 ? ['--user'] : [];
      const verified = await promisify(execFile)('systemd-analyze', ['verify', ...scope, file], {
        env: { ...process.env, XDG_RUNTIME_DIR: runtime },
      });
      expect(verified.stderr.split('\n').filter((line) => line.includes('rc-engine.service'))).toEqual([]);
    }
    await expect(stat(home)).rejects.toThrow();
  });
});

/** Binds a datagram socket and prints what arrives. Node has no such sockets. */
const RECEIVER = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(65536, 4096)
    for _, kind, content in ancillary:
        if kind == socket.SCM_RIGHTS:
            for fd in array.array('i', content): os.close(fd)
    print(data.decode(), flush=True)
`;

/** A program that receives what systemd would: `received` returns it. */
async function notifyReceiver(folder: string): Promise<{ socket: string; received: () => string }> {
  const socket = join(folder, 'notify');
  const receiver = spawn('python3', ['-c', RECEIVER, socket]);
  onTestFinished(() => void receiver.kill());
  let text = '';
  receiver.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await expect.poll(() => text).toContain('bound');
  return { socket, received: () => text };
}

describe.runIf(process.platform === 'linux' && has('systemd-notify') && has('python3'))(
  'RC-129: the engine as a service of Type=notify',
  () => {
    it('reports READY, its status, signs of life and its end; app servers cannot', async ({ lab }) => {
      const { socket, received } = await notifyReceiver(lab.folder);
      await lab.signIn();
      const script = join(lab.folder, 'app.sh');
      await writeFile(script, `env > ${lab.folder}/env; cat > /dev/null\n`);
      const environment = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' };
      const args = ['--app-server-mode', 'shared', '--', 'sh', script];
      const engine = await lab.start(args, environment);
      await engine.connected();
      await expect
        .poll(() => received(), { timeout: 8_000 })
        .toMatch(/READY=1[\s\S]*STATUS=Connected[\s\S]*WATCHDOG=1/);
      await expect.poll(() => readFile(join(lab.folder, 'env'), 'utf8').catch(() => '')).toContain('PATH=');
      expect(await readFile(join(lab.folder, 'env'), 'utf8')).not.toMatch(/NOTIFY_SOCKET|WATCHDOG/);
      await lab.look(engine);
      expect((await engine.stop('SIGTERM')).code).toBe(0);
      await expect.poll(() => received()).toContain('STOPPING=1');
    });

    it('a stopped process gives no sign of life', async ({ lab }) => {
      const { socket, received } = await notifyReceiver(lab.folder);
      await lab.signIn();
      const engine = await lab.start([], { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' });
      await expect.poll(() => received(), { timeout: 8_000 }).toContain('WATCHDOG=1');
      engine.child.kill('SIGSTOP');
      const count = () => received().split('WATCHDOG=1').length;
      await expect
        .poll(
          async () => {
            const before = count();
            await new Promise((resolve) => setTimeout(resolve, 1_200));
            return count() - before;
          },
          { timeout: 8_000 },
        )
        .toBe(0);
      engine.child.kill('SIGCONT');
    });
  },
);
