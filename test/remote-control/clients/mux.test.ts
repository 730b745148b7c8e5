import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settle } from '../../support/fake-app-server.js';
import { checkLeftovers } from '../../support/leftovers.js';
import { INITIALIZE, MuxRig } from './mux-rig.js';

checkLeftovers();
let rig: MuxRig;
beforeEach(() => {
  rig = new MuxRig();
});
afterEach(() => rig.end());

const ask = (id: number) => ({ id, method: 'thread/list', params: {} });
const pong = (stream: string) => rig.socket.of(stream).findLast((frame) => frame.type === 'pong')?.status;

describe('virtual clients', () => {
  it('RC-30: initialize opens one, with one connection to the app server', async () => {
    await rig.open('s1');
    await rig.open('s2');
    expect(rig.appServer.connections).toHaveLength(2);
    expect(rig.mux.clients.map(({ streamId, state }) => [streamId, state])).toEqual([
      ['s1', 'initialized'],
      ['s2', 'initialized'],
    ]);
    expect(rig.socket.messages('s1')).toEqual([{ id: 0, result: { userAgent: 'fake' } }]);
  });

  it('RC-30: other messages for an unknown stream are ignored and do not move the cursor', async () => {
    rig.message('s1', 1, ask(1));
    rig.message('s1', 2, { method: 'initialized' });
    rig.message('s1', 3, { id: 1, result: {} });
    await settle();
    expect(rig.socket.texts).toEqual([]);
    expect(rig.appServer.connections).toEqual([]);
    expect(rig.mux.cursor).toBeUndefined();
  });

  it('RC-30, RC-32: initialize on an open stream closes and reopens it, whatever its seq id', async () => {
    await rig.open('s1', 7);
    const first = rig.appServer.last;
    rig.message('s1', 3, { ...INITIALIZE, id: 9 });
    await settle();
    expect(first.closed).toBe(true);
    expect(rig.appServer.connections).toHaveLength(2);
    expect(rig.socket.messages('s1').at(-1)).toEqual({ id: 9, result: { userAgent: 'fake' } });
    // The controller counts on from the seq id of its initialize.
    rig.message('s1', 4, ask(4));
    expect(rig.appServer.last.methods).toEqual(['initialize', 'thread/list']);
    expect(rig.reasons).toContain('closed: reinitialized');
  });

  it('RC-31: without a stream id, initialize makes one that later frames share', async () => {
    rig.frame({ type: 'ping' });
    expect(rig.socket.frames.at(-1)).toMatchObject({ type: 'pong', status: 'unknown' });
    rig.message(undefined, undefined, ask(1));
    expect(rig.appServer.connections).toEqual([]);

    rig.message(undefined, undefined, INITIALIZE);
    await settle();
    const [{ streamId } = { streamId: '' }] = rig.mux.clients;
    expect(streamId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    rig.message(undefined, undefined, ask(2));
    expect(rig.appServer.last.methods).toEqual(['initialize', 'thread/list']);
    rig.frame({ type: 'ping' });
    expect(pong(streamId)).toBe('active');
    rig.frame({ type: 'ack', seq_id: 99 });
    expect(rig.reconnect().texts).toEqual([]);
    rig.frame({ type: 'client_closed' });
    expect(rig.mux.clients).toEqual([]);
    rig.frame({ type: 'ping' });
    expect(rig.socket.frames.at(-1)).toMatchObject({ type: 'pong', status: 'unknown' });
  });

  it('RC-30, RC-31: a controller without a stream id may initialize again, too', async () => {
    rig.message(undefined, undefined, INITIALIZE);
    await settle();
    rig.message(undefined, undefined, { ...INITIALIZE, id: 5 });
    await settle();
    rig.message(undefined, undefined, ask(2));
    expect(rig.appServer.connections).toHaveLength(2);
    expect(rig.appServer.last.methods).toEqual(['initialize', 'thread/list']);
    rig.frame({ type: 'ping' });
    expect(rig.socket.frames.at(-1)).toMatchObject({ status: 'active' });
  });

  it('RC-33: the response to a ping is active for a known stream and unknown for any other', async () => {
    rig.frame({ type: 'ping', stream_id: 's1' });
    expect(pong('s1')).toBe('unknown');
    await rig.open('s1');
    rig.frame({ type: 'ping', stream_id: 's1' });
    expect(pong('s1')).toBe('active');
    rig.frame({ type: 'ping', stream_id: 's1', client_id: 'other' });
    expect(rig.socket.frames.at(-1)).toMatchObject({ client_id: 'other', status: 'unknown' });
  });

  it('RC-34: client_closed closes one stream, or without a stream id all streams of that client id', async () => {
    for (const stream of ['s1', 's2', 's3']) await rig.open(stream);
    rig.frame({
      type: 'client_message',
      client_id: 'other',
      stream_id: 's1',
      seq_id: 1,
      message: INITIALIZE,
    });
    await settle();
    rig.frame({ type: 'client_closed', stream_id: 's1' });
    expect(rig.mux.clients.map((client) => `${client.clientId}/${client.streamId}`)).toEqual([
      'c/s2',
      'c/s3',
      'other/s1',
    ]);
    rig.frame({ type: 'client_closed' });
    expect(rig.mux.clients.map(({ clientId }) => clientId)).toEqual(['other']);
    expect(rig.appServer.connections.map(({ closed }) => closed)).toEqual([true, true, true, false]);
  });

  /** Time passes, with the checks that the timer makes. */
  function sweepFor(ms: number): void {
    for (let left = ms; left > 0; left -= 30_000) {
      rig.now += Math.min(left, 30_000);
      rig.mux.sweepIdle();
    }
  }

  it('RC-34: ten minutes without a message or ping close it; either keeps it open', async () => {
    for (const stream of ['silent', 'pings', 'speaks', 'chunks']) await rig.open(stream);
    sweepFor(599_999);
    expect(rig.mux.clients).toHaveLength(4);
    rig.frame({ type: 'ping', stream_id: 'pings' });
    rig.message('speaks', 2, ask(1));
    rig.frame(rig.chunks('chunks', 2, 'x'.repeat(300_000))[0] ?? {});
    sweepFor(1);
    expect(rig.mux.clients.map(({ streamId }) => streamId)).toEqual(['pings', 'speaks', 'chunks']);
    expect(rig.reasons).toContain('closed: clientIdle');
    rig.frame({ type: 'ping', stream_id: 'silent' });
    expect(pong('silent')).toBe('unknown');
  });

  it('RC-34: after a standstill the time of each client starts over, because its pings may wait in the socket', async () => {
    await rig.open('s1');
    sweepFor(500_000);
    rig.now += 11 * 60_000;
    rig.mux.sweepIdle();
    expect(rig.mux.clients).toHaveLength(1);
    sweepFor(599_999);
    expect(rig.mux.clients).toHaveLength(1);
    sweepFor(1);
    expect(rig.mux.clients).toHaveLength(0);
  });

  it('RC-50: one more virtual client than the limit gets an error; the others continue, and a free place is used', async () => {
    rig.end();
    rig = new MuxRig({ maxClients: 2 });
    for (const stream of ['s1', 's2']) await rig.open(stream);
    rig.message('s3', 1, { ...INITIALIZE, id: 'x' });
    await settle();
    expect(rig.socket.messages('s3')).toEqual([
      { id: 'x', error: expect.objectContaining({ code: -32001 }) },
    ]);
    expect(rig.skipped).toEqual([expect.stringContaining('too many virtual clients')]);
    rig.message('s1', 2, ask(1));
    expect(rig.appServer.connections[0]?.methods).toContain('thread/list');
    // An open one may initialize again.
    rig.message('s2', 2, INITIALIZE);
    await settle();
    rig.frame({ type: 'client_closed', stream_id: 's1' });
    await rig.open('s3');
    expect(rig.mux.clients.map(({ streamId }) => streamId).sort()).toEqual(['s2', 's3']);
  });

  it('RC-76: one more stream than its client may have closes its quietest one, and none of another client', async () => {
    rig.end();
    rig = new MuxRig({ maxChildren: 3 });
    rig.frame({ type: 'client_message', client_id: 'other', stream_id: 'o', seq_id: 1, message: INITIALIZE });
    for (const stream of ['s1', 's2', 's3']) {
      rig.now += 1_000;
      await rig.open(stream);
    }
    const open = () => rig.mux.clients.map(({ streamId }) => streamId);
    expect(open()).toEqual(['o', 's1', 's2', 's3']);
    rig.now += 1_000;
    rig.frame({ type: 'ping', stream_id: 's1' });
    await rig.open('s4');
    expect(open()).toEqual(['o', 's1', 's3', 's4']);
    expect(rig.reasons).toContain('closed: tooManyStreams');
    expect(rig.skipped).toEqual([expect.stringContaining('too many streams')]);
    // Another initialize on an open stream needs no more room.
    rig.message('s1', 2, INITIALIZE);
    await settle();
    expect(open().sort()).toEqual(['o', 's1', 's3', 's4']);
    // Before any of them has been opened, they count too.
    for (const stream of ['a', 'b', 'c', 'd']) rig.message(stream, 1, INITIALIZE);
    await settle();
    expect(open()).toEqual(['o', 'b', 'c', 'd']);
  });

  it('RC-76: a stream that waits for a response is closed only where all streams of its client do', async () => {
    rig.end();
    rig = new MuxRig({ maxChildren: 3 });
    for (const stream of ['s1', 's2', 's3']) {
      rig.now += 1_000;
      await rig.open(stream);
    }
    const open = () => rig.mux.clients.map(({ streamId }) => streamId);
    rig.message('s1', 2, ask(5));
    rig.now += 1_000;
    for (const stream of ['s2', 's3']) rig.frame({ type: 'ping', stream_id: stream });
    await rig.open('s4');
    expect(open()).toEqual(['s1', 's3', 's4']);
    for (const stream of ['s3', 's4']) {
      rig.now += 1_000;
      rig.message(stream, 2, ask(6));
    }
    await rig.open('s5');
    expect(open()).toEqual(['s3', 's4', 's5']);
  });

  it('an app server that cannot be reached closes the virtual client, with the reason', async () => {
    rig.appServer.failure = new Error('no app server here');
    rig.message('s1', 1, INITIALIZE);
    await settle();
    expect(rig.mux.clients).toEqual([]);
    expect(rig.audit.read().at(-1)).toMatchObject({
      reason: 'appServerFailed',
      detail: 'no app server here',
    });
  });

  it('an app server that ends the connection closes the virtual client', async () => {
    await rig.open('s1');
    rig.appServer.last.end();
    expect(rig.mux.clients).toEqual([]);
    expect(rig.reasons).toContain('closed: appServerClosed');
  });

  it('messages that arrive while the app server opens wait and are delivered in order', async () => {
    rig.appServer.hold();
    rig.message('s1', 1, INITIALIZE);
    rig.message('s1', 2, { method: 'initialized' });
    for (let n = 3; n < 10; n += 1) rig.message('s1', n, ask(n));
    await settle();
    rig.appServer.letIn();
    await settle();
    expect(rig.appServer.last.received.slice(2).map((text) => JSON.parse(text).id)).toEqual([
      3, 4, 5, 6, 7, 8, 9,
    ]);
  });

  it('RC-43: dropAll closes them all and clears the cursor', async () => {
    await rig.open('s1');
    await rig.open('s2');
    expect(rig.mux.cursor).toBeDefined();
    rig.mux.dropAll('disabled');
    expect(rig.mux.clients).toEqual([]);
    expect(rig.mux.cursor).toBeUndefined();
    expect(rig.appServer.connections.every(({ closed }) => closed)).toBe(true);
    expect(rig.reconnect().texts).toEqual([]);
  });

  it('RC-43: what still arrives on the closing link opens none and moves no cursor; the next link does', async () => {
    await rig.open('s1');
    rig.mux.dropAll('stopped');
    rig.message('s1', 1, INITIALIZE);
    rig.message('s2', 1, INITIALIZE);
    await settle();
    expect(rig.mux.clients).toEqual([]);
    expect(rig.mux.cursor).toBeUndefined();
    expect(rig.appServer.connections).toHaveLength(1);
    rig.reconnect();
    await rig.open('s2');
    expect(rig.mux.clients).toHaveLength(1);
  });
});

describe('messages in', () => {
  it('RC-32: a message whose seq id is not above the last delivered one of its stream is dropped', async () => {
    await rig.open('s1');
    await rig.open('s2');
    for (const seq of [2, 2, 1, 5, 4, 5, 6]) rig.message('s1', seq, ask(seq));
    rig.message('s2', 2, ask(2));
    const ids = (index: number) =>
      rig.appServer.connections[index]?.received.slice(1).map((text) => JSON.parse(text).id);
    expect(ids(0)).toEqual([2, 5, 6]);
    expect(ids(1)).toEqual([2]);
  });

  it('RC-37: the cursor is the one of the newest delivered frame', async () => {
    await rig.open('s1');
    const delivered = rig.message('s1', 2, ask(2));
    expect(rig.mux.cursor).toBe(delivered);
    rig.message('s1', 2, ask(2));
    rig.message('unknown', 1, ask(1));
    rig.frame({ type: 'client_message', stream_id: 's1', seq_id: 3, cursor: 'bad', message: 'no object' });
    expect(rig.mux.cursor).toBe(delivered);
    rig.frame({ type: 'ping', stream_id: 's1', cursor: 'of a ping' });
    expect(rig.mux.cursor).toBe('of a ping');
  });

  it('RC-37, RC-39: chunks move the cursor only when their message is complete and delivered', async () => {
    await rig.open('s1');
    const before = rig.mux.cursor;
    const text = JSON.stringify({ ...ask(2), params: { text: 'ü'.repeat(150_000) } });
    const chunks = rig.chunks('s1', 2, text);
    for (const chunk of chunks.slice(0, -1)) rig.frame(chunk);
    expect(rig.mux.cursor).toBe(before);
    expect(rig.appServer.last.methods).toEqual(['initialize']);
    rig.frame(chunks.at(-1) ?? {});
    expect(rig.mux.cursor).toBe(chunks.at(-1)?.cursor);
    expect(rig.appServer.last.received.at(-1)).toBe(text);
    // All of it once more changes nothing.
    for (const chunk of chunks) rig.frame(chunk);
    expect(rig.appServer.last.methods).toEqual(['initialize', 'thread/list']);
  });

  it('RC-30, RC-39: initialize may come in chunks', async () => {
    const padded = { ...INITIALIZE, params: { ...INITIALIZE.params, pad: 'x'.repeat(200_000) } };
    for (const chunk of rig.chunks('s1', 1, JSON.stringify(padded))) rig.frame(chunk);
    await settle();
    expect(rig.mux.clients).toHaveLength(1);
    expect(rig.socket.messages('s1')).toHaveLength(1);
  });

  it('RC-39: bad chunks affect only their own message', async () => {
    await rig.open('s1');
    await rig.open('s2');
    const good = rig.chunks('s2', 2, JSON.stringify({ ...ask(2), pad: 'x'.repeat(150_000) }));
    const [first = {}, second = {}] = rig.chunks(
      's1',
      2,
      JSON.stringify({ ...ask(2), pad: 'x'.repeat(150_000) }),
    );
    rig.frame(good[0] ?? {});
    rig.frame(first);
    rig.frame({ ...second, message_chunk_base64: '!!!' });
    rig.frame(second);
    for (const chunk of rig.chunks('s1', 3, 'this is not JSON '.repeat(20_000))) rig.frame(chunk);
    rig.frame(good[1] ?? {});
    expect(rig.appServer.connections[0]?.methods).toEqual(['initialize']);
    expect(rig.appServer.connections[1]?.methods).toEqual(['initialize', 'thread/list']);
    expect(rig.skipped.join('\n')).toMatch(/chunk dropped .*badBase64/);
    expect(rig.skipped.join('\n')).toMatch(/not a JSON-RPC message/);
    rig.message('s1', 4, ask(4));
    expect(rig.appServer.connections[0]?.methods).toEqual(['initialize', 'thread/list']);
  });

  it('RC-40: data that is not a frame is skipped, logged without its content, and affects no client', async () => {
    await rig.open('s1');
    const sent = rig.socket.texts.length;
    const junk = [
      'hush, no JSON',
      '[1,"hush"]',
      '"hush"',
      'null',
      '{}',
      '{"type":"hush","client_id":"c"}',
      '{"type":"client_message","client_id":"c","stream_id":"s1"}',
      '{"type":"client_message","client_id":7,"stream_id":"s1","message":{"hush":1}}',
      '{"type":"client_message","client_id":"c","stream_id":"s1","seq_id":-1,"message":{"hush":1}}',
      '{"type":"ack","client_id":"c","stream_id":"s1"}',
      '{"type":"client_message_chunk","client_id":"c","stream_id":"s1","seq_id":1}',
    ];
    for (const text of junk) rig.text(text);
    expect(rig.skipped).toHaveLength(junk.length);
    expect(rig.skipped.join('\n')).not.toContain('hush');
    expect(rig.mux.counters.framesSkipped).toBe(junk.length);
    expect(rig.socket.texts.length).toBe(sent);
    rig.message('s1', 2, ask(2));
    expect(rig.appServer.last.methods).toEqual(['initialize', 'thread/list']);
  });

  it('the text of a message passes unchanged: big numbers, spaces, order', async () => {
    await rig.open('s1');
    const message = '{"method": "x",  "id":12345678901234567890, "params":{"b":1.0,"a":1e400}}';
    rig.text(`{"type":"client_message","client_id":"c","stream_id":"s1","seq_id":2,"message":${message}}`);
    expect(rig.appServer.last.received.at(-1)).toBe(message);
    rig.appServer.last.say('{"id":12345678901234567890, "result":1.0}');
    expect(rig.socket.texts.at(-1)).toContain('"message":{"id":12345678901234567890, "result":1.0}');
  });
});
