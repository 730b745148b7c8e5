import * as v from 'valibot';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Origin } from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import { JsonRpcError, MethodTable } from '../../src/session/methods.js';
import { FIRST_BESIDE_OTHERS } from '../../src/session/server-requests.js';
import { ClientSession, MAX_QUEUED_REQUESTS } from '../../src/session/session.js';
import { FakeAppServer, settle } from '../support/fake-app-server.js';

type Json = Record<string, unknown>;
const CLIENT_INFO = { name: 'tester', version: '1' };
const initialize = (params: unknown = { clientInfo: CLIENT_INFO }, id: number | string = 0) => ({
  id,
  method: 'initialize',
  params,
});

class Side {
  readonly appServer = new FakeAppServer();
  readonly methods = new MethodTable();
  readonly sent: string[] = [];
  readonly blocked: boolean[] = [];
  readonly held: boolean[] = [];
  readonly closed: (Failure | null)[] = [];
  readonly initialized: ClientSession[] = [];
  readonly ended: ClientSession[] = [];
  readonly refused: string[] = [];
  session: ClientSession;

  /** @param alone The app server asks clients nothing. */
  constructor(origin: Origin = 'remote', alone = false) {
    this.methods.add('own/now', v.looseObject({}), () => 'now');
    this.methods.add('own/later', v.looseObject({}), async () => 'later');
    this.methods.add('own/strict', v.object({ n: v.number() }), ({ n }) => n);
    this.methods.add('own/fails', v.looseObject({}), () => {
      throw new JsonRpcError(-32099, 'it failed', { reason: 'linkLost' });
    });
    this.methods.add('own/breaks', v.looseObject({}), async () => {
      throw new Error('broken inside');
    });
    this.methods.add('own/experimental', v.looseObject({}), () => 'shown', { experimental: true });
    const transport = {
      send: (text: string) => this.sent.push(text),
      onInitialized: (session: ClientSession) => this.initialized.push(session),
      onEnded: (session: ClientSession) => this.ended.push(session),
      onSessionClosed: (failure: Failure | null) => this.closed.push(failure),
      onBlocked: (blocked: boolean) => this.blocked.push(blocked),
      onHeld: (held: boolean) => this.held.push(held),
    };
    this.session = new ClientSession({ origin, connectionId: 'one' }, transport, {
      appServer: alone
        ? {
            name: 'alone',
            sendsNoRequests: true,
            open: this.appServer.open.bind(this.appServer),
            close: async () => {},
          }
        : this.appServer,
      methods: this.methods,
      policy: (method) => (this.refused.includes(method) ? `${method} is not for you` : null),
    });
  }

  async open(): Promise<this> {
    await this.session.open(new AbortController().signal);
    return this;
  }

  async ready(params: unknown = { clientInfo: CLIENT_INFO }): Promise<this> {
    await this.open();
    this.say(initialize(params));
    this.sent.length = 0;
    return this;
  }

  say(message: unknown): boolean {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    const parsed = Message.fromText(text);
    if (parsed === undefined) throw new Error(`no JSON: ${text}`);
    return this.session.receive(parsed);
  }

  get answers(): Json[] {
    return this.sent.map((text) => JSON.parse(text) as Json);
  }

  /** The error that the last answer is. */
  get error(): Json | undefined {
    return this.answers.at(-1)?.error as Json | undefined;
  }
}

let side: Side;
beforeEach(() => {
  side = new Side();
});

