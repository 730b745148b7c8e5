import * as v from 'valibot';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Origin } from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import { failure } from '../../src/protocol/outcomes.js';
import { endCause } from '../../src/session/end-cause.js';
import { JsonRpcError, MethodTable } from '../../src/session/methods.js';
import { OpenRequests } from '../../src/session/open-requests.js';
import { ALLOW_ALL } from '../../src/session/policy.js';
import { ClientSession } from '../../src/session/session.js';
import { FakeAppServer, type FakeConnection, settle } from '../support/fake-app-server.js';

const INITIALIZE = { method: 'initialize', params: { clientInfo: { name: 'tester', version: '1' } } };
const DIED = failure('appServerClosed', 'The app server exited with code 9.', 1);

class Rig {
  readonly appServer = new FakeAppServer();
  readonly sent: string[] = [];
  readonly events: string[] = [];
  readonly session: ClientSession;
  #finishLater = (_value: string): void => {};

  constructor(origin: Origin = 'listener') {
    const methods = new MethodTable<string>();
    methods.add('own/echo', v.looseObject({}), (params) => params);
    methods.add('own/fails', v.looseObject({}), () => {
      throw new JsonRpcError(-32099, 'it failed');
    });
    methods.add(
      'own/later',
      v.looseObject({}),
      () =>
        new Promise((resolve) => {
          this.#finishLater = resolve;
        }),
    );
    const transport = {
      send: (text: string) => this.sent.push(text),
      onEnding: () => this.events.push(`ending after ${this.sent.length}`),
      onInitialized: () => {},
      onEnded: () => this.events.push(`ended after ${this.sent.length}`),
      onAppServerClosed: () => this.events.push('app server closed'),
      onOverdue: () => {},
      onReadPaused: () => {},
    };
    this.session = new ClientSession({ origin, connectionId: 'one' }, transport, {
      appServer: this.appServer,
      methods,
      policy: ALLOW_ALL,
    });
  }

  say(message: object | string): void {
    this.session.receive(Message.from(typeof message === 'string' ? message : JSON.stringify(message)));
  }

  async open(): Promise<void> {
    await this.session.open();
  }

  async ready(): Promise<void> {
    await this.open();
    this.say({ id: 'init', ...INITIALIZE });
    this.sent.length = 0;
  }

  ask(...ids: (string | number)[]): void {
    for (const id of ids) this.say({ id, method: 'thread/list' });
  }

  finishLater(): void {
    this.#finishLater('late');
  }

  get app(): FakeConnection {
    return this.appServer.last;
  }

  get errors(): unknown[] {
    return this.sent.map((text) => JSON.parse(text));
  }
}

const unavailable = (id: string | number, step = 'Connect again.') => ({
  id,
  error: {
    code: -32002,
    message: `The app server exited with code 9. ${step}`,
    data: { reason: 'appServerClosed' },
  },
});

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});

describe('when the engine ends a session', () => {
  it('RC-80: each open request gets the cause, in order, before the end is reported', async () => {
    await rig.ready();
    rig.ask(1, 'two', 3, 4);
    rig.app.say({ id: 3, result: {} });
    rig.sent.length = 0;
    rig.app.end(DIED);
    expect(rig.errors).toEqual([unavailable(1), unavailable('two'), unavailable(4)]);
    expect(rig.events).toEqual(['ending after 0', 'ended after 3', 'app server closed']);
  });

  it('RC-80: 500 open requests get one error each', async () => {
    await rig.ready();
    const ids = Array.from({ length: 500 }, (_, at) => at);
    rig.ask(...ids);
    rig.app.end(DIED);
    expect(rig.errors).toEqual(ids.map((id) => unavailable(id)));
  });

  it('RC-80: so does initialize, while the app server has it and while it is being opened', async () => {
    await rig.open();
    rig.appServer.answersInitialize = false;
    rig.say({ id: 'init', ...INITIALIZE });
    rig.ask(7);
    rig.app.end(DIED);
    expect(rig.errors).toEqual([unavailable('init'), unavailable(7)]);

    const other = new Rig('remote');
    other.appServer.hold();
    void other.open();
    other.say({ id: 'init', ...INITIALIZE });
    other.ask(8);
    other.session.end(endCause('remote', DIED.reason, DIED.message));
    const step = 'Send initialize to start again.';
    expect(other.errors).toEqual([unavailable('init', step), unavailable(8, step)]);
  });

  it('RC-80: so does one that waits because the app server is full, or because the client reads slowly', async () => {
    await rig.ready();
    rig.app.full = true;
    rig.ask(1, 2, 3);
    expect(rig.app.methods).toEqual(['initialize', 'thread/list']);
    rig.app.end(DIED);
    expect(rig.errors).toEqual([1, 2, 3].map((id) => unavailable(id)));

    const slow = new Rig();
    await slow.ready();
    slow.session.pause();
    slow.ask(1);
    slow.session.end(endCause('listener', 'clientStalled', null));
    expect(slow.errors).toMatchObject([{ id: 1, error: { data: { reason: 'clientStalled' } } }]);
  });

  it('RC-80: so does a call of an engine method that takes time; its own result is not sent', async () => {
    await rig.ready();
    rig.say({ id: 5, method: 'own/later' });
    rig.session.end(endCause('listener', 'stopped', 'the engine stops'));
    rig.finishLater();
    await settle();
    expect(rig.errors).toEqual([
      {
        id: 5,
        error: {
          code: -32002,
          message: 'The engine stops. Connect again.',
          data: { reason: 'stopped' },
        },
      },
    ]);
  });

  it('RC-80: a client that has gone or starts again gets nothing', async () => {
    await rig.ready();
    rig.ask(1);
    rig.session.close();
    rig.session.end(endCause('listener', 'stopped', null));
    expect([rig.sent, rig.events]).toEqual([[], ['ended after 0']]);
  });

  it('RC-80: with jsonrpc in the messages of the client the errors have it, too', async () => {
    await rig.open();
    rig.say({ jsonrpc: '2.0', id: 'init', ...INITIALIZE });
    rig.ask(1);
    rig.sent.length = 0;
    rig.app.end(DIED);
    expect(rig.errors).toEqual([{ jsonrpc: '2.0', ...unavailable(1) }]);
  });
});

