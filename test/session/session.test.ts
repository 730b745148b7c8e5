import * as v from 'valibot';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Origin } from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import { authorityOf } from '../../src/session/authority-table.js';
import { MAX_QUEUED_REQUESTS } from '../../src/session/message-queue.js';
import { JsonRpcError, MethodTable } from '../../src/session/methods.js';
import { FIRST_SHARED_ID } from '../../src/session/server-requests.js';
import { ClientSession } from '../../src/session/session.js';
import { FakeAppServer, settle } from '../support/fake-app-server.js';

type Json = Record<string, unknown>;
const CLIENT_INFO = { name: 'tester', version: '1' };
const initialize = (params: unknown = { clientInfo: CLIENT_INFO }, id: number | string = 0) => ({
  id,
  method: 'initialize',
  params,
});

class SessionRig {
  readonly appServer = new FakeAppServer();
  readonly methods = new MethodTable<string>();
  readonly sent: string[] = [];
  readonly overdue: string[] = [];
  readonly readPaused: boolean[] = [];
  readonly closed: (Failure | null)[] = [];
  readonly initialized: ClientSession[] = [];
  readonly ended: ClientSession[] = [];
  readonly refused: string[] = [];
  session: ClientSession;

  /** @param exclusive The app server sends no requests. */
  constructor(origin: Origin = 'remote', exclusive = false, degraded = false) {
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
      onAppServerClosed: (failure: Failure | null) => this.closed.push(failure),
      onOverdue: (reason: string) => this.overdue.push(reason),
      onReadPaused: (paused: boolean) => this.readPaused.push(paused),
    };
    this.session = new ClientSession({ origin, connectionId: 'one', degraded }, transport, {
      appServer: exclusive
        ? {
            name: 'exclusive',
            sendsNoRequests: true,
            open: this.appServer.open.bind(this.appServer),
            close: async () => {},
          }
        : this.appServer,
      methods: this.methods,
      policy: Object.assign(
        (method: string | null) =>
          method !== null && this.refused.includes(method) ? `${method} is not for you` : null,
        { authorityOf },
      ),
    });
  }

  async open(): Promise<this> {
    await this.session.open();
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
    const parsed = Message.from(text);
    if (parsed === undefined) throw new Error(`not JSON: ${text}`);
    return this.session.receive(parsed);
  }

  get responses(): Json[] {
    return this.sent.map((text) => JSON.parse(text) as Json);
  }

  /** The error of the last response. */
  get error(): Json | undefined {
    return this.responses.at(-1)?.error as Json | undefined;
  }
}

let rig: SessionRig;
beforeEach(() => {
  rig = new SessionRig();
});

