/** The page of a hub in a real browser: sign in, machines, pairing, devices, threads and the JSON-RPC console. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Chromium, noChromium, type Page } from '../inspector/chromium.js';
import { CliProcess, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const THREADS = join(import.meta.dirname, '../fixtures/threads-app-server.mjs');
const processes: CliProcess[] = [];

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): CliProcess {
  const process = new CliProcess(args, env);
  processes.push(process);
  return process;
}

let chromium: Chromium;
let dir: string;
let home: string;
let key: string;
let hub: string;
let state: string;

async function startHub(args: readonly string[]): Promise<CliProcess> {
  const node = start(['hub', '--listen', 'http://127.0.0.1:0', '--json', '--drain', '1', ...args]);
  const line = await node.line(({ type }) => type === 'listening', 'address of the hub');
  hub = new URL(String(line.baseUrl)).origin;
  return node;
}

async function startEngine(...command: readonly string[]): Promise<CliProcess> {
  await cli(['login', '--hub', hub, '--home', home], {}, `${key}\n`);
  const engine = start(['start', '--home', home, '--base-url', hub, '--listen', 'off', '--json', ...command]);
  await engine.connected();
  return engine;
}

async function pairingCode(): Promise<string> {
  const { stdout } = await cli(['pair', '--home', home, '--json']);
  const started = JSON.parse(stdout) as { pairingCode: string; manualPairingCode: string | null };
  return started.manualPairingCode ?? started.pairingCode;
}

const fill = (page: Page, id: string, value: string): Promise<unknown> =>
  page.eval(`document.getElementById(${JSON.stringify(id)}).value = ${JSON.stringify(value)}`);

const submit = (page: Page, form: string): Promise<unknown> =>
  page.eval(`document.getElementById(${JSON.stringify(form)}).requestSubmit()`);

const text = (id: string): string => `document.getElementById(${JSON.stringify(id)}).innerText`;

async function pair(page: Page): Promise<void> {
  await fill(page, 'code', await pairingCode());
  await fill(page, 'device', 'my phone');
  await submit(page, 'pair');
  await page.until(`${text('link-state')} === 'connected'`, 'connection to the machine');
}

/** Whatever a peer has sent, no markup of it is in the page, and nothing came from elsewhere. */
async function expectClean(page: Page): Promise<void> {
  expect(await page.eval('document.title')).toBe('rc-engine hub');
  expect(await page.eval(`document.querySelectorAll('main img, main b b').length`)).toBe(0);
  expect(page.requests.filter((url) => !url.startsWith(hub) && !url.startsWith('data:'))).toEqual([]);
  expect(page.errors).toEqual([]);
}

beforeAll(async () => {
  if (noChromium === false) chromium = await Chromium.open();
});
afterAll(async () => {
  await chromium?.close();
});
beforeEach(async () => {
  dir = await tmpFolder();
  home = join(dir, 'home');
  await mkdir(home, { mode: 0o700 });
  state = join(dir, 'hub.json');
  const made = await cli(['hub', 'key', 'create', '--account', 'team', '--state', state, '--json']);
  ({ key } = JSON.parse(made.stdout) as { key: string });
});
afterEach(async () => {
  await chromium?.closePages();
  await Promise.all(processes.splice(0).map((process) => process.stop()));
});

