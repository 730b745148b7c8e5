/** `rc-engine restart`, with a service manager and without one. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { CLI, type CliProcess, cleanEnv } from '../support/cli.js';
import { it, type Json, type Lab } from '../support/lab.js';
import { unixOnly } from '../support/unix-only.js';

const started = (engine: CliProcess): Json[] => engine.lines.filter(({ type }) => type === 'started');
const restart = (lab: Lab, ...more: string[]) => lab.cli(['restart', '--home', lab.home, ...more]);

unixOnly(describe, 'signals and /bin/sh')('RC-122: rc-engine restart without a service manager', () => {
  it('starts again in the same process, with what config.json says now', async ({ lab }) => {
    const engine = await lab.connected();
    const { pid } = engine.child;
    await lab.cli(['config', 'set', 'denyMethod', 'engine/echo', '--home', lab.home]);
    const done = await restart(lab);
    expect([done.code, done.stdout], done.stderr).toEqual([0, `Restarted the engine: it has pid ${pid}.\n`]);
    expect(started(engine)).toHaveLength(2);
    expect(engine.lines.some(({ type }) => type === 'restarting')).toBe(true);
    await lab.reached({ status: 'connected' });
    expect((await lab.status()).policy).toEqual({ denyMethods: ['engine/echo'] });
    // The same identity, and the same command line.
    expect(new Set(started(engine).map(({ installationId }) => installationId)).size).toBe(1);
    const again = await restart(lab, '--json');
    expect(JSON.parse(again.stdout)).toEqual({ type: 'restarted', unit: null, previousPid: pid, pid });
    expect((await engine.stop()).code).toBe(0);
    expect((await restart(lab)).code).toBe(5);
  });

  it('leaves the engine running when the next one could not start with its settings', async ({ lab }) => {
    const engine = await lab.connected();
    await writeFile(join(lab.home, 'config.json'), '{"listen": 7}', { mode: 0o600 });
    const refused = await restart(lab);
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toContain('config.json');
    expect(started(engine)).toHaveLength(1);
    await lab.reached({ status: 'connected' });
  });

  it('says so when the next one did not start', async ({ lab }) => {
    const engine = await lab.connected();
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await lab.cli(['config', 'set', 'metricsListen', `127.0.0.1:${port}`, '--home', lab.home]);
    const failed = await restart(lab);
    expect([failed.code, failed.stderr]).toEqual([5, expect.stringContaining('did not start again')]);
    expect((await engine.exited).code).toBe(1);
    expect(engine.stdout).toContain(`127.0.0.1 port ${port}`);
  });

  it('keeps the embedded backend and its temporary home', async ({ lab }) => {
    const engine = lab.run(['start', '--base-url', 'embedded', '--listen', 'off', '--json']);
    await engine.connected();
    const home = String(started(engine)[0]?.home);
    const done = await lab.cli(['restart', '--home', home]);
    expect(done.code, done.stderr).toBe(0);
    expect(started(engine).map((line) => line.home)).toEqual([home, home]);
  });

  it('refuses an engine whose client speaks over stdio', async ({ lab }) => {
    await lab.signIn();
    const engine = await lab.start(['--listen', 'stdio://', '--client-name', 'test'], {}, false);
    await expect.poll(() => existsSync(join(lab.home, 'control.sock')), { timeout: 10_000 }).toBe(true);
    const refused = await restart(lab);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('lose its conversation')]);
    expect(engine.running).toBe(true);
  });
});

/** `restart` sees this text as the control group of the engine. Needs root. */
const mayMount =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-m', 'sh', '-c', 'mount --bind /dev/null /proc/self/cgroup']).status === 0;

describe.runIf(mayMount)('RC-122: rc-engine restart with systemd', () => {
  /** A program of that name that writes its arguments into a file and then runs `script`. */
  async function fake(lab: Lab, name: string, script: string): Promise<{ bin: string; calls: string }> {
    const bin = join(lab.folder, 'bin');
    const calls = join(lab.folder, 'calls');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, name), `#!/bin/sh\necho "$*" >> '${calls}'\n${script}\n`);
    await chmod(join(bin, name), 0o755);
    return { bin, calls };
  }

  async function inUnit(lab: Lab, pid: number | undefined, unit: string, bin: string) {
    const group = join(lab.folder, 'cgroup');
    await writeFile(group, `0::${unit}\n`);
    const script = 'mount --bind "$1" "/proc/$2/cgroup" && shift 2 && exec "$@"';
    const own = ['sh', group, String(pid), process.execPath, CLI, 'restart', '--home', lab.home];
    const child = spawn('unshare', ['-m', 'sh', '-c', script, ...own], {
      env: cleanEnv({ PATH: `${bin}${delimiter}${cleanEnv().PATH}`, HOME: lab.folder }),
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += String(data);
      });
    }
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  it('lets the manager of the unit restart it, and waits for the new engine', async ({ lab }) => {
    const first = await lab.connected();
    const { pid } = first.child;
    const begin = join(lab.folder, 'begin');
    const { bin, calls } = await fake(
      lab,
      'systemctl',
      `case "$*" in *MainPID*) echo ${pid};; *restart*) kill ${pid}; touch '${begin}';; esac`,
    );
    const done = inUnit(lab, pid, '/user.slice/user@0.service/app.slice/rc-engine.service', bin);
    await first.exited;
    const second = await lab.start();
    await second.connected();
    expect(await done).toEqual({
      code: 0,
      output: `Restarted rc-engine.service: it has pid ${second.child.pid}.\n`,
    });
    expect(await readFile(calls, 'utf8')).toBe(
      '--user show --property=MainPID --value rc-engine.service\n--user restart rc-engine.service\n',
    );
  });

  it('says what systemctl said when it refuses', async ({ lab }) => {
    const engine = await lab.connected();
    const { pid } = engine.child;
    const { bin } = await fake(
      lab,
      'systemctl',
      `case "$*" in *MainPID*) echo ${pid};; *) echo 'Access denied' >&2; exit 4;; esac`,
    );
    const { code, output } = await inUnit(lab, pid, '/system.slice/rc-engine.service', bin);
    expect([code, output]).toEqual([
      1,
      expect.stringContaining('systemctl restart rc-engine.service failed'),
    ]);
    expect(output).toContain('Access denied');
    expect(output).toContain('sudo');
    expect(engine.running).toBe(true);
  });

  it('a child of a service is not its main process: it restarts in place', async ({ lab }) => {
    const engine = await lab.connected();
    const { bin, calls } = await fake(lab, 'systemctl', 'echo 1');
    const { code, output } = await inUnit(lab, engine.child.pid, '/system.slice/cron.service', bin);
    expect([code, output]).toEqual([0, `Restarted the engine: it has pid ${engine.child.pid}.\n`]);
    expect(await readFile(calls, 'utf8')).not.toContain('restart');
  });
});
