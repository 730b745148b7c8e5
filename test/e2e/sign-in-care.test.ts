/** Sign-ins are not replaced, deleted or shown by mistake. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { certificate } from '../support/certificate.js';
import { CLI, CliProcess, type CliResult, cleanEnv, cli } from '../support/cli.js';
import { LoopbackIssuer, oauthError, token } from '../support/issuer.js';
import { tmpFolder } from '../support/tmp.js';

const CERTIFICATE = join(import.meta.dirname, 'no-such.pem');
const KEY = 'sk-of-this-test';
const CHATGPT = JSON.stringify({
  auth_mode: 'chatgpt',
  tokens: { access_token: token(), refresh_token: 'refresh-1', id_token: token(), account_id: 'org-1' },
});
const OTHER_KEY = JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: 'sk-other' });

async function world(content: string) {
  const folder = await tmpFolder();
  const home = join(folder, 'home');
  for (const directory of [home, join(folder, 'outside')]) mkdirSync(directory, { mode: 0o700 });
  const inside = join(home, 'auth.json');
  const outside = join(folder, 'outside', 'auth.json');
  for (const file of [inside, outside]) writeFileSync(file, content, { mode: 0o600 });
  const run = (args: readonly string[], input = ''): Promise<CliResult> =>
    cli([...args, '--home', home], {}, input);
  return { home, inside, outside, run };
}

const typed = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

/** Types on a pseudo terminal, each answer after its question. */
async function terminal(
  args: readonly string[],
  answers: readonly (readonly [question: string, answer: string])[],
) {
  const words = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('/usr/bin/script', ['-qec', words, '/dev/null'], {
    env: { ...cleanEnv(), TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let next = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    const [question, answer] = answers[next] ?? [];
    if (question === undefined || answer === undefined || !shown.includes(question)) return;
    next += 1;
    child.stdin.write(answer);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, shown };
}

describe('ACC-120: login', () => {
  it('replaces a ChatGPT sign-in with an API key only with --yes', async () => {
    const { inside, run } = await world(CHATGPT);
    for (const json of [[], ['--json']]) {
      const refused = await run(['login', '--api-key-stdin', ...json], KEY);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('add --yes')]);
      expect(refused.stderr).toContain(inside);
      expect(typed(inside)).toEqual(JSON.parse(CHATGPT));
    }
    expect((await run(['login', '--api-key-stdin', '--yes'], KEY)).code).toBe(0);
    expect(typed(inside)).toMatchObject({ OPENAI_API_KEY: KEY });
  });

  it('replaces a sign-in outside of the home only with --yes, and one in the home without a question', async () => {
    const { inside, outside, run } = await world(OTHER_KEY);
    const file = ['--auth-file', outside];
    const refused = await run(['login', '--api-key-stdin', ...file], KEY);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(outside)]);
    expect(typed(outside)).toEqual(JSON.parse(OTHER_KEY));
    expect((await run(['login', '--api-key-stdin', '--yes', ...file], KEY)).code).toBe(0);
    expect(typed(outside)).toMatchObject({ OPENAI_API_KEY: KEY });
    expect((await run(['login', '--api-key-stdin'], KEY)).code).toBe(0);
    expect(typed(inside)).toMatchObject({ OPENAI_API_KEY: KEY });
    writeFileSync(outside, '');
    expect((await run(['login', '--api-key-stdin', ...file], KEY)).code).toBe(0);
  });
});

describe('ACC-112: with a running engine', () => {
  it.each([
    [['--issuer', 'https://other.example'], 'signs in at http://127.0.0.1'],
    [['--client-id', 'app_other'], 'signs in with the client id'],
    [['--forced-workspace', 'org-2'], 'allows any workspace'],
    [['--forced-login-method', 'chatgpt'], 'allows any method'],
    [['--workspace-routing'], 'looks up no workspace'],
    [['--ca-cert', CERTIFICATE], `trusts no additional authority, not ${CERTIFICATE}`],
  ])('login %j is refused, because the engine does something else', async (args, says) => {
    const { home, inside, run } = await world(OTHER_KEY);
    const at = await LoopbackIssuer.start();
    const options = ['--json', '--listen', 'off', '--no-remote-control', '--issuer', at.origin];
    const engine = new CliProcess(['start', '--home', home, ...options]);
    await engine.line(({ type }) => type === 'started', 'start');
    const refused = await run(['login', '--api-key-stdin', ...args], KEY);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(says)]);
    expect(refused.stderr).toContain(`Leave out ${args[0]}`);
    expect(typed(inside)).toEqual(JSON.parse(OTHER_KEY));
    expect((await run(['login', '--api-key-stdin', '--issuer', `${at.origin}/`], KEY)).code).toBe(0);
    await engine.stop();
  });
});