describe('initialize', () => {
  it('WSA-22, ACC-3: before it a request gets Not initialized, and a notification is dropped', async () => {
    await rig.open();
    rig.say({ id: 'a', method: 'own/now' });
    rig.say({ id: 7, method: 'thread/list' });
    rig.say({ method: 'initialized' });
    rig.say({ id: 1, result: {} });
    expect(rig.responses).toEqual([
      { id: 'a', error: { code: -32600, message: 'Not initialized' } },
      { id: 7, error: { code: -32600, message: 'Not initialized' } },
    ]);
    expect(rig.appServer.last.received).toEqual([]);
  });

  it('WSA-22, ACC-4: a second one gets Already initialized and changes nothing', async () => {
    await rig.ready();
    rig.say(
      initialize(
        { clientInfo: { name: 'other', version: '2' }, capabilities: { experimentalApi: true } },
        'again',
      ),
    );
    expect(rig.responses).toEqual([{ id: 'again', error: { code: -32600, message: 'Already initialized' } }]);
    expect(rig.session.clientName).toBe('tester');
    expect(rig.session.experimental).toBe(false);
    expect(rig.initialized).toEqual([rig.session]);
  });

  it.each([
    ['no params', null],
    ['no clientInfo', {}],
    ['no version', { clientInfo: { name: 'x' } }],
    ['a name that is not a string', { clientInfo: { name: 5, version: '1' } }],
    ['capabilities of the wrong type', { clientInfo: CLIENT_INFO, capabilities: 'all' }],
    [
      'opt-outs of the wrong type',
      { clientInfo: CLIENT_INFO, capabilities: { optOutNotificationMethods: 'x' } },
    ],
  ])('ACC-4, ACC-7: %s: gets Invalid request, and the client may try again', async (_what, params) => {
    await rig.open();
    rig.say(initialize(params));
    expect(rig.error).toMatchObject({ code: -32600, message: expect.stringMatching(/^Invalid request: /) });
    expect(rig.appServer.last.received).toEqual([]);
    rig.say(initialize());
    expect(rig.session.initialized).toBe(true);
  });

  it('ACC-4: title, capabilities and their members may be null or missing', async () => {
    for (const params of [
      { clientInfo: { ...CLIENT_INFO, title: null }, capabilities: null },
      { clientInfo: CLIENT_INFO, capabilities: { optOutNotificationMethods: null } },
      { clientInfo: CLIENT_INFO, capabilities: {}, more: 1 },
    ]) {
      expect((await new SessionRig().ready(params)).session.initialized).toBe(true);
    }
  });

  it('ACC-4: after an error of the app server the client may try again', async () => {
    rig.appServer.answersInitialize = false;
    await rig.open();
    rig.say(initialize());
    rig.say({ id: 1, method: 'own/now' });
    rig.appServer.last.say({ id: 0, error: { code: -32600, message: 'not like this' } });
    expect(rig.session.initialized).toBe(false);
    expect(rig.responses).toEqual([
      { id: 0, error: { code: -32600, message: 'not like this' } },
      { id: 1, error: { code: -32600, message: 'Not initialized' } },
    ]);
    rig.say(initialize());
    rig.appServer.last.say({ id: 0, result: {} });
    expect(rig.session.initialized).toBe(true);
  });

  it('RC-42: its end is reported after the response was sent, and before the messages that waited for it are handled', async () => {
    rig.appServer.answersInitialize = false;
    await rig.open();
    rig.say(initialize());
    rig.say({ id: 1, method: 'own/now' });
    expect(rig.sent).toEqual([]);
    rig.appServer.last.say({ method: 'early/notice' });
    rig.appServer.last.say({ id: 0, result: {} });
    rig.session.notify('remoteControl/status/changed', {});
    expect(rig.responses.map(({ method, id }) => method ?? id)).toEqual([
      'early/notice',
      0,
      1,
      'remoteControl/status/changed',
    ]);
  });
});

