/**
 * Marked secrets through all events in the life of an account. They may appear only in auth.json, in the requests that
 * need them, and in responses to a client that asked for them.
 */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Model } from '../../src/inspector/page/model.js';
import type { ServerMessage } from '../../src/inspector/wire.js';
import { CliProcess } from '../support/cli.js';
import { AUTHORIZE_PARAMS, granted, LoopbackIssuer, MARK, token } from '../support/issuer.js';
import { filesOf, findLeaks, type Place, place, processOf } from '../support/leaks.js';
import { tmpFolder } from '../support/tmp.js';

/** A program that records its arguments and environment, and those of its parent process. */
const recorder = (directory: string, then: string): string => `#!${process.execPath}
import { readFileSync, writeFileSync } from 'node:fs';
const parent = (what) => {
  try { return readFileSync('/proc/' + process.ppid + '/' + what, 'utf8'); } catch { return ''; }
};
writeFileSync(${JSON.stringify(directory)} + '/' + process.pid + '.json', JSON.stringify({
  args: process.argv.slice(2), env: process.env, parent: [parent('cmdline'), parent('environ')],
}));
${then}
`;

/** A minimal app server. */
const ANSWERS = `
const { createInterface } = await import('node:readline');
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line);
  if (id !== undefined && method !== undefined) console.log(JSON.stringify({ id, result: {} }));
});`;

interface Seen {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly parent: readonly string[];
}

async function program(then: string): Promise<{ path: string; seen: () => Seen[]; places: () => Place[] }> {
  const directory = await tmpFolder();
  const path = join(await tmpFolder(), 'program.mjs');
  writeFileSync(path, recorder(directory, then));
  chmodSync(path, 0o755);
  const texts = () => readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
  return {
    path,
    seen: () => texts().map((text) => JSON.parse(text) as Seen),
    places: () => texts().map((text, at) => place(`start of ${path}, ${at}`, text)),
  };
}

/** The frames that the page of the inspector receives. */
async function timeline(link: URL): Promise<{ frames: string[]; model: Model; socket: WebSocket }> {
  const page = await new Promise<string>((resolve, reject) => {
    request(link, { agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(body));
    })
      .on('error', reject)
      .end();
  });
  const session = /name="session" content="([\w-]+)"/.exec(page)?.[1] ?? '';
  const socket = new WebSocket(`ws://${link.host}/timeline`, ['rc-inspector', session], {
    headers: { origin: link.origin },
  });
  const frames: string[] = [];
  const model = new Model();
  socket.on('message', (data) => {
    frames.push(String(data));
    model.receive(JSON.parse(String(data)) as ServerMessage);
  });
  return { frames, model, socket };
}

const portHeld = (): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(true));
    probe.listen(1455, '127.0.0.1', () => probe.close(() => resolve(false)));
  });

/** A client over the stdin and stdout of an engine. */
class Client {
  readonly #engine: CliProcess;
  readonly said: string[] = [];
  /** The response to each server-initiated request. */
  reply: object = { error: { code: -1, message: '' } };
  readonly #answers = new Map<unknown, (message: Record<string, unknown>) => void>();
  #lastId = 0;

  constructor(engine: CliProcess) {
    this.#engine = engine;
    createInterface({ input: engine.child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as Record<string, unknown>;
      if (message.method === undefined) this.#answers.get(message.id)?.(message);
      else if (message.id !== undefined) this.#write({ id: message.id, ...this.reply });
      // A result belongs to the client that sent the request, so it may hold a secret.
      if (message.method !== undefined || message.error !== undefined) this.said.push(line);
    });
  }

  ask(method: string, params: unknown = {}): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#write({ id, method, params });
    });
  }

  #write(message: object): void {
    this.#engine.child.stdin.write(`${JSON.stringify(message)}\n`);
  }
}

