/**
 * What a hostile peer held returns: the built command line runs as a process, hostile rounds end one after the other,
 * and what the process holds after a complete garbage collection stops growing. A bystander is answered in each round.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { claim } from '../../src/controller/claim.js';
import { Controller } from '../../src/controller/controller.js';
import { Secret } from '../../src/protocol/secret.js';
import {
  call,
  controlUrl,
  dial,
  enroll,
  type Identity,
  ServerPeer,
  serverHeaders,
} from '../backend/peers.js';
import { Client, raw, upgradeText } from '../listener/rig.js';
import { signIn, writeAuth } from '../support/auth.js';
import { LineClient } from '../support/control.js';
import { HostileBackend } from '../support/hostile-backend.js';
import { hostileMessages, isOpen, MESSAGES, SEED, sendAll, silentSockets } from '../support/hostile-peers.js';
import { MeasuredProcess } from '../support/measured.js';
import { MIB } from '../support/memory.js';
import { tmpFolder } from '../support/tmp.js';

/** Rounds before the first measurement: code is compiled and rings are filled. */
const WARM_UP = 3;
const ROUNDS = 4;
/** All measured rounds together may add this much. Each of them sends more than ten times as much. */
const ALLOWED = MIB;
/** The account file and the database are opened now and then. */
const ALLOWED_DESCRIPTORS = 2;
const LIMIT = { timeout: 180_000 };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function running(args: readonly string[]): Promise<MeasuredProcess> {
  const measured = await MeasuredProcess.start(args);
  ends.push(() => measured.stop());
  return measured;
}

/** A started engine; its URLs come from its JSON lines. */
async function engine(home: string, args: readonly string[]): Promise<MeasuredProcess> {
  return running(['start', '--json', '--home', home, '--log-level', 'silent', ...args]);
}

async function connectUrl(of: MeasuredProcess): Promise<string> {
  const line = await of.cli.line(({ type }) => type === 'listening', 'listening line');
  return String(line.connectUrl);
}

/** Fails when the hostile rounds leave memory or descriptors behind. */
async function expectReturn(of: MeasuredProcess, round: (seed: number) => Promise<void>): Promise<void> {
  for (let n = 0; n < WARM_UP; n += 1) await round(SEED + n);
  const before = await of.held();
  for (let n = 0; n < ROUNDS; n += 1) await round(SEED + WARM_UP + n);
  const wanted = { bytes: before.bytes + ALLOWED, descriptors: before.descriptors + ALLOWED_DESCRIPTORS };
  await of.returnsTo(wanted);
  expect(of.cli.running).toBe(true);
}

async function echo(bystander: Client, payload: number): Promise<void> {
  const { result } = await bystander.request('engine/echo', { payload }, 20_000);
  expect(result).toEqual({ payload });
}

const LARGE = JSON.stringify({ id: 1, method: 'engine/echo', params: { payload: 'x'.repeat(900_000) } });

/** Asks for far more than the limit of unsent data, and reads nothing. */
function askWithoutReading(client: Client): void {
  client.ws.pause();
  for (let n = 0; n < 45; n += 1) client.ws.send(LARGE);
}