describe('routing', () => {
  it('the engine handles its methods, and the app server gets all other messages unchanged and in order', async () => {
    await rig.ready();
    const text = '{ "method":"thread/list", "id":"x",  "params":[1.0] }';
    rig.say({ id: 1, method: 'own/now' });
    rig.say(text);
    rig.say({ method: 'note' });
    rig.say({ id: 'theirs', result: 1 });
    expect(rig.responses).toEqual([{ id: 1, result: 'now' }]);
    expect(rig.appServer.last.received.slice(1)).toEqual([
      text,
      '{"method":"note"}',
      '{"id":"theirs","result":1}',
    ]);
  });

  it('an engine method that takes time does not delay other messages', async () => {
    await rig.ready();
    rig.say({ id: 1, method: 'own/later' });
    rig.say({ id: 2, method: 'own/now' });
    await settle();
    expect(rig.responses).toEqual([
      { id: 2, result: 'now' },
      { id: 1, result: 'later' },
    ]);
  });

  it('ACC-7: invalid params get Invalid request; missing and null params count as empty', async () => {
    await rig.ready();
    rig.say({ id: 1, method: 'own/strict', params: { n: 'one' } });
    expect(rig.error).toMatchObject({
      code: -32600,
      message: expect.stringMatching(/^Invalid request: .*n/),
    });
    rig.say({ id: 2, method: 'own/strict' });
    expect(rig.error).toMatchObject({ code: -32600 });
    rig.say({ id: 3, method: 'own/now', params: null });
    rig.say({ id: 4, method: 'own/now' });
    expect(rig.responses.slice(-2).map(({ result }) => result)).toEqual(['now', 'now']);
  });

  it('a JsonRpcError of a method becomes its code and data; any other error becomes -32603 with its message', async () => {
    await rig.ready();
    rig.say({ id: 1, method: 'own/fails' });
    rig.say({ id: 2, method: 'own/breaks' });
    await settle();
    expect(rig.responses).toEqual([
      { id: 1, error: { code: -32099, message: 'it failed', data: { reason: 'linkLost' } } },
      { id: 2, error: { code: -32603, message: 'broken inside' } },
    ]);
  });

  it('ACC-9: experimental methods need the capability, except over the control socket', async () => {
    await rig.ready();
    rig.say({ id: 1, method: 'own/experimental' });
    expect(rig.error).toEqual({
      code: -32600,
      message: 'own/experimental requires experimentalApi capability',
    });
    const capable = await new SessionRig().ready({
      clientInfo: CLIENT_INFO,
      capabilities: { experimentalApi: true },
    });
    const own = await new SessionRig('control').ready();
    for (const one of [capable, own]) {
      one.say({ id: 1, method: 'own/experimental' });
      expect(one.responses.at(-1)).toEqual({ id: 1, result: 'shown' });
    }
  });

  it('WSA-7: a refused call reaches neither the engine nor the app server', async () => {
    await rig.ready();
    rig.refused.push('own/now', 'thread/list');
    rig.say({ id: 1, method: 'own/now' });
    rig.say({ id: 2, method: 'thread/list' });
    expect(rig.responses.map(({ error }) => (error as Json).code)).toEqual([-32003, -32003]);
    expect(rig.error?.message).toBe('thread/list is not for you');
    expect(rig.appServer.last.methods).toEqual(['initialize']);
  });

  it('ACC-6: JSON that is not a message is skipped', async () => {
    await rig.ready();
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
      expect(rig.say(junk)).toBe(true);
    }
    expect(rig.sent).toEqual([]);
    expect(rig.appServer.last.received).toHaveLength(1);
  });
});

describe('notifications', () => {
  it('WSA-23, ACC-10: the client does not get those it opted out of, by exact name', async () => {
    await rig.ready({
      clientInfo: CLIENT_INFO,
      capabilities: { optOutNotificationMethods: ['remoteControl/status/changed', 'unknown', 'own/now'] },
    });
    rig.session.notify('remoteControl/status/changed', {});
    rig.session.notify('remoteControl/status/changedToo', { n: 1 });
    rig.say({ id: 1, method: 'own/now' });
    expect(rig.responses).toEqual([
      { method: 'remoteControl/status/changedToo', params: { n: 1 }, emittedAtMs: expect.any(Number) },
      { id: 1, result: 'now' },
    ]);
  });

  it('ACC-2, ACC-3: they carry the time, and none is sent before initialize or after the end', async () => {
    await rig.open();
    rig.session.notify('early', {});
    rig.say(initialize());
    rig.sent.length = 0;
    const before = Date.now();
    rig.session.notify('now', null);
    const { emittedAtMs } = rig.responses[0] as { emittedAtMs: number };
    expect(emittedAtMs).toBeGreaterThanOrEqual(before);
    rig.session.close();
    rig.session.notify('late', {});
    expect(rig.responses.map(({ method }) => method)).toEqual(['now']);
  });
});

