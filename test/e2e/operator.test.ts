/**
 * The machine was left alone for a month. Whatever is wrong then, `rc-engine status` or `rc-engine doctor` alone says what to do,
 * and that helps.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { withPort } from '../support/forward.js';
import { LoopbackIssuer, oauthError, signIn, token } from '../support/issuer.js';
import { it, type Json, type Lab } from '../support/lab.js';

/** What both commands say to the operator. */
async function asked(lab: Lab, doctorArgs: readonly string[] = []) {
  const status = await lab.cli(['status', '--home', lab.home]);
  const issuer = doctorArgs.includes('--issuer') ? [] : ['--issuer', 'http://127.0.0.1:1'];
  const doctor = await lab.cli(['doctor', '--home', lab.home, '--timeout', '5', ...issuer, ...doctorArgs], {
    LANG: 'C',
  });
  return { status, doctor };
}

/** The commands on lines of their own, as they are printed. */
const proposed = (text: string): string[] =>
  text
    .replaceAll(/ \\\n +/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(?:node \S+|rc-engine) \w/.test(line));

/** Runs such a command: the words after the program. */
const follow = (lab: Lab, text: string, words: string, replace: Record<string, string> = {}) => {
  const line = proposed(text).find((one) => one.includes(` ${words}`));
  if (line === undefined) throw new Error(`no command with "${words}" in:\n${text}`);
  const all = line.slice(line.indexOf(` ${words}`) + 1).split(' ');
  return lab.cli(all.map((word) => replace[word] ?? word));
};

/** Waits until `status` says something. */
async function untilStatus(lab: Lab, what: RegExp): Promise<void> {
  await expect
    .poll(async () => (await lab.cli(['status', '--home', lab.home])).stdout, {
      timeout: 20_000,
      interval: 300,
    })
    .toMatch(what);
}

describe('a month later', { timeout: 90_000 }, () => {
  it('the sign-in has expired: both name the login command, and a new sign-in is used without a restart', async ({
    lab,
  }) => {
    mkdirSync(lab.home, { mode: 0o700 });
    const write = (account: Json) => writeFileSync(lab.authFile, JSON.stringify(account), { mode: 0o600 });
    write(signIn(token()) as Json);
    const at = await LoopbackIssuer.start();
    at.always('enroll', { status: 401 });
    at.always('refresh', oauthError(400, 'refresh_token_expired'));
    const where = ['--issuer', at.origin, '--base-url', `${at.origin}/backend-api`];
    await lab.start(['--auth-startup', 'recoverable', ...where]);
    // Until the issuer has answered, status says only that the backend refused the token.
    await untilStatus(lab, /not connected.*The sign-in expired/);
    const { status, doctor } = await asked(lab, ['--issuer', at.origin]);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/^status +not connected.*The sign-in expired/m);
    expect(proposed(status.stdout)).toContain(`rc-engine login --home ${lab.home}`);
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/sign-in +.*expired[\s\S]*> .*rc-engine login --home \S+/);
    // What that command would store.
    const fresh = token();
    write(signIn(fresh) as Json);
    await expect.poll(() => at.of('enroll').at(-1)?.bearer, { timeout: 10_000 }).toBe(fresh);
  });

  it('the app server is dead: exit code 6, its own last words, and the cure', async ({ lab }) => {
    const program = join(lab.folder, 'agent');
    await writeFile(program, '#!/bin/sh\necho "config.toml: model is not known" >&2\nexit 3\n');
    await chmod(program, 0o755);
    await lab.connected(['--', program]);
    // Nobody has connected since, so doctor starts it once.
    const { doctor } = await asked(lab);
    await untilStatus(lab, /but the app server does not work/);
    const { status } = await asked(lab);
    expect(status.code).toBe(6);
    expect(status.stdout).toContain('model is not known');
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/FAIL app server +.*model is not known/s);
    const remedy = /FAIL app server[\s\S]*?> ([\s\S]*?)\n(?: {2}\S|\n)/.exec(doctor.stdout)?.[1] ?? '';
    expect(remedy).not.toBe('');
    // The cure of what it said: the program works again, and the engine notices it.
    await writeFile(program, '#!/bin/sh\nread line; echo \'{"id":1,"result":{}}\'; cat >/dev/null\n');
    await lab.cli(['restart', '--home', lab.home]);
    await expect
      .poll(async () => (await lab.cli(['status', '--home', lab.home])).code, {
        timeout: 20_000,
        interval: 300,
      })
      .toBe(0);
  });

  it('a device was lost: status shows the command that revokes it', async ({ lab }) => {
    await lab.connected();
    const { stdout } = await lab.cli(['pair', '--json', '--home', lab.home]);
    const { manualPairingCode } = JSON.parse(stdout) as { manualPairingCode: string };
    const call = ['call', '--base-url', await lab.baseUrl(), 'engine/echo'];
    await lab.cli(call, { RC_ENGINE_PAIRING_CODE: manualPairingCode });
    const { status } = await asked(lab);
    const name = /^devices +(\S.*?): (?:connected|last seen)/m.exec(status.stdout)?.[1];
    expect(name, status.stdout).toBeDefined();
    const revoked = await follow(lab, status.stdout, 'devices revoke NAME', { NAME: name ?? '' });
    // A script has to say yes; a person is asked.
    expect([revoked.code, revoked.stderr]).toEqual([2, expect.stringContaining('--yes')]);
    const done = await lab.cli(['devices', 'revoke', name ?? '', '--yes', '--home', lab.home]);
    expect(done.code, done.stderr).toBe(0);
    expect((await lab.cli(['devices', '--json', '--home', lab.home])).stdout).toBe('');
  });

  it('the backend gave this machine another identity: both say so, and that devices are paired again', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    const before = String((await lab.status()).remoteControl.environmentId);
    (await lab.backend()).fault({ action: 'forgetServers' });
    lab.tap.cutAll();
    await engine.line(
      ({ status, environmentId }) => status === 'connected' && environmentId !== before,
      'another identity',
    );
    const { status, doctor } = await asked(lab);
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(new RegExp(`^new identity +env_\\w+ replaced ${before}`, 'm'));
    expect(doctor.stdout).toMatch(/WARN connection +.*another identity[\s\S]*> .*rc-engine pair --home/);
    const pair = await follow(lab, status.stdout, 'pair');
    expect([pair.code, pair.stdout]).toEqual([0, expect.stringContaining('Enter this code')]);
  });

  it.for([
    ['ahead of', 600_000],
    ['behind', -600_000],
  ] as const)(
    'the clock is %s the servers: both say so, and how it is set',
    async ([where, ahead], { lab }) => {
      const backend = await lab.backend();
      const proxy = await skewed(Number(new URL(backend.url).port), -ahead);
      const url = new URL(backend.url);
      url.port = String(proxy);
      await lab.signIn();
      const engine = await lab.start(['--base-url', url.href]);
      await engine.connected();
      const { status, doctor } = await asked(lab, ['--base-url', url.href]);
      expect(status.stdout).toMatch(
        new RegExp(`^clock +Wrong: the clock of this machine is 10 min ${where} `, 'm'),
      );
      expect(status.stdout).toContain('timedatectl set-ntp true');
      expect(doctor.stdout).toMatch(new RegExp(`FAIL clock +the clock of this machine is 10 min ${where}`));
      expect(doctor.stdout).toContain('timedatectl set-ntp true');
      const { clockDifference } = (await lab.status()) as unknown as { clockDifference: number };
      expect(Math.abs(clockDifference - ahead)).toBeLessThan(10_000);
      expect(engine.stderr).toMatch(/the clock of this machine is \d+ s/);
    },
  );
});