describe('a second initialize', () => {
  it('RC-83: is refused at once while the first has no response, and changes nothing', async () => {
    rig.appServer.hold();
    rig.appServer.answersInitialize = false;
    const opening = rig.open();
    rig.say({ id: 'first', ...INITIALIZE });
    rig.say({ id: 'second', ...INITIALIZE });
    rig.appServer.letIn();
    await opening;
    rig.say({ id: 'third', ...INITIALIZE });
    expect(rig.errors).toMatchObject(
      ['second', 'third'].map((id) => ({ id, error: { code: -32600, message: /^Already initializing/ } })),
    );
    rig.app.say({ id: 'first', result: {} });
    expect(rig.session.initialized).toBe(true);
    expect(rig.app.methods).toEqual(['initialize']);
  });
});

describe('ids', () => {
  const IDS = [
    ...['9007199254740993', '-9007199254740993', '18446744073709551616', '1e30', '1E+2', '-0', '0.1', '1.0'],
    ...['123456789012345678901234567890', '1e400', '0', '-1', '"9007199254740993"', '"a\\u0062"', '""'],
  ];

  it.each(IDS)(
    'RC-84: %s is as it was in results and errors of the engine, and in those at the end',
    async (id) => {
      await rig.ready();
      const value = JSON.stringify(JSON.parse(id));
      const written = id.startsWith('"') ? value : id;
      rig.say(`{"id":${id},"method":"own/echo","params":{"n":1}}`);
      rig.say(`{"id":${id},"method":"own/fails"}`);
      rig.say(`{"id":${id},"method":"initialize","params":{}}`);
      rig.say(`{"id":${id},"method":"own/later"}`);
      rig.finishLater();
      await settle();
      rig.say(`{"id":${id},"method":"thread/list"}`);
      expect(rig.app.received.at(-1)).toBe(`{"id":${id},"method":"thread/list"}`);
      rig.app.end(DIED);
      expect(rig.sent.map((text) => text.slice(0, `{"id":${written},`.length))).toEqual(
        Array.from({ length: 5 }, () => `{"id":${written},`),
      );
      for (const text of rig.sent) JSON.parse(text);
    },
  );

  it.each(IDS)(
    'RC-84: initialize with the id %s is answered by an app server that reads and writes numbers as doubles',
    async (id) => {
      await rig.open();
      rig.appServer.answersInitialize = false;
      rig.say(`{"id":${id},"method":"initialize","params":${JSON.stringify(INITIALIZE.params)}}`);
      const rounded = JSON.stringify(JSON.parse(id));
      rig.app.say(`{"id":${rounded === 'null' ? id : rounded},"result":{}}`);
      expect(rig.session.initialized).toBe(true);
      rig.app.end(DIED);
      expect(rig.sent).toHaveLength(1);
    },
  );

  it('RC-84: requests of the app server and their responses pass with their ids', async () => {
    await rig.ready();
    for (const id of ['9007199254740993', '9007199254740992', '1e30']) {
      const request = `{"id":${id},"method":"item/approve"}`;
      rig.app.say(request);
      expect(rig.sent.at(-1)).toBe(request);
      const response = `{"id":${id},"result":{}}`;
      rig.say(response);
      expect(rig.app.received.at(-1)).toBe(response);
    }
  });

  it('RC-84: two ids that a double cannot tell apart are two requests', async () => {
    await rig.ready();
    for (const id of ['9007199254740992', '9007199254740993']) rig.say(`{"id":${id},"method":"thread/list"}`);
    rig.app.say('{"id":9007199254740993,"result":{}}');
    rig.sent.length = 0;
    rig.app.end(DIED);
    expect(rig.sent.map((text) => /"id":(\d+)/.exec(text)?.[1])).toEqual(['9007199254740992']);
  });
});

describe('open requests', () => {
  it('RC-80: of more than 4,096 the oldest are forgotten, and so are ids of more than 256 Ki characters together', () => {
    const many = new OpenRequests();
    for (let id = 0; id < 5_000; id += 1) many.add(id, 10);
    expect([many.ids.length, many.ids[0]]).toEqual([4_096, 904]);
    const long = new OpenRequests();
    for (let at = 0; at < 10; at += 1) long.add(`${at}${'x'.repeat(100_000)}`, 100_100);
    expect(long.ids.map((id) => String(id)[0])).toEqual(['8', '9']);
    for (const id of long.ids) long.delete(id);
    expect(long.ids).toEqual([]);
  });
});