describe('initialize', () => {
  it('WSA-22, ACC-3: a request before it is answered Not initialized; a notification is dropped', async () => {
    await side.open();
    side.say({ id: 'a', method: 'own/now' });
    side.say({ id: 7, method: 'thread/list' });
    side.say({ method: 'initialized' });
    side.say({ id: 1, result: {} });
    expect(side.answers).toEqual([
      { id: 'a', error: { code: -32600, message: 'Not initialized' } },
      { id: 7, error: { code: -32600, message: 'Not initialized' } },
    ]);
    expect(side.appServer.last.received).toEqual([]);
  });

  it('WSA-22, ACC-4: it counts once; a second one is answered Already initialized and changes nothing', async () => {
    await side.ready();
    side.say(
      initialize(
        { clientInfo: { name: 'other', version: '2' }, capabilities: { experimentalApi: true } },
        'again',
      ),
    );
    expect(side.answers).toEqual([{ id: 'again', error: { code: -32600, message: 'Already initialized' } }]);
    expect(side.session.clientName).toBe('tester');
    expect(side.session.experimental).toBe(false);
    expect(side.initialized).toEqual([side.session]);
  });

  it.each([
    ['no params', null],
    ['no clientInfo', {}],
    ['no version', { clientInfo: { name: 'x' } }],
    ['a name that is none', { clientInfo: { name: 5, version: '1' } }],
    ['capabilities of the wrong type', { clientInfo: CLIENT_INFO, capabilities: 'all' }],
    [
      'opt-outs of the wrong type',
      { clientInfo: CLIENT_INFO, capabilities: { optOutNotificationMethods: 'x' } },
    ],
  ])('ACC-4, ACC-7: %s is answered Invalid request, and does not count', async (_what, params) => {
    await side.open();
    side.say(initialize(params));
    expect(side.error).toMatchObject({ code: -32600, message: expect.stringMatching(/^Invalid request: /) });
    expect(side.appServer.last.received).toEqual([]);
    side.say(initialize());
    expect(side.session.initialized).toBe(true);
  });

  it('ACC-4: title, capabilities and their members may be null or left out', async () => {
    for (const params of [
      { clientInfo: { ...CLIENT_INFO, title: null }, capabilities: null },
      { clientInfo: CLIENT_INFO, capabilities: { optOutNotificationMethods: null } },
      { clientInfo: CLIENT_INFO, capabilities: {}, more: 1 },
    ]) {
      expect((await new Side().ready(params)).session.initialized).toBe(true);
    }
  });

  it('ACC-4: one that the app server refuses does not count; the next one may', async () => {
    side.appServer.answersInitialize = false;
    await side.open();
    side.say(initialize());
    side.say({ id: 1, method: 'own/now' });
    side.appServer.last.say({ id: 0, error: { code: -32600, message: 'not like this' } });
    expect(side.session.initialized).toBe(false);
    expect(side.answers).toEqual([
      { id: 0, error: { code: -32600, message: 'not like this' } },
      { id: 1, error: { code: -32600, message: 'Not initialized' } },
    ]);
    side.say(initialize());
    side.appServer.last.say({ id: 0, result: {} });
    expect(side.session.initialized).toBe(true);
  });

  it('RC-42: whoever waits for it is told after the answer was sent, and before anything that waited behind it', async () => {
    side.appServer.answersInitialize = false;
    await side.open();
    side.say(initialize());
    side.say({ id: 1, method: 'own/now' });
    expect(side.sent).toEqual([]);
    side.appServer.last.say({ method: 'early/notice' });
    side.appServer.last.say({ id: 0, result: {} });
    side.session.notify('remoteControl/status/changed', {});
    expect(side.answers.map((answer) => answer.method ?? answer.id)).toEqual([
      'early/notice',
      0,
      1,
      'remoteControl/status/changed',
    ]);
  });
});

describe('who answers', () => {
  it('the engine its own methods, the app server everything else, untouched and in order', async () => {
    await side.ready();
    const text = '{ "method":"thread/list", "id":"x",  "params":[1.0] }';
    side.say({ id: 1, method: 'own/now' });
    side.say(text);
    side.say({ method: 'note' });
    side.say({ id: 'theirs', result: 1 });
    expect(side.answers).toEqual([{ id: 1, result: 'now' }]);
    expect(side.appServer.last.received.slice(1)).toEqual([
      text,
      '{"method":"note"}',
      '{"id":"theirs","result":1}',
    ]);
  });

  it('own methods that take time are answered when they are done; the rest does not wait', async () => {
    await side.ready();
    side.say({ id: 1, method: 'own/later' });
    side.say({ id: 2, method: 'own/now' });
    await settle();
    expect(side.answers).toEqual([
      { id: 2, result: 'now' },
      { id: 1, result: 'later' },
    ]);
  });

  it('ACC-7: wrong params are answered Invalid request; absent and null ones count as none', async () => {
    await side.ready();
    side.say({ id: 1, method: 'own/strict', params: { n: 'one' } });
    expect(side.error).toMatchObject({
      code: -32600,
      message: expect.stringMatching(/^Invalid request: .*n/),
    });
    side.say({ id: 2, method: 'own/strict' });
    expect(side.error).toMatchObject({ code: -32600 });
    side.say({ id: 3, method: 'own/now', params: null });
    side.say({ id: 4, method: 'own/now' });
    expect(side.answers.slice(-2).map(({ result }) => result)).toEqual(['now', 'now']);
  });

  it('a fault of a method is answered with its code and data; one that nobody expected with its message', async () => {
    await side.ready();
    side.say({ id: 1, method: 'own/fails' });
    side.say({ id: 2, method: 'own/breaks' });
    await settle();
    expect(side.answers).toEqual([
      { id: 1, error: { code: -32099, message: 'it failed', data: { reason: 'linkLost' } } },
      { id: 2, error: { code: -32603, message: 'broken inside' } },
    ]);
  });

  it('ACC-9: experimental methods want the capability, but not from our own commands', async () => {
    await side.ready();
    side.say({ id: 1, method: 'own/experimental' });
    expect(side.error).toEqual({
      code: -32600,
      message: 'own/experimental requires experimentalApi capability',
    });
    const capable = await new Side().ready({
      clientInfo: CLIENT_INFO,
      capabilities: { experimentalApi: true },
    });
    const own = await new Side('control').ready();
    for (const one of [capable, own]) {
      one.say({ id: 1, method: 'own/experimental' });
      expect(one.answers.at(-1)).toEqual({ id: 1, result: 'shown' });
    }
  });

  it('WSA-7: what the policy refuses reaches neither engine nor app server', async () => {
    await side.ready();
    side.refused.push('own/now', 'thread/list');
    side.say({ id: 1, method: 'own/now' });
    side.say({ id: 2, method: 'thread/list' });
    expect(side.answers.map(({ error }) => (error as Json).code)).toEqual([-32003, -32003]);
    expect(side.error?.message).toBe('thread/list is not for you');
    expect(side.appServer.last.methods).toEqual(['initialize']);
  });

  it('ACC-6: JSON that is no message is skipped', async () => {
    await side.ready();
    for (const junk of [
      '[]',
      '5',
      '"x"',
      'null',
      '{}',
      '{"id":{}}',
      '{"id":null,"method":"x"}',
      '{"method":5,"id":1}',
    ]) {
      expect(side.say(junk)).toBe(true);
    }
    expect(side.sent).toEqual([]);
    expect(side.appServer.last.received).toHaveLength(1);
  });
});

