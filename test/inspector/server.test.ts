import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { InspectorServer, type InspectorServerOptions } from '../../src/inspector/server.js';
import { type Entry, Timeline } from '../../src/inspector/timeline.js';
import { checkLeftovers } from '../support/leftovers.js';

checkLeftovers();

const PAGE = '<p>__PAGE_KEY__ __SESSION__</p><script nonce="__NONCE__">1</script>';

let directory: string;
let timeline: Timeline;
let server: InspectorServer;
let link: URL;
const sockets: WebSocket[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rc-engine-inspector-'));
  await writeFile(join(directory, 'page.html'), PAGE);
  await open();
});

async function open(limit = 10_000, more: Partial<InspectorServerOptions> = {}): Promise<void> {
  timeline = new Timeline(limit);
  server = new InspectorServer({
    port: 0,
    pageFile: pathToFileURL(join(directory, 'page.html')),
    timeline,
    about: { mode: 'live', engine: '0.0.0', charts: {} },
    ...more,
  });
  link = new URL((await server.listen()).reveal());
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await server.close();
  await rm(directory, { recursive: true });
});

interface HttpResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: link.port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    })
      .on('error', reject)
      .end();
  });
}

const withToken = () => `/${link.search}`;

interface Page {
  /** Opens the page without the link. */
  readonly path: string;
  readonly session: string;
}

/** What a page contains. The session is empty when the page was not opened by the link. */
function readPage(body: string, path = '/'): Page {
  const [, key = '', session = ''] = /<p>(\S+) (\S*)<\/p>/.exec(body) ?? [];
  return { path: `${path}?page=${key}`, session };
}

async function openPage(): Promise<Page> {
  return readPage((await get(withToken())).body);
}