/** A proxy in front of the backend that shows another time. */
async function skewed(port: number, ms: number): Promise<number> {
  const date = /\r\nDate: ([^\r\n]+)\r\n/i;
  const server = net.createServer((client) => {
    const backend = net.connect(port, '127.0.0.1');
    client.on('data', (data) => backend.write(withPort(data, port)));
    backend.on('data', (data) => {
      const text = data.toString('latin1');
      const found = text.startsWith('HTTP/1.1') ? date.exec(text) : null;
      const shown = new Date(Date.parse(found?.[1] ?? '') + ms);
      client.write(
        found === null
          ? data
          : Buffer.from(text.replace(date, `\r\nDate: ${shown.toUTCString()}\r\n`), 'latin1'),
      );
    });
    for (const [one, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A file system of its own for the home, which only root can make. */
const mayMount =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'x', '/mnt']).status === 0;

describe.runIf(mayMount)('a month later, the disk of the home is full', { timeout: 90_000 }, () => {
  it('both say so, and after some space was made the refreshed sign-in can be saved', async ({ lab }) => {
    mkdirSync(lab.home, { mode: 0o700 });
    expect(
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'rc-engine-test', lab.home]).status,
    ).toBe(0);
    try {
      await lab.signIn();
      const engine = await lab.connected();
      const filler = join(lab.home, 'filler');
      const { bavail, bsize } = statfsSync(lab.home);
      await writeFile(filler, Buffer.alloc(bavail * bsize)).catch(() => {});
      const { status, doctor } = await asked(lab);
      expect(status.stdout).toMatch(/^disk +Warning: The disk of \S+ (?:is full|has only)/m);
      expect(status.stdout).toContain('Free some space');
      expect(doctor.code).toBe(1);
      expect(doctor.stdout).toMatch(
        /FAIL disk +.*the disk is full[\s\S]*,\s+\d+\s+KiB\s+free[\s\S]*> Free some space there/,
      );
      // More room than there was.
      await rm(filler);
      expect(spawnSync('mount', ['-o', 'remount,size=32m', lab.home]).status).toBe(0);
      const after = await asked(lab);
      expect(after.status.stdout).not.toMatch(/^disk/m);
      expect(after.doctor.stdout).not.toContain('FAIL disk');
      expect(engine.running).toBe(true);
      expect(await readFile(lab.authFile, 'utf8')).toContain('access_token');
      await engine.stop();
    } finally {
      spawnSync('umount', ['-l', lab.home]);
    }
  });
});