describe('secrets of the account', () => {
  it('ACC-89: sign-in, refresh, refusals and sign-out leave them in no argument, environment, frame, timeline, audit, log, error or file', async ({
    skip,
  }) => {
    if (await portHeld()) skip('another program holds port 1455');
    const at = await LoopbackIssuer.start();
    const home = join(await tmpFolder(), 'home');
    const browser = await program('await fetch(process.argv[2]);');
    const appServer = await program(ANSWERS);
    const settings = ['--issuer', at.origin, '--base-url', `${at.origin}/backend-api`];
    const engine = new CliProcess(
      ['start', '--json', '--listen', 'stdio://', '--inspect', '--log-level', 'trace', '--home', home].concat(
        settings,
        '--auth-startup',
        'recoverable',
        '--',
        process.execPath,
        appServer.path,
      ),
      { SOME_SETTING: 'seen' },
    );
    const link = await engine.until(
      () => /http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/.exec(engine.stderr)?.[0],
      'link',
    );
    const { frames, model, socket } = await timeline(new URL(link));
    const client = new Client(engine);
    const shown: string[] = [];
    const note = (value: unknown): number => shown.push(JSON.stringify(value));
    await client.ask('initialize', {
      clientInfo: { name: 'test', title: null, version: '1' },
      capabilities: { experimentalApi: true },
    });

    // A browser sign-in that also returns an API key. Remote control uses it at once.
    const [first, second, third, external] = [token(), token({ plan: 'plus' }), token(), token()];
    const refused = `no: ${first} ${second} rt-${MARK}-2`;
    at.always('exchange', granted(first));
    at.always('keyExchange', { json: { access_token: `sk-${MARK}-exchanged` } });
    const login = new CliProcess(['login', '--home', home], { BROWSER: browser.path });
    const signedIn = await login.exited;
    expect([signedIn.code, signedIn.stdout]).toEqual([0, expect.stringContaining('Signed in with ChatGPT')]);
    expect(readFileSync(join(home, 'auth.json'), 'utf8')).toContain(`sk-${MARK}-exchanged`);

    // A successful refresh, then refusals by an issuer that repeats the tokens it received.
    at.script('refresh', granted(second, `rt-${MARK}-3`));
    note(await client.ask('account/read', { refreshToken: true }));
    at.always('refresh', { status: 500, json: { error: { message: `${refused} rt-${MARK}-3` } } });
    note(await client.ask('account/read', { refreshToken: true }));
    at.always('enroll', { status: 401, json: { detail: refused } });
    await client.ask('remoteControl/disable');
    note(await client.ask('remoteControl/enable'));

    // The other sign-in methods, each with a failure.
    at.always('devicePoll', { status: 400, json: { error: `dev-${MARK}` } });
    await client.ask('account/login/start', { type: 'chatgptDeviceCode' });
    await engine.until(() => client.said.find((line) => line.includes('device auth failed')), 'denied');
    client.reply = { error: { code: 1, message: `${external} ${third}` } };
    await client.ask('account/login/start', {
      type: 'chatgptAuthTokens',
      accessToken: external,
      chatgptAccountId: 'org-1',
    });
    note(await client.ask('remoteControl/enable'));
    await client.ask('account/login/start', {
      type: 'chatgptAuthTokens',
      accessToken: `${MARK}-is-no-token`,
      chatgptAccountId: 'org-1',
    });
    note(await client.ask('engine/audit/read'));
    note(await client.ask('engine/status/read'));
    note(await client.ask('engine/account/read'));
    await client.ask('account/logout', { all: true });
    await client.ask('account/login/start', { type: 'apiKey', apiKey: `sk-${MARK}-given` });
    note(await client.ask('engine/audit/read'));
    const running = await processOf(engine.child.pid);
    await engine.until(() => (model.caughtUp ? true : undefined), 'the timeline');
    const files = await filesOf(home, [join(home, 'auth.json')]);
    socket.terminate();
    const ended = await engine.stop();

    // Everything that the issuer received must appear nowhere else.
    const form = at.of('exchange')[0]?.fields ?? {};
    const secrets = [
      MARK,
      ...[first, second, third, external].map((one) => String(one.split('.')[1])),
      String(form.code_verifier),
      String(form.code),
    ];
    expect(secrets.every((secret) => secret.length > 5)).toBe(true);
    const timelineOfAll = JSON.stringify(model.save());
    const places = [
      ...browser.places(),
      ...appServer.places(),
      ...running,
      ...files,
      place('frames of the inspector', frames.join('\n')),
      place('saved timeline', timelineOfAll),
      place('notifications and errors', client.said.join('\n')),
      place('answers', shown.join('\n')),
      place('log', ended.stderr),
      place('output of login', signedIn.stdout + signedIn.stderr),
    ];
    expect(findLeaks(secrets, places)).toEqual([]);

    // The search works: it finds the address in the arguments of the browser, which hold nothing unnecessary.
    const [opened] = browser.seen();
    const address = new URL(opened?.args[0] ?? '');
    expect(opened?.args).toHaveLength(1);
    expect([...address.searchParams.keys()]).toEqual(AUTHORIZE_PARAMS);
    const state = String(address.searchParams.get('state'));
    const holders = findLeaks([state], places).map((leak) => leak.place);
    expect(holders).toEqual([expect.stringContaining(browser.path), 'output of login']);
    expect(appServer.seen()[0]).toMatchObject({ env: { SOME_SETTING: 'seen' } });
    expect(timelineOfAll).toContain('account.auth.chatgpt.refreshing');
    expect(timelineOfAll).toContain('authRecovery');
    for (const word of ['tokensRefreshed', 'parentRefused', 'issuerFailed']) {
      expect(shown.join('\n')).toContain(word);
    }
  }, 60_000);

  it('ACC-86: a secret of the environment is not passed on to an app server or a browser', async () => {
    const at = await LoopbackIssuer.start();
    const home = join(await tmpFolder(), 'home');
    const appServer = await program(ANSWERS);
    const given = token({ account: 'acct-ci' });
    const engine = new CliProcess(
      ['start', '--json', '--listen', 'stdio://', '--no-remote-control', '--home', home].concat(
        ['--issuer', at.origin],
        '--',
        process.execPath,
        appServer.path,
      ),
      { RC_ENGINE_ACCESS_TOKEN: given, RC_ENGINE_APP_SERVER: `wss://x/?k=${MARK}`, SOME_SETTING: 'seen' },
    );
    const client = new Client(engine);
    await client.ask('initialize', { clientInfo: { name: 'test', title: null, version: '1' } });
    const { result } = await client.ask('account/read');
    expect(result).toMatchObject({ account: { type: 'chatgpt' } });
    const [started] = await engine.until(() => {
      const seen = appServer.seen();
      return seen.length > 0 ? seen : undefined;
    }, 'app server');
    expect(started?.env).toMatchObject({ SOME_SETTING: 'seen' });
    expect(JSON.stringify([started?.args, started?.env])).not.toContain(MARK);
    await engine.stop();
    const browser = await program('');
    const login = new CliProcess(['login', '--home', home, '--issuer', at.origin], {
      BROWSER: browser.path,
      RC_ENGINE_ACCESS_TOKEN: given,
      SOME_SETTING: 'seen',
    });
    await vi.waitFor(() => expect(browser.seen()).toHaveLength(1), 10_000);
    const [opened] = browser.seen();
    expect(opened?.env).toMatchObject({ SOME_SETTING: 'seen' });
    expect(JSON.stringify(opened?.env)).not.toContain(MARK);
    await login.stop();
  }, 30_000);
});