describe('notifications that the app server may not send', () => {
  it.each([
    '{"method":"remoteControl/status/changed","params":{"status":"connected"}}',
    '{"params":{"pad":"x"},"method":"remoteControl\\/status\\/changed"}',
    ' { "method" : "remoteControl/anything" }',
  ])('only the engine sends remoteControl notifications: %s is dropped', async (text) => {
    await rig.ready();
    rig.appServer.last.say(text);
    // A message of a command has been parsed already.
    rig.appServer.last.tell(Message.from(text));
    expect(rig.sent).toEqual([]);
    const early = new SessionRig();
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
  ])('a message that only looks similar passes unchanged: %s', async (text) => {
    await rig.ready();
    rig.appServer.last.say(text);
    expect(rig.sent).toEqual([text]);
  });

  it('ACC-106: account/rateLimits/updated passes, but not to a connection without a token', async () => {
    const limits = { method: 'account/rateLimits/updated', params: { rateLimits: {} } };
    await rig.ready();
    rig.appServer.last.say(limits);
    expect(rig.responses).toEqual([limits]);
    const degraded = new SessionRig('listener', false, true);
    await degraded.ready();
    degraded.appServer.last.say(limits);
    degraded.appServer.last.say({ method: 'thread/started' });
    expect(degraded.responses).toEqual([{ method: 'thread/started' }]);
  });

  it('ACC-105: no client gets the request for new tokens of an app server, nor another request about the account', async () => {
    await rig.ready();
    for (const method of [
      'account/chatgptAuthTokens/refresh',
      'Account/chatgptAuthTokens/refresh',
      'account/new',
    ]) {
      rig.appServer.last.say({ id: 0, method, params: { reason: 'unauthorized' } });
    }
    rig.appServer.last.say({ id: 1, method: 'item/tool/requestUserInput', params: {} });
    expect(rig.responses.map(({ method }) => method)).toEqual(['item/tool/requestUserInput']);
  });

  it('text that is not JSON has no effect, also before the initialize response', async () => {
    rig.appServer.answersInitialize = false;
    await rig.open();
    rig.say(initialize());
    for (const junk of [
      '',
      'remoteControl',
      '{"method":"remoteControl',
      '{"id":0,"result":',
      '{"id" "method"',
    ]) {
      rig.appServer.last.say(junk);
    }
    expect(rig.session.initialized).toBe(false);
    rig.appServer.last.say({ id: 0, result: {} });
    expect(rig.session.initialized).toBe(true);
  });
});