function connect(
  session: string | undefined,
  headers: Record<string, string> = {},
  path = '/timeline',
): WebSocket {
  const socket = new WebSocket(
    `ws://127.0.0.1:${link.port}${path}`,
    session === undefined ? [] : ['rc-inspector', session],
    { headers: { origin: link.origin, ...headers }, perMessageDeflate: false },
  );
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** Status of a refused upgrade; 101 when it was not refused. */
function statusOf(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
}

const entry = (seq: number, event = 'GO'): Entry => ({
  seq,
  time: seq,
  actor: 1,
  kind: 'step',
  event,
  active: ['a.b'],
  edges: [],
  reason: null,
  lasted: 1,
  count: 1,
});
function add(count: number, event?: string): void {
  for (let i = 0; i < count; i += 1) timeline.add(entry(timeline.next, event));
  server.notify();
}

/** Seqs that a page has received so far. */
function seqsOf(socket: WebSocket): number[] {
  const seqs: number[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as { type: string; entries?: Entry[] };
    for (const { seq } of message.entries ?? []) seqs.push(seq);
  });
  return seqs;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const limit = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('access to the page', () => {
  it('is refused without the token, with a wrong one, and with the right one a second time', async () => {
    expect((await get('/')).status).toBe(403);
    expect((await get('/?token=wrong')).status).toBe(403);
    const first = await get(withToken());
    expect(first.status).toBe(200);
    expect((await get(withToken())).status).toBe(403);
    // Browsers send cookies of 127.0.0.1 to each port of it.
    expect(first.headers['set-cookie']).toBeUndefined();
    expect(readPage(first.body).session).toMatch(/^[\w-]{43}$/);
  });

  it('opens again at its own address, without the session, which its browser keeps', async () => {
    const { path, session } = await openPage();
    const secrets = new Set([session, path.split('=')[1], link.searchParams.get('token')]);
    expect(secrets.size).toBe(3);
    const again = await get(path);
    expect(again.status).toBe(200);
    expect(readPage(again.body)).toEqual({ path, session: '' });
    expect((await get(`${path}x`)).status).toBe(403);
    expect((await get(`/?page=${session}`)).status).toBe(403);
    expect((await get('/', { cookie: `session=${session}; rc-inspector=${session}` })).status).toBe(403);
  });

  it.each([
    ['another host name of this machine', { host: 'attacker.example' }],
    ['another port', { host: '127.0.0.1:1' }],
    ['another origin', { origin: 'http://attacker.example' }],
    ['the origin of a local file', { origin: 'null' }],
    ['a link on another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port of this machine', { 'sec-fetch-site': 'same-site' }],
  ])('403 for %s, even with the session', async (_, headers) => {
    const { path, session } = await openPage();
    expect((await get(path, headers)).status).toBe(403);
    expect(await statusOf(connect(session, headers))).toBe(403);
  });

  it('403 for a socket without session or without origin', async () => {
    const { path, session } = await openPage();
    const key = path.split('=')[1] ?? '';
    for (const wrong of [undefined, 'none', `${session}x`, key]) {
      expect(await statusOf(connect(wrong))).toBe(403);
    }
    expect(await statusOf(connect(undefined, { cookie: `session=${session}` }))).toBe(403);
    const bare = new WebSocket(`ws://127.0.0.1:${link.port}/timeline`, ['rc-inspector', session]);
    sockets.push(bare);
    bare.on('error', () => {});
    expect(await statusOf(bare)).toBe(403);
    const good = connect(session);
    expect(await statusOf(good)).toBe(101);
    expect(good.protocol).toBe('rc-inspector');
  });

  it('a refused request does not use up the link', async () => {
    await get(withToken(), { host: 'attacker.example' });
    await get(withToken(), {}, 'HEAD');
    expect((await get(withToken())).status).toBe(200);
  });

  it('nothing else is served, and the page must not load anything or be framed', async () => {
    const { path, session } = await openPage();
    expect((await get(`/other${path.slice(1)}`)).status).toBe(404);
    expect((await get(path, {}, 'POST')).status).toBe(404);
    expect(await statusOf(connect(session, {}, '/other'))).toBe(404);
    const one = await get(path);
    const two = await get(path);
    const policy = String(one.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(one.headers['referrer-policy']).toBe('no-referrer');
    expect(one.headers['cache-control']).toBe('no-store');
    const [, nonce] = /nonce-([^']+)'/.exec(policy) ?? [];
    expect(one.body).toContain(`<script nonce="${nonce}">1</script>`);
    expect(two.body).not.toBe(one.body);
  });
});

describe('the page with the Stately inspector', () => {
  const openBoth = async () => {
    await server.close();
    await writeFile(join(directory, 'stately.html'), `${PAGE}<iframe></iframe>`);
    await open(10_000, { statelyFile: pathToFileURL(join(directory, 'stately.html')) });
  };

  it('is the target of the link, with the same access rules: no token, a used one, another origin or another site get 403', async () => {
    await openBoth();
    expect(link.pathname).toBe('/stately');
    expect((await get('/stately')).status).toBe(403);
    expect((await get('/stately?token=wrong')).status).toBe(403);
    const first = await get(`/stately${link.search}`);
    expect(first.status).toBe(200);
    expect(first.body).toContain('<iframe>');
    expect((await get(`/stately${link.search}`)).status).toBe(403);
    const { path, session } = readPage(first.body, '/stately');
    expect((await get(path)).status).toBe(200);
    for (const headers of [
      { host: 'attacker.example' },
      { origin: 'https://stately.ai' },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      expect((await get(path, headers)).status).toBe(403);
      expect(await statusOf(connect(session, headers))).toBe(403);
    }
    expect(await statusOf(connect(undefined))).toBe(403);
    expect(await statusOf(connect(session))).toBe(101);
  });

  it('may frame only stately.ai; the local page may frame nothing', async () => {
    await openBoth();
    const { headers, body } = await get(`/stately${link.search}`);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain('; frame-src https://stately.ai;');
    expect(policy).toContain("frame-ancestors 'none'");
    const local = await get(readPage(body).path);
    expect(local.status).toBe(200);
    expect(String(local.headers['content-security-policy'])).not.toContain('stately');
  });

  it('does not exist without --inspect=stately', async () => {
    expect(link.pathname).toBe('/');
    const { path } = await openPage();
    expect((await get(`/stately${path.slice(1)}`)).status).toBe(404);
    expect(String((await get(path)).headers['content-security-policy'])).not.toContain('frame-src');
  });
});

describe('pages that misbehave', () => {
  it('50 tabs receive the same entries in order, from the first to the last', {
    timeout: 30_000,
  }, async () => {
    const { session } = await openPage();
    add(3_210);
    const tabs = Array.from({ length: 50 }, () => connect(session));
    const seqs = tabs.map(seqsOf);
    await Promise.all(tabs.map((tab) => once(tab, 'open')));
    for (let i = 0; i < 5; i += 1) {
      add(300);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const expected = Array.from({ length: 4_710 }, (_, seq) => seq);
    await until(() => seqs.every(({ length }) => length >= expected.length), 'last entry in each tab');
    for (const received of seqs) expect(received).toEqual(expected);
  });

  it('the 65th tab is refused', async () => {
    const { session } = await openPage();
    const tabs = Array.from({ length: 64 }, () => connect(session));
    await Promise.all(tabs.map((tab) => once(tab, 'open')));
    expect(await statusOf(connect(session))).toBe(503);
    tabs[0]?.close();
    await once(tabs[0] as WebSocket, 'close');
    expect(await statusOf(connect(session))).toBe(101);
  });

  it('a page that sends messages is closed, one that floods with pings is destroyed, and the others continue', async () => {
    const { session } = await openPage();
    const [good, sender, flooder] = [connect(session), connect(session), connect(session)];
    const seqs = seqsOf(good);
    await Promise.all([good, sender, flooder].map((socket) => once(socket, 'open')));
    sender.send('hello');
    const closed = once(sender, 'close');
    for (let i = 0; i < 1_000; i += 1) flooder.ping();
    await once(flooder, 'close');
    expect((await closed)[0]).toBe(1008);
    add(10);
    await until(() => seqs.length === 10, 'entries');
  });

  it('a page that pings endlessly is destroyed, however slowly it pings', async () => {
    const socket = connect((await openPage()).session);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    let pongs = 0;
    const ping = () => socket.ping();
    socket.on('pong', () => {
      pongs += 1;
      if (pongs < 100) ping();
      else socket.close();
    });
    ping();
    await closed;
    expect(pongs).toBeLessThan(30);
  });

  it('connections above the limit are dropped, and open pages continue', async () => {
    const good = connect((await openPage()).session);
    const seqs = seqsOf(good);
    await once(good, 'open');
    const dropped = new Set<Socket>();
    const idle = Array.from({ length: 300 }, () => {
      const socket = createConnection(Number(link.port), '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => dropped.add(socket));
      return socket;
    });
    try {
      await until(() => dropped.size >= 300 - 256, 'dropped connections');
      add(10);
      await until(() => seqs.length === 10, 'entries');
    } finally {
      for (const socket of idle) socket.destroy();
    }
  });

  it('a page that sends a large message is closed', async () => {
    const socket = connect((await openPage()).session);
    await once(socket, 'open');
    socket.send('x'.repeat(100_000));
    expect((await once(socket, 'close'))[0]).toBe(1009);
  });

  it('a page that does not read is closed with a message; its memory is bounded, and the others continue', async () => {
    await server.close();
    await open(2_000);
    const { session } = await openPage();
    const [slow, good] = [connect(session), connect(session)];
    const seqs = seqsOf(good);
    await Promise.all([once(slow, 'open'), once(good, 'open')]);
    slow.pause();
    const event = 'E'.repeat(2_000);
    const memory = process.memoryUsage().rss;
    for (let round = 0; round < 60; round += 1) {
      const due = timeline.next + 400;
      add(400, event);
      await until(() => seqs.at(-1) === due - 1, `entry ${due - 1}`);
    }
    expect(process.memoryUsage().rss - memory).toBeLessThan(150 * 1024 * 1024);
    const closed = once(slow, 'close');
    slow.resume();
    const [code] = await closed;
    // A page that does not read may miss the close frame; then it sees 1006.
    expect([1013, 1006]).toContain(code);
  });

  it('a page that disappears leaves nothing behind, and the others receive the end of the server', async () => {
    const { session } = await openPage();
    const [gone, good] = [connect(session), connect(session)];
    await Promise.all([once(gone, 'open'), once(good, 'open')]);
    gone.terminate();
    add(5);
    const seqs = seqsOf(good);
    const closed = once(good, 'close');
    await server.close();
    expect(await closed).toMatchObject([1001, Buffer.from('The engine has stopped.')]);
    expect(seqs).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('the port', () => {
  it('is on 127.0.0.1 only, and a port in use is an error', async () => {
    const second = new InspectorServer({
      port: Number(link.port),
      pageFile: new URL('file:///none'),
      timeline,
      about: { mode: 'live', engine: '0.0.0', charts: {} },
    });
    await expect(second.listen()).rejects.toMatchObject({ code: 'listenerFailed' });
    expect(link.hostname).toBe('127.0.0.1');
  });
});
