/** The effect of each setting of start, given as flag, variable or key of the file. Wrong values: mistakes.test.ts */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join, resolve } from 'node:path';
import tls from 'node:tls';
import { describe, expect } from 'vitest';
import { connectProxy, listen, TLS_BACKEND } from '../support/http.js';
import { it, type Json, type Lab } from '../support/lab.js';

async function configure(lab: Lab, config: Json): Promise<void> {
  await mkdir(lab.home, { recursive: true });
  await writeFile(join(lab.home, 'config.json'), JSON.stringify(config));
}

describe('settings of rc-engine start', () => {
  it('--base-url: the flag takes precedence over the variable, and the variable over the file', async ({
    lab,
  }) => {
    await lab.signIn();
    const url = (name: string) => `http://127.0.0.1:1/${name}`;
    await configure(lab, { baseUrl: url('file'), json: true, listen: 'off' });
    const env = { RC_ENGINE_HOME: lab.home, RC_ENGINE_BASE_URL: url('env') };
    const used = async (args: string[], env: NodeJS.ProcessEnv) => {
      const engine = lab.run(['start', ...args], env);
      const { baseUrl } = await engine.line(({ type }) => type === 'started', 'started');
      await engine.stop();
      return baseUrl;
    };
    expect(await used(['--base-url', url('flag')], env)).toBe(`${url('flag')}/`);
    expect(await used([], env)).toBe(`${url('env')}/`);
    expect(await used([], { RC_ENGINE_HOME: lab.home })).toBe(`${url('file')}/`);
  });

  it('RC-25b: --allow-host, --ca-cert and HTTPS_PROXY reach a private backend behind a proxy', async ({
    lab,
  }) => {
    const { url } = await lab.backend();
    await lab.baseUrl();
    const secure = await listen(
      tls.createServer(TLS_BACKEND, (socket) => {
        const plain = net.connect(lab.tap.port, '127.0.0.1');
        for (const end of [socket, plain]) end.on('error', () => {});
        socket.pipe(plain).pipe(socket);
        socket.on('close', () => plain.destroy());
        plain.on('close', () => socket.destroy());
      }),
    );
    const proxy = await connectProxy({ to: secure.port, user: 'me:hush' });
    await lab.signIn();
    lab.mark(['me:hush']);
    const base = ['--base-url', `https://backend.test${new URL(url).pathname}`];
    const ca = ['--ca-cert', resolve('test/support/tls/ca.pem')];
    const refused = await lab.start([...base, ...ca]);
    expect(await refused.exited).toMatchObject({ code: 2, stderr: expect.stringContaining('(now: none)') });

    const env = {
      HTTPS_PROXY: `http://me:hush@127.0.0.1:${proxy.port}`,
      RC_ENGINE_ALLOW_HOST: 'backend.test',
    };
    const distrusting = await lab.start(base, env);
    const failed = await distrusting.line(({ status }) => status === 'errored', 'errored');
    expect(failed).toMatchObject({ reason: 'tlsFailed' });
    await distrusting.stop();

    const engine = await lab.start([...base, ...ca], env);
    await engine.connected();
    expect(new Set(proxy.asked)).toEqual(new Set(['backend.test:443']));
    expect(proxy.users.every((user) => user === 'me:hush')).toBe(true);
    expect((await lab.status()).remoteControl.route).toBe(`http://127.0.0.1:${proxy.port}`);
    expect(engine.stderr).toContain(`http://127.0.0.1:${proxy.port}`);
    // The environment of the process holds the password of the proxy, so the search for leaks must not see it.
    await engine.stop();
  });

  it('--auth-file: uses another account file, and expands ~ where no shell does', async ({ lab }) => {
    const file = join(lab.folder, 'elsewhere', 'auth.json');
    lab.exempt.push(file);
    await lab.signIn('account-E', file);
    await lab.connected(['--auth-file=~/elsewhere/auth.json']);
    expect((await lab.status()).remoteControl.accountId).toBe('account-E');
  });

  it.for([['--remote-control', 'off'], ['--no-remote-control'], []])(
    'remote control off by %j: no request is sent and no account is read',
    async (args, { lab }) => {
      if (args.length === 0) await configure(lab, { remoteControl: 'off' });
      const engine = await lab.start(args);
      await engine.line(({ type }) => type === 'started', 'started');
      const { remoteControl } = await lab.status();
      expect(remoteControl).toMatchObject({ status: 'disabled', environmentId: null, accountId: null });
      expect(lab.tap.requests).toEqual([]);
      expect((await engine.stop()).code).toBe(0);
    },
  );

  it('RC-2: with remote control off at start, a refused URL is reported when a client enables it', async ({
    lab,
  }) => {
    await lab.signIn();
    const engine = await lab.start(['--no-remote-control', '--base-url', 'https://foo.localhost/']);
    await engine.line(({ type }) => type === 'started', 'started');
    const client = await lab.control();
    const { error } = await client.call('remoteControl/enable', {});
    expect(error).toMatchObject({
      message: expect.stringMatching(/foo\.localhost\/ is refused/),
      data: { reason: 'targetRefused' },
    });
    expect((await lab.status()).remoteControl).toMatchObject({ status: 'disabled', reason: 'targetRefused' });
  });

  it('RC-5: --client-name: each name has its own identity', async ({ lab }) => {
    const environmentOf = async (...args: string[]) => {
      const engine = await lab.connected(args);
      const { environmentId } = (await lab.status()).remoteControl;
      await engine.stop();
      return environmentId;
    };
    const [none, app] = [await environmentOf(), await environmentOf('--client-name', 'app')];
    expect(none).not.toBe(app);
    expect(await environmentOf('--client-name', 'app')).toBe(app);
    expect(await environmentOf()).toBe(none);
    expect(lab.requests('enroll')).toBe(2);
  });

  it('RC-6: --store: sqlite:PATH stores the identity, memory: does not, none refuses to enroll', async ({
    lab,
  }) => {
    const path = join(lab.folder, 'store.sqlite');
    for (let n = 0; n < 2; n += 1) await (await lab.connected(['--store', `sqlite:${path}`])).stop();
    expect(existsSync(path)).toBe(true);
    expect(lab.requests('enroll')).toBe(1);
    for (let n = 0; n < 2; n += 1) await (await lab.connected(['--store', 'memory:'])).stop();
    expect(lab.requests('enroll')).toBe(3);
    expect(existsSync(join(lab.home, 'rc-engine.sqlite'))).toBe(false);
    const none = await (await lab.start(['--store', 'none'])).exited;
    expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/needs an enrollment store/) });
    // With remote control off the engine starts, and enabling it fails.
    const off = await lab.start(['--store', 'none', '--no-remote-control']);
    await off.line(({ type }) => type === 'started', 'started');
    const { error } = await (await lab.control()).call('remoteControl/enable', {});
    expect(error).toMatchObject({ data: { reason: 'storeMissing' } });
  });

  it('RC-24: --on-conflict: wait keeps the identity and shows the next step, reenroll gets a new one', async ({
    lab,
  }) => {
    const first = await lab.connected();
    await first.stop();
    const backend = await lab.backend();
    const conflict = { route: 'socket', answer: 'status', status: 409, times: 3 } as const;
    // One more than the engine needs to report an error, so that status can be read before it connects.
    backend.fault({ action: 'answer', fault: { ...conflict, times: 4 } });
    const waiting = await lab.start();
    const errored = await waiting.line(({ status }) => status === 'errored', 'errored');
    expect(errored).toMatchObject({ reason: 'connectionConflict' });
    const states = waiting.lines.map(({ state }) => state);
    expect(states.filter((state) => state === 'active.backingOff.handover')).toHaveLength(2);
    expect((await lab.cli(['status', '--home', lab.home])).stdout).toMatch(
      /^next step +Stop the other engine/m,
    );
    await waiting.connected();
    expect(lab.requests('enroll')).toBe(1);
    await waiting.stop();

    backend.fault({ action: 'answer', fault: conflict });
    const taking = await lab.start(['--on-conflict', 'reenroll']);
    await taking.connected();
    expect(lab.requests('enroll')).toBe(2);
  });
});