describe('server-initiated requests', () => {
  const LIMIT = 1_000;
  const lastId = () => Number(rig.responses.at(-1)?.id);

  it('the ids of the engine are far above those of the app server, which start at 0', async () => {
    await rig.ready();
    rig.appServer.last.say({ id: 0, method: 'theirs/ask', params: {} });
    const outcome = rig.session.sendRequest('ours/ask', {}, LIMIT);
    const id = lastId();
    expect(id).toBeGreaterThanOrEqual(FIRST_SHARED_ID);
    rig.say({ id: 0, result: 'theirs' });
    expect(rig.appServer.last.received.at(-1)).toBe('{"id":0,"result":"theirs"}');
    rig.say({ id, result: 'ours' });
    expect(await outcome).toEqual({ kind: 'result', value: 'ours' });
    expect(rig.appServer.last.received.at(-1)).not.toContain('ours');
  });

  it.each(['ours', 'theirs'])(
    'the engine skips an id that the app server uses; each gets its own response, %s first',
    async (first) => {
      await rig.ready();
      const before = rig.session.sendRequest('ours/ask', {}, LIMIT);
      const next = lastId() + 1;
      rig.say({ id: lastId(), result: null });
      await before;
      rig.appServer.last.say(`{"method":"theirs/ask","params":{},"id":${next}}`);
      const outcome = rig.session.sendRequest('ours/ask', {}, LIMIT);
      expect(lastId()).toBe(next + 1);
      const responses = [
        { id: next + 1, result: 'ours' },
        { id: next, result: 'theirs' },
      ];
      for (const response of first === 'ours' ? responses : responses.reverse()) rig.say(response);
      expect(await outcome).toEqual({ kind: 'result', value: 'ours' });
      expect(rig.appServer.last.received.at(-1)).toBe(`{"id":${next},"result":"theirs"}`);
      // After its response the id is free again.
      rig.say({ id: next, result: 'twice' });
      expect(rig.appServer.last.received.at(-1)).toContain('twice');
    },
  );

  it('WSA-29: a request of the app server with the id of a pending one waits for its response, with all that follows in order', async () => {
    await rig.ready();
    const outcome = rig.session.sendRequest('ours/ask', {}, LIMIT);
    const id = lastId();
    rig.sent.length = 0;
    rig.appServer.last.say({ id, method: 'theirs/ask', params: {} });
    rig.appServer.last.say({ method: 'item/delta', params: {} });
    expect(rig.sent).toEqual([]);
    rig.say({ id, error: { code: 5, message: 'no' } });
    expect(await outcome).toEqual({ kind: 'error', code: 5, message: 'no' });
    expect(rig.responses.map(({ method }) => method)).toEqual(['theirs/ask', 'item/delta']);
    rig.say({ id, result: 'theirs' });
    expect(rig.appServer.last.received.at(-1)).toBe(`{"id":${id},"result":"theirs"}`);
  });

  it('ACC-45: a late response to a request that timed out is dropped and does not reach the app server', async () => {
    await rig.ready();
    rig.appServer.last.say({ id: 0, method: 'theirs/ask', params: {} });
    const outcome = rig.session.sendRequest('ours/ask', {}, 1);
    const id = lastId();
    expect(await outcome).toEqual({ kind: 'timeout' });
    const received = rig.appServer.last.received.length;
    rig.say({ id, result: { accessToken: 'a secret' } });
    expect(rig.appServer.last.received).toHaveLength(received);
    rig.say({ id: 0, result: 1 });
    expect(rig.appServer.last.received).toHaveLength(received + 1);
  });

  it('ACC-11: when the app server sends no requests, the ids start at 0', async () => {
    const exclusive = new SessionRig('listener', true);
    await exclusive.ready();
    void exclusive.session.sendRequest('ours/ask', {}, LIMIT);
    const first = Number(exclusive.responses.at(-1)?.id);
    expect(first).toBeLessThan(100);
    void exclusive.session.sendRequest('ours/ask', {}, LIMIT);
    expect(exclusive.responses.at(-1)?.id).toBe(first + 1);
    exclusive.session.close();
  });
});

