import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { failure } from '../../../src/protocol/outcomes.js';
import { DEFAULT_TIMING } from '../../../src/protocol/timing.js';
import { settle } from '../../support/fake-app-server.js';
import { type Frame, INITIALIZE, MuxRig } from './mux-rig.js';

const ask = (id: number | string) => ({ id, method: 'thread/list', params: {} });
const DIED = failure('appServerClosed', 'The app server exited with code 9.', 1);
const CAUSE = 'The app server exited with code 9. Send initialize to start again.';
const error = (id: number | string, reason = 'appServerClosed', message: unknown = CAUSE) => ({
  id,
  error: { code: -32002, message, data: { reason } },
});

let rig: MuxRig;
beforeEach(() => {
  rig = new MuxRig();
});
afterEach(() => rig.end());

/** A stream with open requests, whose app server then dies. */
async function died(...open: number[]): Promise<void> {
  await rig.open('s1');
  open.forEach((id, at) => {
    rig.message('s1', at + 2, ask(id));
  });
  rig.appServer.last.end(DIED);
}

const answers = (stream = 's1') => rig.socket.messages(stream).slice(1);

describe('a stream that the engine ends', () => {
  it('RC-80: its open requests get the cause, and nothing follows', async () => {
    await died(1, 2);
    expect(answers()).toEqual([error(1), error(2)]);
    rig.appServer.last.say({ method: 'late' });
    expect(answers()).toHaveLength(2);
  });

  it('RC-80: so do those of an app server that cannot be reached', async () => {
    rig.appServer.failure = new Error('The app server x cannot be started.');
    rig.message('s1', 1, INITIALIZE);
    rig.message('s1', 2, ask(1));
    await settle();
    const cause = 'The app server x cannot be started. Send initialize to start again.';
    expect(rig.socket.messages('s1')).toEqual([
      error(0, 'appServerFailed', cause),
      error(1, 'appServerFailed', cause),
    ]);
  });

  it('RC-34, RC-80: so do those of an idle one', async () => {
    await rig.open('s1');
    rig.message('s1', 2, ask(1));
    for (let passed = 0; passed < DEFAULT_TIMING.clientIdle; passed += DEFAULT_TIMING.idleSweep) {
      rig.now += DEFAULT_TIMING.idleSweep;
      rig.mux.sweepIdle();
    }
    expect(answers()).toEqual([error(1, 'clientIdle', expect.stringMatching(/no message and no ping/))]);
  });

  it('RC-41, RC-80: so do those that wait for a full app server, and the log names the client', async () => {
    await rig.open('s1');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    rig.appServer.last.full = true;
    for (const id of [1, 2, 3]) rig.message('s1', id + 1, ask(id));
    vi.advanceTimersByTime(DEFAULT_TIMING.clientStall);
    vi.useRealTimers();
    expect(answers()).toMatchObject(
      [1, 2, 3].map((id) => ({ id, error: { data: { reason: 'clientStalled' } } })),
    );
    expect(rig.skipped.at(-1)).toMatch(/^virtual client closed: .*"clientId":"c","streamId":"s1"/);
  });

  it('RC-36, RC-80: one that never reads gets errors for open requests and in place of long responses', async () => {
    await rig.open('s1');
    const { last } = rig.appServer;
    for (let id = 1; id <= 400; id += 1) rig.message('s1', id + 1, ask(id));
    const text = 'x'.repeat(1024 * 1024);
    for (let id = 1; id <= 128; id += 1) last.say({ id, result: 1 });
    for (let id = 129; id <= 250 && !last.closed; id += 1) last.say({ id, result: text });
    expect(last.closed).toBe(true);
    const got = new Map(answers().map((message) => [message.id, message]));
    for (let id = 129; id <= 400; id += 1) {
      expect(got.get(id)).toMatchObject({ error: { code: -32002, data: { reason: 'clientOverloaded' } } });
    }
  });

  it.each(['disabled', 'stopped'] as const)(
    'RC-43, RC-80: so do those of all streams when the reason is %s',
    async (reason) => {
      await rig.open('s1');
      await rig.open('s2');
      rig.message('s1', 2, ask(1));
      rig.message('s2', 2, ask(2));
      rig.mux.dropAll(reason);
      expect([...answers('s1'), ...answers('s2')]).toMatchObject(
        [1, 2].map((id) => ({ id, error: { code: -32002, data: { reason } } })),
      );
    },
  );

  it('RC-30, RC-34, RC-80: a controller that closes the stream or starts again gets none', async () => {
    await rig.open('s1');
    rig.message('s1', 2, ask(1));
    rig.frame({ type: 'client_closed', stream_id: 's1' });
    rig.message('s1', 3, ask(2));
    await rig.open('s2');
    rig.message('s2', 2, ask(1));
    rig.message('s2', 0, INITIALIZE);
    await settle();
    expect([answers('s1'), answers('s2')]).toEqual([[], [{ id: 0, result: { userAgent: 'fake' } }]]);
  });

  it('RC-81: the errors are sent once there is a link, until they are acknowledged', async () => {
    await rig.open('s1');
    rig.message('s1', 2, ask(1));
    rig.mux.detach(rig.socket);
    rig.appServer.last.end(DIED);
    rig.reconnect();
    expect(rig.socket.messages('s1')).toEqual([error(1)]);
    const { texts } = rig.socket;
    expect(rig.reconnect().texts).toEqual(texts);
    rig.ackAll('s1');
    expect(rig.reconnect().texts).toEqual([]);
  });

  it('RC-36, RC-81: they do not wait for acknowledgments', async () => {
    await rig.open('s1');
    rig.message('s1', 2, ask(1));
    for (let at = 0; at < 130; at += 1) rig.appServer.last.say({ method: 'note' });
    rig.appServer.last.end(DIED);
    expect(answers().at(-1)).toEqual(error(1));
  });

  it('RC-82: later requests on it get the same error, each once, and move the cursor; other messages do not', async () => {
    await died();
    const cursor = rig.message('s1', 9, ask(9));
    expect([answers(), rig.mux.cursor]).toEqual([[error(9)], cursor]);
    rig.message('s1', 9, ask(9));
    rig.message('s1', 3, ask(3));
    rig.message('s1', 10, { method: 'initialized' });
    rig.message('s1', 11, { id: 1, result: {} });
    expect([answers(), rig.mux.cursor]).toEqual([[error(9)], cursor]);
    const seqs = rig.socket.of('s1').map(({ seq_id }) => seq_id);
    expect(seqs).toEqual([1, 2]);
  });

  it('RC-82: so do those of a controller without stream ids, and large ones in chunks', async () => {
    rig.message(undefined, 1, INITIALIZE);
    await settle();
    rig.appServer.last.end(DIED);
    const stream = String(rig.socket.frames[0]?.stream_id);
    rig.message(undefined, 2, ask(2));
    expect(answers(stream)).toEqual([error(2)]);
    await died();
    for (const frame of rig.chunks('s1', 5, JSON.stringify({ ...ask(5), pad: 'x'.repeat(300_000) })))
      rig.frame(frame);
    expect(answers()).toEqual([error(5)]);
  });

  it('RC-82: a ping on it gets unknown, and a new initialize works at once, with further seq ids', async () => {
    await died(1);
    rig.frame({ type: 'ping', stream_id: 's1' });
    rig.message('s1', 0, INITIALIZE);
    await settle();
    rig.message('s1', 1, ask(7));
    rig.appServer.last.say({ id: 7, result: {} });
    const frames: Frame[] = rig.socket.of('s1');
    expect(frames.map(({ type, seq_id, status }) => [type, seq_id, status])).toEqual([
      ['server_message', 1, undefined],
      ['server_message', 2, undefined],
      ['pong', 3, 'unknown'],
      ['server_message', 4, undefined],
      ['server_message', 5, undefined],
    ]);
  });

  it('RC-82: one that its controller closes afterwards is unknown again', async () => {
    await died();
    rig.frame({ type: 'client_closed', stream_id: 's1' });
    rig.message('s1', 9, ask(9));
    expect(answers()).toEqual([]);
  });

  it('RC-82: nothing is answered while the backend does not read', async () => {
    await died();
    rig.socket.bufferedAmount = 5 * 1024 * 1024;
    rig.message('s1', 9, ask(9));
    expect(answers()).toEqual([]);
    rig.socket.bufferedAmount = 0;
    rig.message('s1', 9, ask(9));
    expect(answers()).toEqual([error(9)]);
  });

  it('RC-81: 400 ended streams that nobody acknowledges do not grow without limit', async () => {
    for (let at = 0; at < 400; at += 1) {
      const stream = `s${at}`;
      rig.message(stream, 1, INITIALIZE);
      await settle();
      rig.message(stream, 2, ask(1));
      rig.appServer.last.end(DIED);
    }
    const again = rig.reconnect();
    expect(again.texts.length).toBe(2 * 256);
  });
});