describe('notifications', () => {
  it('WSA-23, ACC-10: those opted out of are left out, by exact name; nothing else is', async () => {
    await side.ready({
      clientInfo: CLIENT_INFO,
      capabilities: { optOutNotificationMethods: ['remoteControl/status/changed', 'unknown', 'own/now'] },
    });
    side.session.notify('remoteControl/status/changed', {});
    side.session.notify('remoteControl/status/changedToo', { n: 1 });
    side.say({ id: 1, method: 'own/now' });
    expect(side.answers).toEqual([
      { method: 'remoteControl/status/changedToo', params: { n: 1 }, emittedAtMs: expect.any(Number) },
      { id: 1, result: 'now' },
    ]);
  });

  it('ACC-2, ACC-3: they carry the time, and none comes before initialize or after the end', async () => {
    await side.open();
    side.session.notify('early', {});
    side.say(initialize());
    side.sent.length = 0;
    const before = Date.now();
    side.session.notify('now', null);
    const { emittedAtMs } = side.answers[0] as { emittedAtMs: number };
    expect(emittedAtMs).toBeGreaterThanOrEqual(before);
    side.session.close();
    side.session.notify('late', {});
    expect(side.answers.map(({ method }) => method)).toEqual(['now']);
  });
});

describe('what the app server may not say', () => {
  it.each([
    '{"method":"remoteControl/status/changed","params":{"status":"connected"}}',
    '{"params":{"pad":"x"},"method":"remoteControl\\/status\\/changed"}',
    ' { "method" : "remoteControl/anything" }',
  ])('a notification of remoteControl is the engine’s alone: %s goes nowhere', async (text) => {
    await side.ready();
    side.appServer.last.say(text);
    // Told by a command, it has been parsed already.
    side.appServer.last.tell(Message.parsed(JSON.parse(text), text));
    expect(side.sent).toEqual([]);
    const early = new Side();
    early.appServer.answersInitialize = false;
    await early.open();
    early.say(initialize());
    early.appServer.last.say(text);
    expect(early.sent).toEqual([]);
  });

  it.each([
    '{"method":"remoteControlled","params":{}}',
    '{"method":"item/delta","params":{"text":"remoteControl/status/changed","id":1}}',
    '{"method":"item/delta","params":{"method":"remoteControl/status/changed"}}',
    '{"id":1,"result":{"method":"remoteControl/status/changed"}}',
    '{"id":"q","method":"remoteControl/of/another","params":{}}',
  ])('what only looks like it passes untouched: %s', async (text) => {
    await side.ready();
    side.appServer.last.say(text);
    expect(side.sent).toEqual([text]);
  });

  it('text that is no JSON harms nobody, also before initialize is answered', async () => {
    side.appServer.answersInitialize = false;
    await side.open();
    side.say(initialize());
    for (const junk of [
      '',
      'remoteControl',
      '{"method":"remoteControl',
      '{"id":0,"result":',
      '{"id" "method"',
    ]) {
      side.appServer.last.say(junk);
    }
    expect(side.session.initialized).toBe(false);
    side.appServer.last.say({ id: 0, result: {} });
    expect(side.session.initialized).toBe(true);
  });
});