describe('ACC-112: the certificate authority', () => {
  it('that the engine trusts is accepted, by any name; another one is refused, also for logout', async () => {
    const { home, inside, run } = await world(OTHER_KEY);
    const at = await LoopbackIssuer.start();
    const [own, link, other] = ['own.pem', 'link.pem', 'other.pem'].map((name) => join(home, name));
    const { cert } = certificate({ name: 'own' });
    for (const file of [own, other]) writeFileSync(file ?? '', cert);
    symlinkSync(own ?? '', link ?? '');
    const options = ['--listen', 'off', '--no-remote-control', '--issuer', at.origin, '--ca-cert', own ?? ''];
    const engine = new CliProcess(['start', '--home', home, '--json', ...options]);
    await engine.line(({ type }) => type === 'started', 'start');
    for (const command of [['login', '--api-key-stdin'], ['logout']]) {
      const refused = await run([...command, '--ca-cert', other ?? ''], KEY);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(`trusts ${own}`)]);
    }
    expect(typed(inside)).toEqual(JSON.parse(OTHER_KEY));
    expect((await run(['login', '--api-key-stdin', '--ca-cert', link ?? ''], KEY)).code).toBe(0);
    await engine.stop();
  });
});

describe('ACC-121: logout', () => {
  it('names what it deleted and what the issuer did not revoke', async () => {
    const { home, inside, run } = await world(CHATGPT);
    const at = await LoopbackIssuer.start();
    at.always('revoke', oauthError(500, 'server_error'));
    const args = ['logout', '--issuer', at.origin];
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toContain(`Deleted ${inside}.`);
    expect(stdout).toMatch(/could not be revoked: .*500/);
    writeFileSync(join(home, 'auth.json'), CHATGPT, { mode: 0o600 });
    const [line] = (await run([...args, '--json'])).stdout.trim().split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({
      ...{ type: 'loggedOut', deleted: inside },
      notRevoked: { reason: expect.any(String), message: expect.stringContaining('500') },
    });
  });
});

describe.skipIf(process.platform !== 'linux' || !existsSync('/usr/bin/script'))('on a terminal', () => {
  it('ACC-122: an API key is not shown, and Backspace works', async () => {
    const { home, inside } = await world('');
    const { code, shown } = await terminal(
      ['login', '--api-key-stdin', '--home', home],
      [['not shown', `${KEY}x\u007f\r`]],
    );
    expect([code, shown]).toEqual([0, expect.stringContaining('Signed in with an API key')]);
    expect(shown).not.toContain(KEY.slice(0, 5));
    expect(typed(inside)).toMatchObject({ OPENAI_API_KEY: KEY });
  });

  it('ACC-122: Ctrl-C changes nothing', async () => {
    const { home, inside } = await world('');
    const { code } = await terminal(
      ['login', '--api-key-stdin', '--home', home],
      [['not shown', 'sk-1\u0003']],
    );
    expect(code).toBe(130);
    expect(readFileSync(inside, 'utf8')).toBe('');
  });

  it('ACC-120: login and logout ask, and no is the default', async () => {
    const { home, inside, outside } = await world(CHATGPT);
    const login = ['login', '--api-key-stdin', '--home', home];
    const no = await terminal(login, [['[y/N]', '\r']]);
    expect([no.code, no.shown]).toEqual([1, expect.stringContaining('Nothing was changed')]);
    expect(typed(inside)).toEqual(JSON.parse(CHATGPT));
    const yes = await terminal(login, [
      ['[y/N]', 'y\r'],
      ['not shown', `${KEY}\r`],
    ]);
    expect(yes.code).toBe(0);
    const logout = ['logout', '--home', home, '--auth-file', outside, '--issuer', 'http://127.0.0.1:1'];
    expect((await terminal(logout, [['[y/N]', 'n\r']])).code).toBe(1);
    expect(typed(outside)).toEqual(JSON.parse(CHATGPT));
  });
});
