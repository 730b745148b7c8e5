import { request } from 'node:http';
import { describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import type { ActorState, Entry } from '../../src/inspector/timeline.js';
import type { CliProcess } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';
import { findLeaks, place } from '../support/leaks.js';

interface Message {
  readonly type: string;
  readonly entries?: readonly Entry[];
  readonly base?: readonly ActorState[];
}

/** Does what a browser does: opens the page with the link, then the socket with the session. */
async function openPage(link: URL): Promise<{ page: string; session: string; socket: WebSocket }> {
  const text = await new Promise<string>((resolve, reject) => {
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
  const session = /name="session" content="([\w-]+)"/.exec(text)?.[1] ?? '';
  const socket = new WebSocket(`ws://${link.host}/timeline`, ['rc-inspector', session], {
    headers: { origin: link.origin },
  });
  // The page contains its session once, and nothing else that is secret.
  return { page: text.replace(session, ''), session, socket };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The messages of the inspector, as a page would receive them. */
class ReceivedTimeline {
  readonly frames: string[] = [];
  readonly entries: Entry[] = [];

  constructor(socket: WebSocket) {
    socket.on('message', (data) => {
      this.frames.push(String(data));
      this.entries.push(...((JSON.parse(String(data)) as Message).entries ?? []));
    });
  }

  hasActive(state: string): boolean {
    return this.entries.some(({ active }) => active.includes(state));
  }
}

/** Connects two local clients, one with the right token and one with a wrong token. Returns the connect URL. */
async function useLocalClients(engine: CliProcess, timeline: ReceivedTimeline): Promise<URL> {
  const listening = await engine.line(({ type }) => type === 'listening', 'connect URL');
  const connectUrl = new URL(String(listening.connectUrl));
  const client = new WebSocket(connectUrl);
  await new Promise((resolve) => client.once('open', resolve));
  client.send(
    JSON.stringify({
      id: 1,
      method: 'initialize',
      params: { clientInfo: { name: 'test', version: '1' }, capabilities: {} },
    }),
  );
  await until(
    () => timeline.entries.some(({ event }) => event === 'INITIALIZE.ACCEPTED'),
    'initialized client',
  );
  const wrongClient = new WebSocket(`${connectUrl.origin}/?token=wrong-TOKEN-given`);
  wrongClient.on('error', () => {});
  await until(() => timeline.hasActive('websocketAuth.rejected'), 'refused upgrade');
  const refusal = timeline.entries.find((entry) => entry.active.includes('websocketAuth.rejected'));
  expect(refusal).toMatchObject({ reason: 'invalidToken' });
  expect(refusal?.edges.map((edge) => edge.split(' ')[0])).toEqual(
    ['originCheck', 'requestCheck', 'admission', 'credential.mode', 'credential.queryTokenEnforced'].map(
      (id) => `websocketAuth.${id}`,
    ),
  );
  client.close();
  return connectUrl;
}

/** Calls a method through a paired controller. Returns the pairing code. */
async function useController(lab: Lab, timeline: ReceivedTimeline): Promise<string> {
  const pairing = JSON.parse((await lab.cli(['pair', '--home', lab.home, '--json'])).stdout) as {
    pairingCode: string;
  };
  await lab.cli([
    'call',
    '--base-url',
    await lab.baseUrl(),
    '--code',
    pairing.pairingCode,
    'engine/status/read',
  ]);
  await until(() => timeline.entries.some(({ born }) => born?.chart === 'virtualClient'), 'virtual client');
  return pairing.pairingCode;
}

/** Leads the engine through a refused account token, a refused server token and a lost identity. */
async function recover(lab: Lab, engine: CliProcess, timeline: ReceivedTimeline): Promise<void> {
  const backend = await lab.backend();
  backend.fault({ action: 'answer', fault: { route: 'refresh', answer: 'status', status: 401 } });
  backend.fault({ action: 'answer', fault: { route: 'socket', answer: 'status', status: 401 } });
  backend.fault({ action: 'dropSockets', side: 'server' });
  await until(() => timeline.hasActive('remoteControl.active.recoveringAuth'), 'recovery');
  await engine.until(() => engine.lines.at(-1)?.status === 'connected', 'connection');
  backend.fault({ action: 'forgetServers' });
  backend.fault({ action: 'dropSockets', side: 'server' });
  await until(() => timeline.hasActive('remoteControl.active.reenrolling'), 'new enrollment');
  await lab.reached({ status: 'connected' });
}

describe('the inspector of a running engine', () => {
  it('shows every chart, and none of the secrets in use', {
    timeout: 60_000,
  }, async ({ lab }) => {
    await lab.signIn();
    const engine = await lab.start(['--inspect', '--listen', 'ws://127.0.0.1:0', '--log-level', 'trace']);
    const found = await engine.line(({ type }) => type === 'inspector', 'link of the inspector');
    const link = new URL(String(found.url));
    const { page, session, socket } = await openPage(link);
    const timeline = new ReceivedTimeline(socket);
    await engine.connected();

    const connectUrl = await useLocalClients(engine, timeline);
    const pairingCode = await useController(lab, timeline);
    await recover(lab, engine, timeline);
    const shown = JSON.stringify([await lab.status(), await lab.ask('engine/audit/read')]);
    const closed = new Promise<[number, Buffer]>((resolve) =>
      socket.once('close', (code, why) => resolve([code, why])),
    );
    const { code, stdout, stderr } = await engine.stop();
    expect(code).toBe(0);
    expect((await closed)[0]).toBe(1001);

    // The timeline ends with the end of the engine.
    expect(timeline.hasActive('remoteControl.stopped')).toBe(true);
    const charts = new Set(timeline.entries.flatMap(({ born }) => born?.chart ?? []));
    expect([...charts].sort()).toEqual([
      'account',
      'authRecovery',
      'clientSession',
      'engine',
      'homeLock',
      'link',
      'listenerConnection',
      'pairing',
      'remoteControl',
      'tokenRenewal',
      'tokenSaving',
      'virtualClient',
      'websocketAuth',
    ]);
    const token = link.searchParams.get('token') ?? '';
    const ownSecrets = [token, session];
    const secrets = [
      ...lab.secrets,
      ...ownSecrets,
      pairingCode,
      connectUrl.searchParams.get('token') ?? '',
      'wrong-TOKEN-given',
    ];
    expect(
      findLeaks(secrets, [
        place('frames', timeline.frames.join('\n')),
        place('page', page),
        place('log', stderr),
        place('status and audit', shown),
      ]),
    ).toEqual([]);
    // The link is printed once, and its parts appear nowhere else.
    expect(stdout.split(token).length).toBe(2);
    expect(
      findLeaks(ownSecrets, [
        place('log', stderr),
        ...(await lab.places()).filter(({ name }) => !name.startsWith('stdout')),
      ]),
    ).toEqual([]);
  });

  it('the link is printed on stdout; with stdio:// it goes to stderr', async ({ lab }) => {
    await lab.signIn();
    const plain = await lab.start(['--inspect=0'], {}, false);
    await plain.until(
      () => /Inspector +http:\/\/127\.0\.0\.1:\d+\/\?token=\S{43}/.test(plain.stdout),
      'link',
    );
    await plain.stop();
    const piped = await lab.start(['--inspect', '--listen', 'stdio://'], {}, false);
    await piped.until(() => /Inspector +http:/.test(piped.stderr), 'link');
    expect(piped.stdout).not.toContain('Inspector');
  });

  it('without --inspect the engine opens no port and prints no link', async ({ lab }) => {
    const engine = await lab.connected();
    expect(engine.stdout).not.toContain('inspector');
  });
});
