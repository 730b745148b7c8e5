/** The certificate of a wss:// listener is read again when its files change, and its end is reported. */
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { statusRows } from '../../src/cli/output/status-rows.js';
import { certificate } from '../support/certificate.js';
import { CliProcess, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';
import { listening, type Running, until } from './rig.js';

const DAY = 86_400_000;
const POLL = 50;

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** A listener on certificate files that are read every 50 ms. */
async function serving(pair: Pair) {
  const folder = await tmpFolder();
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await writeFile(files.certFile, pair.cert);
  await writeFile(files.keyFile, pair.key);
  const at = await serve(files);
  return { at, folder, ...files };
}

const serve = (files: { readonly certFile: string; readonly keyFile: string }): Promise<Running> =>
  listening({ listen: 'wss://127.0.0.1:0', tls: files, timing: { certificatePoll: POLL } });

function dial(port: number): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** The name in the certificate that a new connection gets. */
async function nameAt(port: number): Promise<string> {
  const socket = await dial(port);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

const renewed = (at: Running, name: string) =>
  until(async () => (await nameAt(at.port)) === name, `the certificate "${name}"`);
const warnings = (at: Running) =>
  at.log.filter(({ level }) => level === 'warn').map(({ message }) => message);
const certificateOf = (at: Running) => at.engine.fullStatus.listener?.certificate;
const refusal = (at: Running) => until(() => certificateOf(at)?.problem != null, 'the refusal');

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

describe('the certificate files of a listener', () => {
  it('WSA-53: new connections get the renewed certificate; open ones stay', async () => {
    const { at, certFile, keyFile } = await serving(certificate({ name: 'first' }));
    const open = await dial(at.port);
    expect(await nameAt(at.port)).toBe('first');
    const second = certificate({ name: 'second' });
    await writeFile(keyFile, second.key);
    await writeFile(certFile, second.cert);
    await renewed(at, 'second');
    const third = certificate({ name: 'third' });
    await replace(keyFile, third.key);
    await replace(certFile, third.cert);
    await renewed(at, 'third');
    expect(open.destroyed).toBe(false);
    open.end('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    let text = '';
    for await (const data of open) text += String(data);
    expect(text).toContain('HTTP/1.1 200');
    expect(certificateOf(at)).toMatchObject({ file: certFile, warning: null, problem: null });
  });

  it('WSA-53: links that lead elsewhere, as those of certbot, are followed', async () => {
    const folder = await tmpFolder();
    const [archive, live] = [join(folder, 'archive'), join(folder, 'live')];
    await Promise.all([mkdir(archive), mkdir(live)]);
    const put = async (n: number) => {
      const { cert, key } = certificate({ name: `n${n}` });
      for (const [name, text] of [
        ['privkey', key],
        ['fullchain', cert],
      ] as const) {
        await writeFile(join(archive, `${name}${n}.pem`), text);
        await symlink(`../archive/${name}${n}.pem`, join(live, `${name}.new`));
        await rename(join(live, `${name}.new`), join(live, `${name}.pem`));
      }
    };
    await put(1);
    const at = await serve({ certFile: join(live, 'fullchain.pem'), keyFile: join(live, 'privkey.pem') });
    expect(await nameAt(at.port)).toBe('n1');
    await put(2);
    await renewed(at, 'n2');
  });

  it.each<[string, (cert: string, key: string) => Promise<void>, string]>([
    ['another key', (_, key) => writeFile(key, certificate({ name: 'x' }).key), 'does not belong to'],
    ['no certificate', (cert) => writeFile(cert, 'not PEM'), 'the certificate is not valid PEM'],
    ['no key', (_, key) => writeFile(key, ''), 'the key is not valid PEM'],
    ['a missing file', (cert) => rm(cert), 'cannot be read: no such file'],
    [
      'a directory',
      async (cert) => {
        await rm(cert);
        await mkdir(cert);
      },
      'cannot be read: it is a directory',
    ],
  ])('WSA-54: %s is reported once, and the previous certificate stays', async (_, damage, expected) => {
    const { at, certFile, keyFile } = await serving(certificate({ name: 'first' }));
    await damage(certFile, keyFile);
    await refusal(at);
    for (let i = 0; i < 10; i += 1) expect(await nameAt(at.port)).toBe('first');
    expect(warnings(at)).toEqual([expect.stringContaining(expected)]);
    expect(certificateOf(at)?.problem).toContain(expected);
    await rm(certFile, { recursive: true, force: true });
    const second = certificate({ name: 'second' });
    await writeFile(certFile, second.cert);
    await writeFile(keyFile, second.key);
    await renewed(at, 'second');
    expect(certificateOf(at)?.problem).toBeNull();
  });

  it('WSA-54: the files of before are no change', async () => {
    const first = certificate({ name: 'first' });
    const { at, certFile } = await serving(first);
    await writeFile(certFile, 'not PEM');
    await refusal(at);
    await writeFile(certFile, first.cert);
    await until(() => certificateOf(at)?.problem === null, 'the end of the problem');
    expect(await nameAt(at.port)).toBe('first');
  });

  it('WSA-55: one that ends within 14 days, and one that has ended, cause one warning each', async () => {
    const endsAfter = (days: number) => certificate({ name: `${days}`, to: Date.now() + days * DAY });
    const { at, certFile, keyFile } = await serving(endsAfter(13.5));
    expect(at.info.warnings).toEqual([expect.stringContaining('ends in 13 days')]);
    const put = async (days: number) => {
      const pair = endsAfter(days);
      await replace(keyFile, pair.key);
      await replace(certFile, pair.cert);
      await renewed(at, `${days}`);
    };
    await put(300);
    expect(certificateOf(at)?.warning).toBeNull();
    await put(-0.5);
    await until(() => warnings(at).some((text) => text.includes('ended at')), 'the warning');
    for (let i = 0; i < 10; i += 1) expect(await nameAt(at.port)).toBe('-0.5');
    expect(warnings(at)).toHaveLength(2);
    const rows = statusRows(at.engine.fullStatus, (_, text) => text as never);
    expect(rows.find(([name]) => name === 'certificate')?.[1]).toContain(
      'The certificate of the listener ended at',
    );
  });
});

it('WSA-53, WSA-55: the whole program: a renewed certificate within 20 s, and status says when it ends', async () => {
  const folder = await tmpFolder();
  const [home, cert, key] = ['home', 'cert.pem', 'key.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const to = Math.floor(Date.now() / 1_000) * 1_000 + 100 * DAY;
  const first = certificate({ name: 'first', to });
  await Promise.all([writeFile(cert, first.cert), writeFile(key, first.key)]);
  await mkdir(home, { mode: 0o700 });
  await chmod(key, 0o600);
  const tlsArgs = ['--tls-cert', cert, '--tls-key', key];
  const args = ['--home', home, '--no-remote-control', '--listen', 'wss://127.0.0.1:0', ...tlsArgs];
  const engine = new CliProcess(['start', '--json', ...args]);
  const line = await engine.line(({ type }) => type === 'listening', 'listening line');
  const port = Number(new URL(String(line.url)).port);
  const json = await cli(['status', '--json', '--home', home]);
  expect(JSON.parse(json.stdout).listener.certificate).toMatchObject({
    file: cert,
    validTo: to,
    warning: null,
  });
  const status = await cli(['status', '--verbose', '--home', home]);
  expect(status.stdout).toMatch(
    new RegExp(`certificate +ends ${new Date(to).toISOString().slice(0, 19)}Z, in 100 days`),
  );
  const second = certificate({ name: 'second', to: Date.now() + 3.5 * DAY });
  await replace(key, second.key);
  await replace(cert, second.cert);
  await engine.until(
    () => engine.stderr.includes('the renewed certificate'),
    'the renewed certificate',
    20_000,
  );
  expect(await nameAt(port)).toBe('second');
  const later = await cli(['status', '--verbose', '--home', home]);
  expect(later.stdout).toContain('The certificate of the listener ends in 3 days');
  await engine.stop();
}, 60_000);