describe(`memory and descriptors return after a hostile peer (seed ${SEED})`, () => {
  it('WSA-60: of the listener', LIMIT, async () => {
    const of = await engine(await tmpFolder(), ['--listen', 'ws://127.0.0.1:0', '--no-remote-control']);
    const url = await connectUrl(of);
    const port = Number(new URL(url).port);
    const bystander = await Client.open(url);
    await bystander.initialize();
    await expectReturn(of, async (seed) => {
      const [hostile, unread, flood] = await Promise.all([
        Client.open(url),
        Client.open(url),
        Client.open(url),
      ]);
      for (const client of [hostile, unread, flood]) await client.initialize();
      const silent = silentSockets({ port, host: '127.0.0.1' }, 60);
      askWithoutReading(unread);
      for (let n = 0; n < 5_000; n += 1) flood.ws.send(`{"id":${n},"method":"engine/echo"}`);
      const sent = sendAll(hostile.ws, seed);
      for (let n = 0; n < 20; n += 1) {
        expect((await raw(port, upgradeText({ path: `/?token=wrong${n}` }))).status).toBe(401);
      }
      await echo(bystander, seed);
      await sent;
      for (const client of [hostile, unread, flood]) client.ws.terminate();
      for (const socket of silent) socket.destroy();
      await echo(bystander, -seed);
    });
    bystander.ws.terminate();
  });

  it('WSA-60: of the control socket', LIMIT, async () => {
    const home = await tmpFolder();
    const of = await engine(home, ['--listen', 'ws://127.0.0.1:0', '--no-remote-control']);
    await connectUrl(of);
    const { controlSocket } = JSON.parse(await readFile(join(home, 'engine.json'), 'utf8')) as {
      controlSocket: string;
    };
    const bystander = await LineClient.connect(controlSocket);
    await bystander.initialize();
    await expectReturn(of, async (seed) => {
      const hostile = net.connect(controlSocket).on('error', () => {});
      await once(hostile, 'connect');
      for (const text of hostileMessages(seed, MESSAGES)) hostile.write(`${text}\n`);
      const unread = net.connect(controlSocket).on('error', () => {});
      await once(unread, 'connect');
      unread.write(`{"id":0,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n`);
      for (let n = 0; n < 3_000; n += 1) unread.write(`{"id":${n},"method":"engine/status/read"}\n`);
      const silent = Array.from({ length: 20 }, () => net.connect(controlSocket).on('error', () => {}));
      expect((await bystander.call('engine/echo', { payload: seed })).result).toEqual({ payload: seed });
      for (const socket of [hostile, unread, ...silent]) socket.destroy();
      bystander.messages.length = 0;
    });
    bystander.close();
  });

  it('WSA-60: of a client over stdio', LIMIT, async () => {
    const of = await running([
      'start',
      '--home',
      await tmpFolder(),
      '--listen',
      'stdio://',
      '--no-remote-control',
      '--log-level',
      'silent',
    ]);
    const { stdin, stdout } = of.cli.child;
    const client = new LineClient(
      stdout,
      (line) => stdin.write(line),
      () => stdin.end(),
    );
    await client.initialize();
    await expectReturn(of, async (seed) => {
      for (const text of hostileMessages(seed, MESSAGES)) client.sendText(text.replaceAll('\n', ' '));
      // Asks, and reads nothing.
      stdout.pause();
      for (let n = 0; n < 3_000; n += 1) client.sendText(`{"id":${n},"method":"engine/status/read"}`);
      stdout.resume();
      const { result } = await client.call('engine/echo', { payload: seed });
      expect(result).toEqual({ payload: seed });
      client.messages.length = 0;
    });
  });

  it('WSA-60: of the inspector; a page and a local client are served meanwhile', LIMIT, async () => {
    const of = await engine(await tmpFolder(), [
      '--listen',
      'ws://127.0.0.1:0',
      '--no-remote-control',
      '--inspect',
    ]);
    const bystander = await Client.open(await connectUrl(of));
    await bystander.initialize();
    const link = new URL(
      String((await of.cli.line(({ type }) => type === 'inspector', 'inspector link')).url),
    );
    const port = Number(link.port);
    const session = /name="session" content="([^"]+)"/.exec(await (await fetch(link)).text())?.[1] ?? '';
    const timeline = (name: string) =>
      new WebSocket(`ws://127.0.0.1:${port}/timeline`, ['rc-inspector', name], {
        origin: link.origin,
        perMessageDeflate: false,
      }).on('error', () => {});
    await expectReturn(of, async (seed) => {
      const silent = silentSockets({ port, host: '127.0.0.1' }, 100);
      // Text of every kind in place of a request, and upgrades without the session.
      const requests = [...hostileMessages(seed, 150)].map((text) => {
        const socket = net.connect(port, '127.0.0.1').on('error', () => {});
        socket.write(`GET /?page=${encodeURIComponent(text.slice(0, 300))} HTTP/1.1\r\n${text}`);
        return socket;
      });
      const refused = Array.from({ length: 50 }, () => timeline('wrong'));
      // Pages that read nothing, send messages, or ping.
      const pages = Array.from({ length: 40 }, () => timeline(session));
      await Promise.all(pages.map((page) => once(page, 'open')));
      for (const [n, page] of pages.entries()) {
        if (n % 2 === 0) page.pause();
        else void sendAll(page, seed);
        for (let ping = 0; ping < 1_000; ping += 1) if (isOpen(page)) page.ping('x'.repeat(100));
      }
      const own = timeline(session);
      const [first] = (await once(own, 'message')) as [Buffer];
      expect(JSON.parse(first.toString())).toMatchObject({ type: 'hello' });
      await echo(bystander, seed);
      for (const page of [...refused, ...pages, own]) page.terminate();
      for (const socket of [...silent, ...requests]) socket.destroy();
    });
    bystander.ws.terminate();
  });

  it('WSA-60: of the embedded backend; a controller and its server are served meanwhile', LIMIT, async () => {
    const of = await running(['backend', '--listen', 'http://127.0.0.1:0', '--json']);
    const url = await of.cli.until(
      () => /http:\/\/127\.0\.0\.1:\d+\/[^"\s]*/.exec(of.cli.stdout)?.[0],
      'URL of the backend',
    );
    const backend = { url: url.replace(/\/$/, '') };
    const port = Number(new URL(url).port);
    const api = (path: string) => controlUrl(backend, path);
    const identities: Identity[] = [];
    for (let n = 0; n < 2; n += 1) identities.push(await enroll(backend));
    const [identity, other] = identities as [Identity, Identity];
    const pairAt = async () => {
      const { body } = await call(api('server/pair'), {
        headers: { authorization: `Bearer ${identity.token}` },
        body: { manual_code: false },
      });
      const code = new Secret(String(body.pairing_code));
      return claim({ baseUrl: backend.url }, { kind: 'pairing', code });
    };
    const server = await ServerPeer.open(backend, identity);
    const own = new Controller({ baseUrl: backend.url, token: (await pairAt()).token });
    await own.connect();
    const { token } = await pairAt();
    let seq = 0;
    await expectReturn(of, async (seed) => {
      const silent = silentSockets({ port, host: '127.0.0.1' }, 100);
      const controller = new WebSocket(api('client').replace('http', 'ws'), {
        headers: { authorization: `Bearer ${token.reveal()}` },
        perMessageDeflate: false,
      }).on('error', () => {});
      await once(controller, 'open');
      const engineSocket = await dial(api('server'), serverHeaders(other));
      if (!(engineSocket instanceof WebSocket))
        throw new Error('the socket of the second server was refused');
      for (let n = 0; n < 2_000; n += 1) controller.ping('x'.repeat(100));
      const sent = Promise.all([sendAll(controller, seed), sendAll(engineSocket, seed)]);
      for (let n = 0; n < 20; n += 1) {
        const wrong = { authorization: `Bearer wrong-${seed}-${n}` };
        const answer = await dial(api('client'), wrong);
        expect(answer).toMatchObject({ status: 401 });
        await call(api('client/claim'), { body: { pairing_code: `wrong-${n}` } });
      }
      const asked = own.request(`thread/${seed}`, {});
      seq += 1;
      server.answer(await server.request(`thread/${seed}`), seq);
      await asked;
      await sent;
      for (const socket of [controller, engineSocket]) socket.terminate();
      for (const socket of silent) socket.destroy();
    });
    await own.close();
    await server.close();
  });

  it('WSA-60: of a hostile backend; a local client is answered meanwhile', LIMIT, async () => {
    const hostile = await HostileBackend.open();
    ends.push(() => hostile.close());
    const home = await tmpFolder();
    await writeAuth(join(home, 'auth.json'), signIn('account-A').json);
    const of = await engine(home, ['--listen', 'ws://127.0.0.1:0', '--base-url', hostile.url]);
    const bystander = await Client.open(await connectUrl(of));
    await bystander.initialize();
    await of.cli.connected();
    await expectReturn(of, async (seed) => {
      const link = await hostile.openLink();
      attackEngine(link.socket, seed);
      await sendAll(link.socket, seed);
      // Asks, and reads no answer.
      const unread = Array.from({ length: 200 }, (_one, n) => `unread-${seed}-${n}`);
      link.stream.pause();
      for (const client of unread) {
        link.socket.send(initialize(client, 's', 1));
        link.socket.send(echoFrame(client, 2, 200_000));
      }
      await echo(bystander, seed);
      link.stream.resume();
      // They would end after ten minutes of silence (RC-34).
      for (const client of unread) link.socket.send(frame('client_closed', client, 's', 3, {}));
      await echo(bystander, -seed);
    });
    bystander.ws.terminate();
  });
});