describe('requests of both sides to the client', () => {
  const LIMIT = 1_000;
  const lastId = () => Number(side.answers.at(-1)?.id);

  it('numbers meet nowhere: the app server counts from 0, the engine far above', async () => {
    await side.ready();
    side.appServer.last.say({ id: 0, method: 'theirs/ask', params: {} });
    const outcome = side.session.ask('ours/ask', {}, LIMIT);
    const id = lastId();
    expect(id).toBeGreaterThanOrEqual(FIRST_BESIDE_OTHERS);
    side.say({ id: 0, result: 'theirs' });
    expect(side.appServer.last.received.at(-1)).toBe('{"id":0,"result":"theirs"}');
    side.say({ id, result: 'ours' });
    expect(await outcome).toEqual({ kind: 'result', value: 'ours' });
    expect(side.appServer.last.received.at(-1)).not.toContain('ours');
  });

  it.each(['ours', 'theirs'])(
    'an id that the app server uses is left out, wherever it begins; each gets its own answer, %s first',
    async (first) => {
      await side.ready();
      const before = side.session.ask('ours/ask', {}, LIMIT);
      const next = lastId() + 1;
      side.say({ id: lastId(), result: null });
      await before;
      side.appServer.last.say(`{"method":"theirs/ask","params":{},"id":${next}}`);
      const outcome = side.session.ask('ours/ask', {}, LIMIT);
      expect(lastId()).toBe(next + 1);
      const answers = [
        { id: next + 1, result: 'ours' },
        { id: next, result: 'theirs' },
      ];
      for (const answer of first === 'ours' ? answers : answers.reverse()) side.say(answer);
      expect(await outcome).toEqual({ kind: 'result', value: 'ours' });
      expect(side.appServer.last.received.at(-1)).toBe(`{"id":${next},"result":"theirs"}`);
      // Answered, its number is free again.
      side.say({ id: next, result: 'twice' });
      expect(side.appServer.last.received.at(-1)).toContain('twice');
    },
  );

  it('WSA-29: a request of the app server with the id of ours waits for ours, and keeps what follows in order', async () => {
    await side.ready();
    const outcome = side.session.ask('ours/ask', {}, LIMIT);
    const id = lastId();
    side.sent.length = 0;
    side.appServer.last.say({ id, method: 'theirs/ask', params: {} });
    side.appServer.last.say({ method: 'item/delta', params: {} });
    expect(side.sent).toEqual([]);
    side.say({ id, error: { code: 5, message: 'no' } });
    expect(await outcome).toEqual({ kind: 'error', code: 5, message: 'no' });
    expect(side.answers.map(({ method }) => method)).toEqual(['theirs/ask', 'item/delta']);
    side.say({ id, result: 'theirs' });
    expect(side.appServer.last.received.at(-1)).toBe(`{"id":${id},"result":"theirs"}`);
  });

  it('ACC-45: a late answer to a request that was given up reaches nobody, least of all the app server', async () => {
    await side.ready();
    side.appServer.last.say({ id: 0, method: 'theirs/ask', params: {} });
    const outcome = side.session.ask('ours/ask', {}, 1);
    const id = lastId();
    expect(await outcome).toEqual({ kind: 'timeout' });
    const received = side.appServer.last.received.length;
    side.say({ id, result: { accessToken: 'a secret' } });
    expect(side.appServer.last.received).toHaveLength(received);
    side.say({ id: 0, result: 1 });
    expect(side.appServer.last.received).toHaveLength(received + 1);
  });

  it('ACC-11: where nobody else asks, the engine counts from 0', async () => {
    const alone = new Side('listener', true);
    await alone.ready();
    void alone.session.ask('ours/ask', {}, LIMIT);
    const first = Number(alone.answers.at(-1)?.id);
    expect(first).toBeLessThan(100);
    void alone.session.ask('ours/ask', {}, LIMIT);
    expect(alone.answers.at(-1)?.id).toBe(first + 1);
    alone.session.close();
  });
});