describe.skipIf(noChromium !== false)('the page of a hub', { timeout: 90_000 }, () => {
  it('HUB-44: signs in with a key, shows machines and their state, lists and revokes devices', async () => {
    await startHub(['--state', state]);
    const engine = await startEngine();
    const page = await chromium.page(hub);
    await page.size(390, 844);
    await fill(page, 'key', 'rck_wrong');
    await submit(page, 'sign-in');
    await page.until(`${text('note')} === 'The hub refuses this key.'`, 'refusal of a wrong key');
    page.errors.length = 0;
    await fill(page, 'key', key);
    await submit(page, 'sign-in');
    await page.until(`${text('machines')}.includes('connected')`, 'machine of the account');
    expect(await page.eval(text('account'))).toBe('account team');
    expect(await page.eval('JSON.stringify(localStorage)')).not.toContain(key);
    await pair(page);
    await page.click('#leave');
    await page.click('.machine button');
    await page.until(`${text('machines')}.includes('my phone')`, 'paired device');
    expect(await page.eval('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.screenshot('hub-machines');
    await page.click('.change-role');
    await page.until(`document.querySelector('.role').innerText === 'read-only'`, 'role of the device');
    await page.click('.device button:last-child');
    await page.until(`${text('machines')}.includes('Really revoke?')`, 'question');
    await page.click('.device button:last-child');
    await page.until(`${text('machines')}.includes('No device is paired.')`, 'revocation');
    await engine.stop();
    await page.eval(`document.activeElement.blur()`);
    await page.click('#refresh');
    await page.eval(`document.activeElement.blur()`);
    await page.until(`${text('machines')}.includes('not connected')`, 'state of the stopped engine', 20_000);
    await expectClean(page);
  });

  it('HUB-45: a code alone is enough to steer a machine with threads: a turn is streamed, an approval answered', async () => {
    await startHub(['--state', state]);
    await startEngine('--', process.execPath, THREADS);
    const page = await chromium.page(hub);
    await page.size(390, 844);
    await pair(page);
    await page.until(`!document.getElementById('codex').hidden`, 'threads of the machine');
    await page.click('#new-thread');
    await page.until(`!document.getElementById('prompt').hidden`, 'new thread');
    await fill(page, 'prompt-text', 'touch a file');
    await page.eval(`document.getElementById('prompt-text').focus()`);
    await submit(page, 'prompt');
    await page.until(`${text('questions')}.includes('Run this command?')`, 'approval');
    expect(await page.eval(text('questions'))).toContain('touch <img src=x');
    await page.screenshot('hub-approval');
    await page.click('.question button');
    await page.until(`${text('transcript')}.includes('It is 42. <img src=x onerror')`, 'answer of the agent');
    expect(await page.eval(text('transcript'))).toContain('accept');
    expect(await page.eval(text('questions'))).toBe('');
    expect(await page.eval('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.screenshot('hub-thread');
    await page.click('#list-threads');
    await page.until(`${text('threads')}.includes('touch a file')`, 'list of threads');
    await page.click('#threads button');
    await page.until(`${text('transcript')}.includes('It is 42.')`, 'thread that was resumed');
    await expectClean(page);
  });

  it('HUB-45: the console sends requests, recalls them with the keyboard, and comes back after a restart of the hub', async () => {
    const node = await startHub(['--state', state]);
    await startEngine();
    const page = await chromium.page(hub);
    await pair(page);
    expect(await page.eval(`document.getElementById('tab-codex').hidden`)).toBe(true);
    await fill(page, 'method', 'engine/echo');
    await fill(page, 'params', '{"payload": "<i>seen</i>"}');
    await submit(page, 'request');
    await page.until(`${text('log')}.includes('"payload": "<i>seen</i>"')`, 'answer in the log');
    await fill(page, 'params', '{');
    await submit(page, 'request');
    await page.until(`${text('note')}.includes('not JSON')`, 'refusal of wrong params');
    await page.eval(`document.getElementById('method').focus()`);
    await page.press('ArrowUp');
    expect(await page.eval(`document.getElementById('params').value`)).toContain('seen');
    node.child.kill('SIGKILL');
    await page.until(`${text('link-state')}.startsWith('not connected')`, 'lost connection');
    const again = start(['hub', '--listen', hub, '--state', state, '--json']);
    await again.line(({ type }) => type === 'listening', 'address of the hub');
    await page.until(`${text('link-state')} === 'connected'`, 'new connection', 40_000);
    await page.eval(`document.activeElement.blur()`);
    await page.press('Escape');
    await page.until(`!document.getElementById('home').hidden`, 'way back by the keyboard');
    page.errors.length = 0;
    await expectClean(page);
  });
});

describe('requests of pages', { timeout: 30_000 }, () => {
  const headersOf = async (headers: Record<string, string>): Promise<number> => {
    const { request } = await import('node:http');
    return new Promise((resolve, reject) => {
      const url = new URL('/hub/machines', hub);
      request(url, { headers: { authorization: `Bearer ${key}`, ...headers } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  };

  it('HUB-35, HUB-44: the page has a strict policy; its own origin may ask, others get 403', async () => {
    await startHub(['--state', state]);
    const { headers, status } = await fetch(hub);
    expect(status).toBe(200);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(await headersOf({ origin: hub })).toBe(200);
    for (const origin of ['https://elsewhere.example', 'null', 'http://127.0.0.1:1']) {
      expect(await headersOf({ origin })).toBe(403);
    }
  });

  it('HUB-35: a hub for anybody answers under names of this machine only', async () => {
    await startHub(['--accounts', 'any']);
    const { port } = new URL(hub);
    expect(await headersOf({ host: `localhost:${port}` })).toBe(200);
    expect(await headersOf({ host: `elsewhere.example:${port}` })).toBe(403);
  });

  it('HUB-45: the token of a controller may be in the list of protocols, and is not sent back', async () => {
    await startHub(['--state', state]);
    await startEngine();
    const code = await pairingCode();
    const claimed = await fetch(`${hub}/backend-api/wham/remote/control/client/claim`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ [code.length < 20 ? 'manual_pairing_code' : 'pairing_code']: code }),
    });
    const { controller_token: token } = (await claimed.json()) as { controller_token: string };
    const open = (bearer: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${hub.replace('http', 'ws')}/backend-api/wham/remote/control/client`, [
          'rc-engine.controller',
          `rc-engine.bearer.${bearer}`,
        ]);
        socket.on('open', () => {
          resolve(socket.protocol);
          socket.close();
        });
        socket.on('error', ({ message }) => resolve(message));
      });
    expect(await open(token)).toBe('rc-engine.controller');
    expect(await open('rcc_wrong')).toContain('401');
  });
});