describe('the queue', () => {
  it('WSA-24: 128 requests may wait; one more gets an overload error at once', async () => {
    await rig.ready();
    rig.appServer.last.full = true;
    rig.say({ id: 'taken', method: 'thread/list' });
    for (let id = 0; id < MAX_QUEUED_REQUESTS; id += 1) rig.say({ id, method: 'thread/list' });
    expect(rig.sent).toEqual([]);
    rig.say({ id: 'over', method: 'thread/list' });
    rig.say({ id: 'own', method: 'own/now' });
    // Notifications and responses still wait.
    rig.say({ method: 'note' });
    rig.say({ id: 'theirs', result: 1 });
    expect(rig.responses).toEqual(
      ['over', 'own'].map((id) => ({
        id,
        error: { code: -32001, message: 'Server overloaded; retry later.' },
      })),
    );
    rig.appServer.last.drain();
    expect(rig.appServer.last.received.slice(2).map((text) => (JSON.parse(text) as Json).id)).toEqual([
      ...Array.from({ length: MAX_QUEUED_REQUESTS }, (_, id) => id),
      undefined,
      'theirs',
    ]);
  });

  it('WSA-24: calls of engine methods that take time are limited too', async () => {
    await rig.ready();
    for (let id = 0; id <= MAX_QUEUED_REQUESTS; id += 1) rig.say({ id, method: 'own/later' });
    expect(rig.responses).toEqual([{ id: 128, error: { code: -32001, message: expect.any(String) } }]);
    await settle();
    expect(rig.sent).toHaveLength(MAX_QUEUED_REQUESTS + 1);
  });

  it('too much text is rejected, so that the client is closed', async () => {
    await rig.ready();
    rig.appServer.last.full = true;
    const pad = 'x'.repeat(8 * 1024 * 1024);
    rig.say({ method: 'note' });
    const taken = Array.from({ length: 5 }, () => rig.say({ method: 'note', params: pad }));
    // The longest one does not count: 24 MiB beside it fit, 32 MiB and what a message costs do not. RC-85
    expect(taken).toEqual([true, true, true, true, false]);
  });

  it('with more than 4 MiB waiting, reading from the client is paused until the queue is empty', async () => {
    await rig.ready();
    rig.appServer.last.full = true;
    rig.say({ method: 'note' });
    const pad = 'x'.repeat(3 * 1024 * 1024);
    rig.say({ method: 'note', params: pad });
    expect(rig.readPaused).toEqual([]);
    rig.say({ method: 'note', params: pad });
    rig.say({ method: 'note' });
    expect(rig.readPaused).toEqual([true]);
    // The app server accepts one message and is full again: reading stays paused.
    rig.appServer.last.fullAfter = 1;
    rig.appServer.last.drain();
    expect(rig.readPaused).toEqual([true]);
    rig.appServer.last.drain();
    expect(rig.readPaused).toEqual([true, false]);
    rig.session.close();
    expect(rig.readPaused).toEqual([true, false]);
  });

  it('reading is also paused while the app server opens, and resumes at the end of the session', async () => {
    rig.appServer.hold();
    void rig.open();
    rig.say({ method: 'note', params: 'x'.repeat(5 * 1024 * 1024) });
    expect(rig.readPaused).toEqual([true]);
    rig.session.close();
    expect(rig.readPaused).toEqual([true, false]);
  });

  it('a client that reads slowly pauses its own app server, also while that is opening', async () => {
    await rig.ready();
    rig.session.pause();
    rig.session.pause();
    expect(rig.appServer.last.paused).toBe(true);
    rig.session.resume();
    expect(rig.appServer.last.paused).toBe(false);
    const other = new SessionRig();
    other.appServer.hold();
    const opening = other.open();
    other.session.pause();
    other.appServer.letIn();
    await opening;
    expect(other.appServer.last.paused).toBe(true);
  });
});

describe('the end', () => {
  it('closing the session closes the app-server connection once; later responses are dropped', async () => {
    await rig.ready();
    rig.say({ id: 1, method: 'own/later' });
    rig.session.close();
    rig.session.close();
    await settle();
    expect(rig.appServer.last.closed).toBe(true);
    expect(rig.ended).toEqual([rig.session]);
    expect(rig.sent).toEqual([]);
    expect(rig.say({ id: 2, method: 'own/now' })).toBe(true);
    rig.appServer.last.say({ method: 'late' });
    expect(rig.sent).toEqual([]);
  });

  it('the end of the app server is reported once, with its failure', async () => {
    await rig.ready();
    const failure: Failure = { reason: 'appServerFailed', message: 'it crashed', at: 1 };
    rig.appServer.last.end(failure);
    rig.appServer.last.end(null);
    expect(rig.closed).toEqual([failure]);
    expect(rig.ended).toEqual([rig.session]);
  });

  it('closing while the app server opens closes its connection as soon as it is open', async () => {
    rig.appServer.hold();
    const opening = rig.open();
    rig.session.close();
    rig.appServer.letIn();
    await opening;
    expect(rig.appServer.last.closed).toBe(true);
  });

  it('an app server that cannot be reached is reported as closed, with the cause', async () => {
    rig.appServer.failure = new Error('not there');
    await rig.open();
    expect(rig.closed).toEqual([
      expect.objectContaining({ reason: 'appServerFailed', message: 'not there' }),
    ]);
  });
});