describe('waiting', () => {
  it('WSA-24: 128 requests may wait, one more is answered with an overload error, in the client’s own turn', async () => {
    await side.ready();
    side.appServer.last.full = true;
    side.say({ id: 'taken', method: 'thread/list' });
    expect(side.blocked).toEqual([true]);
    for (let id = 0; id < MAX_QUEUED_REQUESTS; id += 1) side.say({ id, method: 'thread/list' });
    expect(side.sent).toEqual([]);
    side.say({ id: 'over', method: 'thread/list' });
    side.say({ id: 'own', method: 'own/now' });
    // Notifications and responses wait instead.
    side.say({ method: 'note' });
    side.say({ id: 'theirs', result: 1 });
    expect(side.answers).toEqual(
      ['over', 'own'].map((id) => ({
        id,
        error: { code: -32001, message: 'Server overloaded; retry later.' },
      })),
    );
    side.appServer.last.drain();
    expect(side.blocked).toEqual([true, false]);
    expect(side.appServer.last.received.slice(2).map((text) => (JSON.parse(text) as Json).id)).toEqual([
      ...Array.from({ length: MAX_QUEUED_REQUESTS }, (_, id) => id),
      undefined,
      'theirs',
    ]);
  });

  it('WSA-24: own methods that take time are bounded, too', async () => {
    await side.ready();
    for (let id = 0; id <= MAX_QUEUED_REQUESTS; id += 1) side.say({ id, method: 'own/later' });
    expect(side.answers).toEqual([{ id: 128, error: { code: -32001, message: expect.any(String) } }]);
    await settle();
    expect(side.sent).toHaveLength(MAX_QUEUED_REQUESTS + 1);
  });

  it('too much text is refused, and the client is to be closed', async () => {
    await side.ready();
    side.appServer.last.full = true;
    const pad = 'x'.repeat(8 * 1024 * 1024);
    side.say({ method: 'note' });
    const taken = Array.from({ length: 5 }, () => side.say({ method: 'note', params: pad }));
    expect(taken).toEqual([true, true, true, false, false]);
  });

  it('a client that sends more than 4 MiB to an app server that takes nothing is not read from until all has gone on', async () => {
    await side.ready();
    side.appServer.last.full = true;
    side.say({ method: 'note' });
    const pad = 'x'.repeat(3 * 1024 * 1024);
    side.say({ method: 'note', params: pad });
    expect(side.held).toEqual([]);
    side.say({ method: 'note', params: pad });
    side.say({ method: 'note' });
    expect(side.held).toEqual([true]);
    // It takes one and is full again: that is no room yet.
    side.appServer.last.fullAfter = 1;
    side.appServer.last.drain();
    expect(side.held).toEqual([true]);
    side.appServer.last.drain();
    expect(side.held).toEqual([true, false]);
    side.session.close();
    expect(side.held).toEqual([true, false]);
  });

  it('nothing is read either from one whose app server is not there yet; with its end reading goes on', async () => {
    side.appServer.hold();
    void side.open();
    side.say({ method: 'note', params: 'x'.repeat(5 * 1024 * 1024) });
    expect(side.held).toEqual([true]);
    side.session.close();
    expect(side.held).toEqual([true, false]);
  });

  it('a client that reads slowly pauses its own app server, also while that opens', async () => {
    await side.ready();
    side.session.pause();
    side.session.pause();
    expect(side.appServer.last.paused).toBe(true);
    side.session.resume();
    expect(side.appServer.last.paused).toBe(false);
    const other = new Side();
    other.appServer.hold();
    const opening = other.open();
    other.session.pause();
    other.appServer.letIn();
    await opening;
    expect(other.appServer.last.paused).toBe(true);
  });
});

describe('the end', () => {
  it('of the client closes the app-server connection, once; later answers go nowhere', async () => {
    await side.ready();
    side.say({ id: 1, method: 'own/later' });
    side.session.close();
    side.session.close();
    await settle();
    expect(side.appServer.last.closed).toBe(true);
    expect(side.ended).toEqual([side.session]);
    expect(side.sent).toEqual([]);
    expect(side.say({ id: 2, method: 'own/now' })).toBe(true);
    side.appServer.last.say({ method: 'late' });
    expect(side.sent).toEqual([]);
  });

  it('of the app server is told with its failure, once', async () => {
    await side.ready();
    const failure: Failure = { reason: 'appServerFailed', message: 'it crashed', at: 1 };
    side.appServer.last.end(failure);
    side.appServer.last.end(null);
    expect(side.closed).toEqual([failure]);
    expect(side.ended).toEqual([side.session]);
  });

  it('while the app server opens lets the connection go as soon as it is there', async () => {
    side.appServer.hold();
    const opening = side.open();
    side.session.close();
    side.appServer.letIn();
    await opening;
    expect(side.appServer.last.closed).toBe(true);
  });

  it('an app server that cannot be reached rejects the opening', async () => {
    side.appServer.failure = new Error('not there');
    await expect(side.open()).rejects.toThrow('not there');
  });
});