const frame = (type: string, client: string, stream: string, seq: number, more: object): string =>
  JSON.stringify({ type, client_id: client, stream_id: stream, seq_id: seq, ...more });

const initialize = (client: string, stream: string, seq: number): string =>
  frame('client_message', client, stream, seq, {
    message: { id: 1, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } },
  });

const echoFrame = (client: string, seq: number, size: number): string =>
  frame('client_message', client, 's', seq, {
    message: { id: seq, method: 'engine/echo', params: { payload: 'x'.repeat(size) } },
  });

/** Clients that come and go, messages that never become whole, large requests, and pings. */
function attackEngine(socket: WebSocket, seed: number): void {
  for (let n = 0; n < 300; n += 1) {
    const client = `client-${seed}-${n}`;
    socket.send(initialize(client, 's', 1));
    socket.send(echoFrame(client, 2, 20_000));
    socket.send(frame('ping', client, 's', 3, {}));
    const part = Buffer.alloc(50_000).toString('base64');
    const chunk = {
      segment_id: 0,
      segment_count: 9,
      message_size_bytes: 400_000,
      message_chunk_base64: part,
    };
    socket.send(frame('client_message_chunk', client, 's', 3, chunk));
    socket.send(frame('client_closed', client, 's', 4, {}));
    socket.ping('x'.repeat(100));
  }
}
