/** The search for leaked secrets finds planted ones. Every other end-to-end test runs the search at its end. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it as plain } from 'vitest';
import { marked } from '../support/auth.js';
import { it, type Lab } from '../support/lab.js';
import { findLeaks, formsOf, type Leak, place } from '../support/leaks.js';

/** Searches everything so far, and removes the planted secret from the list for the end of the test. */
async function leaksOf(lab: Lab, secret: string): Promise<Leak[]> {
  return findLeaks([secret], await lab.places());
}

describe('the search for leaks', () => {
  plain('finds a secret in every form, wherever it stands in what was encoded', () => {
    const secret = marked('planted');
    const around = (text: string) => ['', 'x', 'xy', 'xyz'].map((before) => `${before}${text}after`);
    const hiding: [string, (text: string) => string | Buffer][] = [
      ['raw', (text) => text],
      ['base64', (text) => Buffer.from(text).toString('base64')],
      ['base64url', (text) => Buffer.from(text).toString('base64url')],
      ['hex', (text) => Buffer.from(text).toString('hex')],
      ['HEX', (text) => Buffer.from(text).toString('hex').toUpperCase()],
      ['URL', (text) => encodeURIComponent(text)],
      ['form', (text) => String(new URLSearchParams({ text }))],
      ['JSON', (text) => JSON.stringify({ text })],
      ['UTF-16', (text) => Buffer.from(text, 'utf16le')],
    ];
    for (const [form, hide] of hiding) {
      for (const text of around(secret)) {
        expect(findLeaks([secret], [place('here', hide(text))]), form).toHaveLength(1);
      }
      expect(findLeaks([marked('other')], [place('here', hide(secret))]), form).toEqual([]);
    }
    expect(formsOf(secret).every(({ bytes }) => bytes.length >= 20)).toBe(true);
  });

  plain('does not show the secret that it found', () => {
    const secret = marked('planted');
    const found = JSON.stringify(findLeaks([secret], [place('here', secret)]));
    expect(findLeaks([secret], [place('report', found)])).toEqual([]);
  });

  it('finds a secret in the arguments and in the environment of the process', async ({ lab }) => {
    const [inArgs, inEnv] = [marked('args'), marked('env')];
    const engine = await lab.connected(['--client-name', inArgs], { SOME_VARIABLE: inEnv });
    await lab.look(engine);
    if (process.platform !== 'linux') return;
    expect(await leaksOf(lab, inArgs)).toContainEqual(
      expect.objectContaining({ place: 'cmdline of the process' }),
    );
    expect(await leaksOf(lab, inEnv)).toEqual([
      expect.objectContaining({ place: 'environ of the process', form: 'raw' }),
    ]);
  });

  it('finds a secret in the database or in its log, also before SQLite has merged the log', async ({
    lab,
  }) => {
    const secret = marked('client');
    // The client name is part of the key of a stored identity.
    await lab.connected([], { RC_ENGINE_CLIENT_NAME: secret });
    const places = (await leaksOf(lab, secret)).map((leak) => leak.place);
    expect(
      places.some((name) => /rc-engine\.sqlite(-wal)?$/.test(name)),
      places.join(),
    ).toBe(true);
  });

  it('finds a secret in a file of the home, in its name, on stdout and on stderr', async ({ lab }) => {
    const [content, name, host] = [marked('file'), marked('name').replaceAll('/', '-'), marked('host')];
    await mkdir(lab.home, { recursive: true });
    await writeFile(join(lab.home, 'crash.log'), Buffer.from(content).toString('base64'));
    await writeFile(join(lab.home, name), '');
    await lab.signIn();
    // The error names the refused URL, so it shows a secret in the path.
    const refused = await lab.start(['--base-url', `https://evil.test/${encodeURIComponent(host)}`]);
    await refused.exited;
    expect(await leaksOf(lab, content)).toEqual([expect.objectContaining({ place: 'file home/crash.log' })]);
    expect(await leaksOf(lab, name)).toHaveLength(1);
    expect((await leaksOf(lab, host)).map((leak) => leak.place)).toEqual([
      'stdout of the engine',
      'stderr of the engine',
    ]);
  });

  it('finds a secret in the status and in the audit of the running engine', async ({ lab }) => {
    const secret = marked('path');
    // Both name the missing account file.
    const env = { RC_ENGINE_AUTH_FILE: join(lab.folder, secret), RC_ENGINE_AUTH_STARTUP: 'recoverable' };
    const engine = await lab.start([], env);
    await engine.line(({ reason }) => reason === 'authMissing', 'authMissing');
    await lab.look(engine);
    const places = (await leaksOf(lab, secret)).map((leak) => leak.place);
    expect(places).toContain('engine/status/read');
    expect(places).toContain('engine/audit/read');
  });

  it('RC-5: knows the server tokens that were given out, and they are nowhere', async ({ lab }) => {
    const engine = await lab.connected(['--log-level', 'trace']);
    expect(lab.secrets.filter((secret) => lab.tap.tokens.has(secret))).toHaveLength(1);
    const backend = await lab.backend();
    backend.fault({ action: 'expireTokens', inSeconds: 0 });
    backend.fault({ action: 'dropSockets' });
    await engine.until(() => lab.tap.tokens.size === 2, 'a second token');
    await lab.look(engine);
    expect(findLeaks(lab.secrets, await lab.places())).toEqual([]);
  });
});
