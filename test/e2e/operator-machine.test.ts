/** The machine was left alone for a month, and something of it has changed: `status` or `doctor` alone leads to the cure. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { openFilesFinding } from '../../src/cli/doctor/open-files.js';
import { signIn } from '../support/auth.js';
import { certificate } from '../support/certificate.js';
import { CliProcess } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';

const poll = { timeout: 20_000, interval: 200 };
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const words = (text: string): string => text.replaceAll(/\s+/g, ' ');

const status = async (lab: Lab): Promise<string> => (await lab.cli(['status', '--home', lab.home])).stdout;
async function doctor(lab: Lab, args: readonly string[] = []): Promise<string> {
  const all = ['doctor', '--home', lab.home, '--timeout', '2', '--issuer', 'http://127.0.0.1:1', ...args];
  return (await lab.cli(all, { LANG: 'C' })).stdout;
}

describe('a month later, on the machine', { timeout: 90_000 }, () => {
  it('the store is damaged: it is moved away as both say, and the machine connects with a new identity', async ({
    lab,
  }) => {
    const first = await lab.connected();
    await first.stop();
    const store = join(lab.home, 'rc-engine.sqlite');
    await writeFile(store, Buffer.alloc(20_000, 'this is not a database '));
    const engine = await lab.start();
    await expect.poll(() => status(lab), poll).toMatch(/not connected.*store cannot be read/s);
    for (const text of [await status(lab), await doctor(lab)]) {
      expect(words(text)).toContain(`${store} is not a valid SQLite database`);
      expect(words(text)).toMatch(/move a corrupt one away: this machine then gets a new identity/);
    }
    await rename(store, `${store}.damaged`);
    await engine.connected();
    expect(await status(lab)).toMatch(/^status +connected/m);
  });

  it('the account file is damaged: both name the login command, and a new sign-in is used without a restart', async ({
    lab,
  }) => {
    await lab.writeAuth('{"tokens": {"acc');
    const engine = await lab.start(['--auth-startup', 'recoverable']);
    await expect.poll(() => status(lab), poll).toMatch(/not connected/);
    for (const text of [await status(lab), await doctor(lab)])
      expect(words(text).replaceAll(' \\ ', ' ')).toContain(` login --home ${lab.home}`);
    const account = signIn('account-A');
    lab.mark(account.secrets);
    await lab.writeAuth(account.json);
    await engine.connected();
  });

  it('the backend takes connections and never answers: status says what the engine waits for, doctor what is mute', async ({
    lab,
  }) => {
    const sockets: net.Socket[] = [];
    const server = net.createServer((socket) => sockets.push(socket.on('error', () => {})));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await lab.signIn();
    const { port } = server.address() as AddressInfo;
    await lab.start(['--base-url', `http://127.0.0.1:${port}/backend-api`]);
    await expect
      .poll(async () => words(await status(lab)), poll)
      .toContain('it waits for the backend to answer the enrollment request');
    expect(words(await status(lab))).toContain(`doctor --home`);
    expect(words(await doctor(lab))).toMatch(/FAIL HTTP .* no complete answer within 2 s/);
  });

  it('the certificate is for another host, or the port speaks no TLS: both name the host or the port, not an authority', async ({
    lab,
  }) => {
    const { cert, key } = certificate({ name: 'other.example' });
    const ca = join(lab.folder, 'ca.pem');
    await writeFile(ca, cert);
    await lab.signIn();
    const named = https.createServer({ cert, key });
    const plain = http.createServer((_, response) => response.end('{}'));
    for (const [server, said, cure] of [
      [named, 'certificateNameInvalid', 'Check the host of --base-url'],
      [plain, 'tlsHandshakeFailed', 'Check the port of --base-url'],
    ] as const) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void server.close());
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/backend-api`;
      const engine = await lab.start(['--base-url', url, '--ca-cert', ca]);
      await expect.poll(async () => words(await status(lab)), poll).toContain(`(${said})`);
      expect(words(await status(lab))).toContain(cure);
      const found = words(await doctor(lab, ['--ca-cert', ca]));
      expect(found).toMatch(new RegExp(`FAIL TLS .*> ${cure}`));
      expect(found).not.toContain('NODE_EXTRA_CA_CERTS');
      await engine.stop();
    }
  });

  it.runIf(isRoot && process.platform === 'linux')(
    'the home belongs to another user: start, status and doctor name that user',
    async ({ lab }) => {
      await mkdir(lab.home, { mode: 0o700 });
      await chmod(lab.folder, 0o755);
      const asNobody = (args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
        new CliProcess(args, { HOME: lab.folder, LANG: 'C' }, { uid: NOBODY, gid: NOBODY }).exited;
      for (const command of ['start', 'status', 'doctor']) {
        const { stdout, stderr } = await asNobody([command, '--home', lab.home]);
        const text = words(stdout + stderr);
        expect(text).toMatch(/belongs to the user root/);
        expect(text).toContain('that user (sudo -u root …)');
        expect(text).not.toContain('bug');
      }
    },
  );

  it.runIf(isRoot && process.platform === 'linux')(
    'the file system of the home has become read-only: both say so, and that it must be writable',
    async ({ lab, skip }) => {
      const engine = await lab.connected();
      // A mount on top of the home: what the engine holds open below it stays as it is.
      const mount = (): number | null => spawnSync('mount', ['-o', 'bind,ro', lab.home, lab.home]).status;
      const unmount = (): void => void spawnSync('umount', ['-l', lab.home]);
      // A container may not allow it.
      if (mount() !== 0) skip('this machine does not allow a mount');
      try {
        expect(words(await status(lab))).toMatch(/disk Warning: The file system of .* Mount it writable/);
        expect(words(await doctor(lab))).toMatch(/FAIL disk .*read-only.*> Mount its file system writable/);
        unmount();
        expect(await status(lab)).not.toMatch(/^disk/m);
        await engine.stop();
      } finally {
        unmount();
      }
    },
  );

  it.runIf(process.platform === 'linux')(
    'too many files are open: doctor says how many, and how to raise the limit',
    async () => {
      const program = `
      const { openSync } = require('node:fs');
      for (let n = 0; n < Number(process.argv[1]); n += 1) openSync('/dev/null');
      console.log('open');
      setInterval(() => {}, 1000);`;
      const findingWith = async (files: number) => {
        const child = spawn('sh', [
          '-c',
          'ulimit -n 200; exec "$0" "$@"',
          process.execPath,
          '-e',
          program,
          String(files),
        ]);
        onTestFinished(() => void child.kill());
        await once(child.stdout, 'data');
        return openFilesFinding(child.pid);
      };
      expect(await findingWith(20)).toMatchObject({
        state: 'ok',
        message: expect.stringMatching(/^\d+ of at most 200$/),
      });
      expect(await findingWith(140)).toMatchObject({ state: 'warning' });
      expect(await findingWith(175)).toMatchObject({
        state: 'failed',
        remedy: expect.stringContaining('ulimit -n 4096'),
      });
    },
  );
});