describe('a second initialize', () => {
  it('RC-83: is refused while the first has no response; the same frame again is not', async () => {
    rig.appServer.hold();
    rig.message('s1', 1, INITIALIZE);
    rig.message('s1', 1, INITIALIZE);
    rig.message('s1', 2, { ...INITIALIZE, id: 5 });
    expect(rig.socket.messages('s1')).toMatchObject([{ id: 5, error: { code: -32600 } }]);
    rig.appServer.letIn();
    await settle();
    expect(rig.socket.messages('s1').slice(1)).toEqual([{ id: 0, result: { userAgent: 'fake' } }]);
    expect(rig.appServer.connections).toHaveLength(1);
    rig.message('s1', 3, { ...INITIALIZE, id: 6 });
    await settle();
    expect(rig.socket.messages('s1').at(-1)).toEqual({ id: 6, result: { userAgent: 'fake' } });
    expect(rig.appServer.connections).toHaveLength(2);
  });
});

describe('ids', () => {
  it('RC-84: an id beyond 2^53 is written digit by digit at the end of a stream and after it', async () => {
    await rig.open('s1');
    const send = (seq: number, id: string) =>
      rig.text(
        `{"type":"client_message","client_id":"c","stream_id":"s1","seq_id":${seq},"message":{"id":${id},"method":"x"}}`,
      );
    send(2, '9007199254740993');
    rig.appServer.last.end(DIED);
    send(3, '1e30');
    const ids = rig.socket.texts.map((text) => /"message":\{"id":([^,]+)/.exec(text)?.[1]);
    expect(ids).toEqual(['0', '9007199254740993', '1e30']);
  });
});
