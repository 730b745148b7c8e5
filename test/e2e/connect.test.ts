import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import { CLI, type CliProcess, cleanEnv } from '../support/cli.js';
import { it, type Json, type Lab } from '../support/lab.js';

/** A WebSocket client of a local endpoint. */
class EndpointClient {
  readonly socket: WebSocket;
  readonly received: Json[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #watchers = new Set<() => void>();
  #lastId = 0;

  constructor(url: string, headers: Record<string, string> = {}) {
    // ws names the path of a unix socket and the path of the request in one URL.
    const address = url.startsWith('unix://') ? `ws+unix:${url.slice('unix://'.length)}:/` : url;
    this.socket = new WebSocket(address, { headers, perMessageDeflate: false });
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => {
      this.received.push(JSON.parse(String(data)) as Json);
      for (const watcher of [...this.#watchers]) watcher();
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        resolve({ code, reason: String(reason) });
        for (const watcher of [...this.#watchers]) watcher();
      });
    });
  }

  static async open(url: string, name = 'e2e'): Promise<EndpointClient> {
    const client = new EndpointClient(url);
    await new Promise((resolve, reject) => {
      client.socket.once('open', resolve);
      client.socket.once('error', reject);
    });
    await client.ask('initialize', { clientInfo: { name, version: '1' } });
    client.socket.send(JSON.stringify({ method: 'initialized' }));
    return client;
  }

  send(method: string, params: unknown): number {
    this.#lastId += 1;
    this.socket.send(JSON.stringify({ id: this.#lastId, method, params }));
    return this.#lastId;
  }

  async answer(id: number): Promise<Json> {
    for (;;) {
      const found = this.received.find((message) => message.id === id && !('method' in message));
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed before the answer to ${id}`);
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  async ask(method: string, params: unknown): Promise<unknown> {
    const answer = await this.answer(this.send(method, params));
    if ('error' in answer) throw new Error(JSON.stringify(answer.error));
    return answer.result;
  }
}

/** An app server that sends the params of each request back, of any size. */
const ECHO = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, params } = JSON.parse(line);
  if (id !== undefined) process.stdout.write(JSON.stringify({ id, result: params ?? {} }) + '\\n');
})`;

/** Resident memory, bytes; 0 where there is no /proc. */
async function rssOf(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024;
}

const remoteHome = (lab: Lab): string => join(lab.folder, 'laptop');

async function pairingCode(lab: Lab): Promise<string> {
  const answer = await lab.ask('remoteControl/pairing/start', { manualCode: true });
  return String(answer.manualPairingCode);
}

interface Connected {
  readonly run: CliProcess;
  readonly url: string;
}

/** `connect --json` with a home of its own, after its link is open. */
async function connected(lab: Lab, args: readonly string[] = [], code?: string): Promise<Connected> {
  const { url: baseUrl } = await lab.backend();
  const run = lab.run(['connect', '--home', remoteHome(lab), '--json', '--base-url', baseUrl, ...args], {
    ...(code === undefined ? {} : { RC_ENGINE_PAIRING_CODE: code }),
  });
  // The file of the claim holds the token on purpose.
  lab.exempt.push(join(remoteHome(lab), 'controllers.json'));
  const listening = await run.line(({ type }) => type === 'listening', 'endpoint');
  await run.line(
    ({ type, status, environmentConnected }) =>
      type === 'status' && status === 'connected' && environmentConnected === true,
    'open link',
  );
  return { run, url: String(listening.url) };
}

/** The engine connected, a device paired, and its endpoint open. */
async function steered(lab: Lab, args: readonly string[] = []): Promise<Connected> {
  await lab.connected();
  return connected(lab, args, await pairingCode(lab));
}

describe('RC-90: connect', { timeout: 60_000 }, () => {
  it('leads from a local socket to the environment, and back; the next run needs no code', async ({
    lab,
  }) => {
    const { run, url } = await steered(lab);
    expect(url).toMatch(/^unix:\/\//);
    const client = await EndpointClient.open(url);
    expect(await client.ask('engine/echo', { payload: 'near' })).toEqual({ payload: 'near' });
    const big = 'x'.repeat(900 * 1024);
    expect(await client.ask('engine/echo', { payload: big })).toEqual({ payload: big });
    const { remoteClients } = (await lab.status()) as unknown as { remoteClients: { name: string }[] };
    expect(remoteClients.map(({ name }) => name)).toEqual(['e2e']);
    client.socket.close();
    expect((await run.stop()).code).toBe(0);

    const file = join(remoteHome(lab), 'controllers.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const again = await connected(lab);
    expect(again.url).toBe(url);
    expect(await (await EndpointClient.open(again.url)).ask('engine/echo', { payload: 1 })).toEqual({
      payload: 1,
    });
    const listed = await lab.cli(['connect', '--home', remoteHome(lab), '--list', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ type: 'environment' });
    expect(listed.stdout).not.toContain('rcc_');
  });

  it('RC-92: nothing is lost or doubled when either link breaks in the middle', async ({ lab }) => {
    const { url } = await steered(lab);
    const backend = await lab.backend();
    const client = await EndpointClient.open(url);
    const ids: number[] = [];
    for (let n = 0; n < 400; n += 1) {
      ids.push(client.send('engine/echo', { payload: `${n} ${'y'.repeat(20_000)}` }));
      if (n % 200 === 50) backend.fault({ action: 'dropSockets', side: 'controller' });
      if (n % 200 === 149) backend.fault({ action: 'dropSockets', side: 'server' });
      if (n % 20 === 0) await client.answer(ids[Math.max(0, n - 40)] ?? 1);
    }
    for (const [n, id] of ids.entries()) {
      const { result } = (await client.answer(id)) as { result: { payload: string } };
      expect(result.payload.startsWith(`${n} `)).toBe(true);
    }
    const answers = client.received.map(({ id }) => id).filter((id) => typeof id === 'number');
    expect(answers).toHaveLength(new Set(answers).size);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('RC-94, RC-97: a revoked device ends with a clear error', async ({ lab }) => {
    const { run, url } = await steered(lab, ['--name', 'field phone']);
    const client = await EndpointClient.open(url);
    const listed = await lab.cli(['devices', '--home', lab.home]);
    expect(listed).toMatchObject({ code: 0 });
    expect(listed.stdout).toContain('field phone');
    const asked = await lab.cli(['devices', 'revoke', 'field phone', '--home', lab.home]);
    expect(asked).toMatchObject({ code: 2 });
    expect(asked.stderr).toContain('--yes');
    const revoked = await lab.cli(['devices', 'revoke', 'Field Phone', '--yes', '--home', lab.home]);
    expect(revoked).toMatchObject({ code: 0 });
    const { code, stderr, stdout } = await run.exited;
    expect(code).toBe(1);
    expect(stderr).toContain('rc-engine pair');
    expect(stdout).toContain('"code":"controllerRevoked"');
    expect((await client.closed).code).toBeGreaterThan(1000);
    // The stored token is refused at the next run, too.
    const { url: baseUrl } = await lab.backend();
    const later = await lab.cli(['connect', '--home', remoteHome(lab), '--base-url', baseUrl]);
    expect(later.code).toBe(1);
    expect(later.stderr).toContain('revoked');
  });

  it('RC-90: two connects of one device and two clients each have streams of their own', async ({ lab }) => {
    const first = await steered(lab);
    await mkdir(join(lab.folder, 'other'), { mode: 0o700 });
    const second = await connected(lab, ['--listen', `unix://${join(lab.folder, 'other', 'end.sock')}`]);
    const clients = await Promise.all([
      EndpointClient.open(first.url, 'a'),
      EndpointClient.open(first.url, 'b'),
      EndpointClient.open(second.url, 'c'),
    ]);
    const answers = await Promise.all(clients.map((client, n) => client.ask('engine/echo', { payload: n })));
    expect(answers).toEqual([{ payload: 0 }, { payload: 1 }, { payload: 2 }]);
    const { remoteClients } = (await lab.status()) as unknown as { remoteClients: { name: string }[] };
    expect(remoteClients.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
  });

  it('RC-94: an environment that is not connected closes the local connection with the reason', async ({
    lab,
  }) => {
    const { run, url } = await steered(lab);
    const client = await EndpointClient.open(url);
    await lab.stopAllBut(run);
    await run.line(({ environmentConnected }) => environmentConnected === false, 'offline environment');
    client.socket.terminate();
    const late = new EndpointClient(url);
    await new Promise((resolve) => late.socket.once('open', resolve));
    const id = late.send('initialize', { clientInfo: { name: 'late', version: '1' } });
    // RC-98
    expect(await late.answer(id)).toMatchObject({
      error: { code: -32002, data: { reason: 'environmentOffline' } },
    });
    expect(await late.closed).toMatchObject({ code: 1013, reason: 'environment offline' });
    expect(run.running).toBe(true);
  });

  it('RC-96: a ws:// endpoint needs the token of its file', async ({ lab }) => {
    const { url, run } = await steered(lab, ['--listen', 'ws://127.0.0.1:0']);
    const listening = run.lines.find(({ type }) => type === 'listening');
    const file = String(listening?.tokenFile);
    const token = (await readFile(file, 'utf8')).trim();
    lab.exempt.push(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const without = new EndpointClient(url);
    expect((await without.closed).code).toBe(1006);
    const client = new EndpointClient(url, { authorization: `Bearer ${token}` });
    await new Promise((resolve) => client.socket.once('open', resolve));
    expect(await client.ask('initialize', { clientInfo: { name: 'tcp', version: '1' } })).toBeDefined();
    const refused = await lab.cli(['connect', '--listen', 'ws://0.0.0.0:1', '--home', remoteHome(lab)]);
    expect(refused).toMatchObject({ code: 2 });
  });

  it('RC-95: says what to do without a pairing, with several, and with a damaged file', async ({ lab }) => {
    const home = remoteHome(lab);
    const none = await lab.cli(['connect', '--home', home]);
    expect(none).toMatchObject({ code: 2 });
    expect(none.stderr).toContain('rc-engine pair');
    const entry = (id: string, name: string) => ({
      base_url: 'http://127.0.0.1:1/backend-api',
      environment_id: id,
      server_name: name,
      client_id: 'cli_1',
      controller_token: 'rcc_secret-token',
      paired_at: 1,
    });
    const file = join(home, 'controllers.json');
    const environments = [entry('env_1', 'alpha'), entry('env_2', 'beta\u001b[31m')];
    await writeFile(file, JSON.stringify({ version: 1, environments }));
    const several = await lab.cli(['connect', '--home', home]);
    expect(several).toMatchObject({ code: 2 });
    expect(several.stdout).toContain('alpha');
    expect(several.stdout).not.toContain('\u001b[31m');
    expect(several.stdout).not.toContain('rcc_');
    // An editor may have put a byte order mark in front.
    await writeFile(file, `\ufeff${JSON.stringify({ version: 1, environments: environments.slice(0, 1) })}`);
    const listed = await lab.cli(['connect', '--home', home, '--list', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ environmentId: 'env_1' });
    lab.exempt.push(file);
  });

  it('RC-95: a damaged file is named and stays, and uses up no code', async ({ lab }) => {
    await lab.connected();
    const { url: baseUrl } = await lab.backend();
    const home = remoteHome(lab);
    await mkdir(home, { mode: 0o700 });
    const file = join(home, 'controllers.json');
    const code = await pairingCode(lab);
    const broken = { version: 1, environments: [{ base_url: 'x', paired_at: 1e300 }] };
    for (const damaged of ['', '{', '{"version":2}', JSON.stringify(broken)]) {
      await writeFile(file, damaged);
      const run = await lab.cli(['connect', '--home', home, '--base-url', baseUrl, '--code-stdin'], {}, code);
      expect(run.code).toBe(1);
      expect(run.stderr).toContain(file);
      expect(await readFile(file, 'utf8')).toBe(damaged);
    }
    await rm(file);
    expect((await connected(lab, [], code)).run.running).toBe(true);
  });

  it('RC-95: ENVIRONMENT is checked before the code is used up', async ({ lab }) => {
    await lab.connected();
    const code = await pairingCode(lab);
    const { url: baseUrl } = await lab.backend();
    const args = ['connect', 'elsewhere', '--home', remoteHome(lab), '--base-url', baseUrl];
    const wrong = await lab.cli(args, { RC_ENGINE_PAIRING_CODE: code });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('"elsewhere"');
    expect(wrong.stderr).toContain('not used up');
    const { environmentId } = (await lab.status()).remoteControl;
    const right = await connected(lab, [String(environmentId)], code);
    expect(right.run.running).toBe(true);
  });

  it('RC-95: two pairings at the same moment are both stored', async ({ lab }) => {
    await lab.connected();
    const { url: baseUrl } = await lab.backend();
    const home = remoteHome(lab);
    // Two environments of one backend have two addresses here, because a lab has one engine.
    const urls = [baseUrl, baseUrl.replace('127.0.0.1', 'localhost')];
    const codes = await Promise.all(urls.map(() => pairingCode(lab)));
    lab.exempt.push(join(home, 'controllers.json'));
    const runs = urls.map((url, n) =>
      lab.run(
        ['connect', '--json', '--home', home, '--base-url', url, '--listen', `unix://${lab.folder}/${n}/s`],
        { RC_ENGINE_PAIRING_CODE: codes[n] },
      ),
    );
    for (const run of runs) await run.line(({ status }) => status === 'connected', 'open link');
    const { environments } = JSON.parse(await readFile(join(home, 'controllers.json'), 'utf8')) as Json & {
      environments: Json[];
    };
    expect(environments.map(({ base_url }) => base_url).sort()).toEqual(urls.map((url) => `${url}/`).sort());
    expect((await stat(join(home, 'controllers.json.lock'))).mode & 0o777).toBe(0o600);
  });

  it('RC-92: a message of 30 MiB passes both ways', async ({ lab }) => {
    await lab.connected(['--', process.execPath, '-e', ECHO]);
    const { url } = await connected(lab, [], await pairingCode(lab));
    const client = await EndpointClient.open(url);
    const payload = 'z'.repeat(30 * 1024 * 1024);
    const { payload: back } = (await client.ask('test/echo', { payload })) as { payload: string };
    expect(back.length).toBe(payload.length);
    expect(back === payload).toBe(true);
  });

  it('RC-92: a client that never reads is held, closed, and disturbs no other', async ({ lab }) => {
    const { url, run } = await steered(lab);
    const idle = await EndpointClient.open(url, 'idle');
    const bystander = await EndpointClient.open(url, 'bystander');
    const before = await rssOf(run.child.pid);
    idle.socket.pause();
    const payload = 'w'.repeat(100_000);
    for (let n = 0; n < 2_000; n += 1) idle.send('engine/echo', { payload });
    for (let n = 0; n < 20; n += 1) expect(await bystander.ask('engine/echo', { payload: n })).toBeDefined();
    expect((await rssOf(run.child.pid)) - before).toBeLessThan(400 * 1024 * 1024);
    idle.socket.terminate();
    expect(await bystander.ask('engine/echo', { payload: 'after' })).toEqual({ payload: 'after' });
  });

  it('RC-96: a local stranger gets nowhere', async ({ lab }) => {
    const { url, run } = await steered(lab, ['--listen', 'ws://127.0.0.1:0']);
    const file = String(run.lines.find(({ type }) => type === 'listening')?.tokenFile);
    lab.exempt.push(file);
    const authorization = `Bearer ${(await readFile(file, 'utf8')).trim()}`;
    const strangers: Record<string, string>[] = [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: `${authorization}x` },
      { authorization, origin: 'http://127.0.0.1' },
      { authorization, origin: 'null' },
      { host: 'evil.example' },
    ];
    for (const headers of strangers) {
      const stranger = new EndpointClient(url, headers);
      stranger.socket.once('open', () => stranger.send('initialize', {}));
      expect(await stranger.closed, JSON.stringify(Object.keys(headers))).toMatchObject({ code: 1006 });
      expect(stranger.received).toEqual([]);
    }
    expect((await lab.status()).remoteClients).toEqual([]);
  });

  it('RC-97: devices for an operator: none, several of one name, the last one, offline', async ({ lab }) => {
    const engine = await lab.connected();
    const devices = (...args: string[]) => lab.cli(['devices', ...args, '--home', lab.home]);
    expect(await devices()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('No device is paired'),
    });
    expect(await devices('--json')).toMatchObject({ code: 0, stdout: '' });
    const first = await connected(lab, ['--name', 'twin\u001b[31m'], await pairingCode(lab));
    await first.run.stop();
    const second = await connected(lab, ['--name', 'twin\u001b[31m'], await pairingCode(lab));
    await second.run.stop();
    const listed = await devices('--json');
    expect(listed.stdout).not.toContain('\u001b');
    const ids = listed.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).clientId as string);
    expect(ids).toHaveLength(2);
    const shown = (await devices()).stdout;
    expect(shown).not.toContain('\u001b');
    const name = /^(twin\S*) /m.exec(shown)?.[1] ?? '';
    const ambiguous = await devices('revoke', name, '--yes');
    expect(ambiguous).toMatchObject({ code: 1, stderr: expect.stringContaining('2 devices') });
    for (const id of ids) {
      const revoked = await devices('revoke', id, '--yes', '--json');
      expect(JSON.parse(revoked.stdout)).toMatchObject({ type: 'revoked', clientId: id });
    }
    expect((await devices()).stdout).toContain('No device is paired');
    expect(await devices('revoke', 'nobody', '--yes')).toMatchObject({ code: 1 });
    await engine.stop();
    expect(await devices()).toMatchObject({ code: 5 });
  });

  it('RC-93: a backend that cannot be reached is tried again, and Ctrl-C ends that', async ({ lab }) => {
    const { run, url } = await steered(lab);
    expect((await run.stop()).code).toBe(0);
    const dead = createServer((socket: Socket) => socket.destroy());
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
    const address = dead.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const file = join(remoteHome(lab), 'controllers.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`));
    const again = lab.run(['connect', '--home', remoteHome(lab), '--json']);
    await again.line(
      ({ type, nextAttemptAt }) => type === 'status' && typeof nextAttemptAt === 'number',
      'scheduled attempt',
    );
    expect((await again.stop()).code).toBe(0);
    dead.close();
    expect(url).toBeDefined();
  });
});

const hasScript = spawnSync('script', ['--version']).status === 0;
const noScript = hasScript ? '' : ' (skipped: script(1) of util-linux is not installed)';

/** A command on a pseudo terminal; what is written to it is typed. */
function onTerminal(lab: Lab, args: readonly string[]) {
  const command = [process.execPath, CLI, ...args].map((part) => `'${part}'`).join(' ');
  const child = spawn('script', ['-qefc', `exec ${command}`, '/dev/null'], {
    env: cleanEnv({ HOME: lab.folder, TERM: 'xterm' }),
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const exited = once(child, 'close').then(([code]: unknown[]) => code);
  return {
    exited,
    type: (text: string) => child.stdin.write(text),
    shows: (wanted: string) => expect.poll(() => shown, { timeout: 15_000, interval: 50 }).toContain(wanted),
  };
}

describe.skipIf(!hasScript)(`RC-95, RC-97: on a terminal${noScript}`, { timeout: 60_000 }, () => {
  it('connect asks for the code, and Ctrl-C ends it; devices revoke asks first', async ({ lab }) => {
    await lab.connected();
    const { url } = await lab.backend();
    lab.exempt.push(join(remoteHome(lab), 'controllers.json'));
    const args = ['connect', '--home', remoteHome(lab), '--base-url', url, '--name', 'typed'];
    const refused = onTerminal(lab, args);
    await refused.shows('Pairing code: ');
    refused.type('\u0003');
    expect(await refused.exited).toBe(0);

    const run = onTerminal(lab, args);
    await run.shows('Pairing code: ');
    run.type(`${await pairingCode(lab)}\r`);
    await run.shows('Press Ctrl-C to stop');
    await run.shows('connected');
    const kept = onTerminal(lab, ['devices', 'revoke', 'typed', '--home', lab.home]);
    await kept.shows('Revoke it? [y/N]');
    kept.type('\r');
    await kept.shows('Nothing was changed');
    expect(await kept.exited).toBe(0);
    run.type('\u0003');
    expect(await run.exited).toBe(0);
    const revoked = onTerminal(lab, ['devices', 'revoke', 'typed', '--home', lab.home]);
    await revoked.shows('Revoke it? [y/N]');
    revoked.type('y\r');
    await revoked.shows('Revoked');
    expect(await revoked.exited).toBe(0);
  });
});

const { CODEX_BIN } = process.env;
const hasCodex = CODEX_BIN !== undefined && spawnSync(CODEX_BIN, ['--version']).status === 0;
const hasTmux = spawnSync('tmux', ['-V']).status === 0;
const why = !hasCodex
  ? ' (skipped: CODEX_BIN is not set)'
  : hasTmux
    ? ''
    : ' (skipped: tmux is not installed)';

describe.skipIf(!hasCodex)(`RC-90: Codex CLI through connect${why}`, { timeout: 90_000 }, () => {
  const behind = (lab: Lab) =>
    lab.connected(['--', CODEX_BIN ?? '', 'app-server'], { CODEX_HOME: join(lab.folder, 'codex-there') });

  it('its app server answers from the other side', async ({ lab }) => {
    await mkdir(join(lab.folder, 'codex-there'));
    await behind(lab);
    const { url } = await connected(lab, [], await pairingCode(lab));
    const client = await EndpointClient.open(url);
    expect(await client.ask('thread/list', {})).toMatchObject({ data: [] });
    expect(await client.ask('config/read', {})).toHaveProperty('config');
  });

  it.skipIf(!hasTmux)('codex --remote unix:// comes up', async ({ lab }) => {
    await mkdir(join(lab.folder, 'codex-there'));
    await mkdir(join(lab.folder, 'codex-here'));
    await behind(lab);
    const { url } = await connected(lab, [], await pairingCode(lab));
    const env = { HOME: lab.folder, CODEX_HOME: join(lab.folder, 'codex-here') };
    const tmux = (...args: string[]) =>
      execFileSync('tmux', ['-S', join(lab.folder, 'tmux'), ...args], { env: { ...process.env, ...env } });
    tmux('new-session', '-d', '-x', '120', '-y', '40', `'${CODEX_BIN}' --remote ${url}; sleep 60`);
    try {
      await expect
        .poll(() => tmux('capture-pane', '-p').toString(), { timeout: 40_000, interval: 200 })
        .toMatch(/Welcome to Codex|OpenAI Codex/);
      await expect
        .poll(
          async () => {
            const { remoteClients } = (await lab.status()) as unknown as {
              remoteClients: { name: string }[];
            };
            return remoteClients.map(({ name }) => name).join();
          },
          { timeout: 20_000, interval: 200 },
        )
        .toMatch(/codex/);
    } finally {
      tmux('kill-server');
    }
  });
});
