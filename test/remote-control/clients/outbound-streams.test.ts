import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { settle } from '../../support/fake-app-server.js';
import { checkLeftovers } from '../../support/leftovers.js';
import { INITIALIZE, MuxRig } from './mux-rig.js';

checkLeftovers();
let rig: MuxRig;
beforeEach(() => {
  rig = new MuxRig();
});
afterEach(() => {
  rig.end();
  vi.useRealTimers();
});

/** Timers run only when the test advances them; promises are settled as usual. */
function stopTime(): void {
  rig.end();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  rig = new MuxRig();
}

const ask = (id: number) => ({ id, method: 'thread/list', params: {} });
const pong = (stream: string) => rig.socket.of(stream).findLast((frame) => frame.type === 'pong')?.status;

describe('messages out', () => {
  const say = (n: number) => rig.appServer.last.say({ method: 'note', params: { n } });
  const seqs = () => rig.socket.of('s1').map((frame) => frame.seq_id);

  it('RC-35: seq ids start at 1 for each stream and never repeat, across reconnects and reopened streams', async () => {
    await rig.open('s1');
    await rig.open('s2');
    expect(rig.socket.of('s2').map((frame) => frame.seq_id)).toEqual([1]);
    say(1);
    const seen = new Set(rig.socket.of('s2').map((frame) => Number(frame.seq_id)));
    const fresh = () => {
      for (const frame of rig.socket.of('s2')) {
        expect(seen).not.toContain(frame.seq_id);
        seen.add(Number(frame.seq_id));
      }
    };
    rig.ackAll('s2');
    rig.reconnect();
    say(2);
    rig.ackAll('s2');
    fresh();
    rig.reconnect();
    rig.message('s2', 2, INITIALIZE);
    await settle();
    rig.ackAll('s2');
    fresh();
    rig.reconnect();
    rig.frame({ type: 'client_closed', stream_id: 's2' });
    rig.frame({ type: 'ping', stream_id: 's2' });
    fresh();
    rig.reconnect();
    rig.message('s2', 1, INITIALIZE);
    await settle();
    fresh();
    expect([...seen]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('RC-36: after a reconnect unacknowledged frames are sent again first, in order, with the same seq ids and text', async () => {
    await rig.open('s1');
    for (let n = 1; n <= 5; n += 1) say(n);
    const texts = rig.socket.texts.slice(-5);
    rig.ack('s1', 3);
    rig.mux.detach(rig.socket);
    say(6);
    const again = rig.reconnect();
    expect(again.texts.slice(0, 3)).toEqual(texts.slice(2));
    say(7);
    expect(seqs()).toEqual([4, 5, 6, 7, 8]);
    rig.ack('s1', 8);
    expect(rig.reconnect().texts).toEqual([]);
  });

  it('RC-36: an ack with a segment id frees up to that chunk only', async () => {
    await rig.open('s1');
    rig.appServer.last.say({ method: 'big', params: { pad: 'x'.repeat(350_000) } });
    const chunks = rig.socket.of('s1').filter((frame) => frame.type === 'server_message_chunk');
    expect(chunks.map((frame) => frame.segment_id)).toEqual([0, 1, 2, 3]);
    rig.ack('s1', Number(chunks[0]?.seq_id), 1);
    expect(rig.reconnect().frames.map((frame) => frame.segment_id)).toEqual([2, 3]);
    rig.ack('s1', Number(chunks[0]?.seq_id));
    expect(rig.reconnect().texts).toEqual([]);
  });

  it('RC-36: at 128 unacknowledged frames the app server is paused, nothing is lost, and an ack resumes it', async () => {
    await rig.open('s1');
    const connection = rig.appServer.last;
    for (let n = 1; n <= 127; n += 1) say(n);
    expect(connection.paused).toBe(false);
    say(128);
    expect(connection.paused).toBe(true);
    // Messages that were on their way are still accepted.
    for (let n = 129; n <= 140; n += 1) say(n);
    expect(rig.socket.messages('s1')).toHaveLength(129);
    rig.ack('s1', 30);
    expect(connection.paused).toBe(false);
    expect(
      rig.socket
        .messages('s1')
        .slice(1)
        .map((message) => (message.params as { n: number }).n),
    ).toEqual(Array.from({ length: 140 }, (_, index) => index + 1));
  });

  it('RC-38: a message over 150 KiB is sent in chunks; the response that replaces one over the limit is an error', async () => {
    await rig.open('s1');
    rig.message('s1', 2, ask(7));
    rig.appServer.last.say({ id: 7, result: 'ü'.repeat(100_000) });
    const chunks = rig.socket.of('s1').filter((frame) => frame.type === 'server_message_chunk');
    expect(chunks.length).toBeGreaterThanOrEqual(2);
    expect(new Set(chunks.map((frame) => frame.seq_id)).size).toBe(1);
    for (const text of rig.socket.texts) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(150 * 1024);
    const whole = Buffer.concat(
      chunks.map((frame) => Buffer.from(String(frame.message_chunk_base64), 'base64')),
    );
    expect(JSON.parse(whole.toString())).toEqual({ id: 7, result: 'ü'.repeat(100_000) });
    expect(chunks.every((frame) => frame.message_size_bytes === whole.length)).toBe(true);

    rig.appServer.last.say(`{"id":8,"result":"${'x'.repeat(101 * 1024 * 1024)}"}`);
    expect(rig.socket.messages('s1').at(-1)).toEqual({
      id: 8,
      error: { code: -32004, message: expect.stringMatching(/10[12] MiB/) },
    });
    expect(rig.skipped.at(-1)).toMatch(/too large/);
    // A request that the controller cannot get is answered to the app server, which would wait for ever.
    const sent = rig.socket.messages('s1').length;
    rig.appServer.last.say(`{"id":9,"method":"x","params":"${'x'.repeat(101 * 1024 * 1024)}"}`);
    expect(rig.socket.messages('s1')).toHaveLength(sent);
    expect(JSON.parse(rig.appServer.last.received.at(-1)!)).toMatchObject({ id: 9, error: { code: -32004 } });
    // Nobody waits for a notification.
    rig.appServer.last.say(`{"method":"x","params":"${'x'.repeat(101 * 1024 * 1024)}"}`);
    expect(rig.mux.clients).toHaveLength(1);
  });

  it('a full socket gets no more chunks until it has drained; other streams wait for it too', async () => {
    await rig.open('s1');
    rig.socket.clogged = true;
    rig.appServer.last.say({ method: 'big', params: { pad: 'x'.repeat(20 * 1024 * 1024) } });
    expect(rig.socket.bufferedAmount).toBeLessThan(6 * 1024 * 1024);
    const before = rig.socket.texts.length;
    rig.mux.feed();
    expect(rig.socket.texts.length).toBe(before);
    while (rig.socket.of('s1').length < 206) {
      rig.socket.bufferedAmount = 0;
      const sent = rig.socket.texts.length;
      rig.mux.feed();
      if (rig.socket.texts.length === sent) break;
    }
    const chunks = rig.socket.of('s1').filter((frame) => frame.type === 'server_message_chunk');
    expect(chunks.map((frame) => frame.segment_id)).toEqual(
      Array.from({ length: chunks.length }, (_, n) => n),
    );
    expect(chunks).toHaveLength(Number(chunks[0]?.segment_count));
  });

  it('nothing is sent without a socket, and everything once there is one', async () => {
    await rig.open('s1');
    rig.mux.detach(rig.socket);
    const before = rig.socket.texts.length;
    say(1);
    rig.frame({ type: 'ping', stream_id: 's1' });
    expect(rig.socket.texts.length).toBe(before);
    const types = rig.reconnect().frames.map((frame) => frame.type);
    expect(types).toEqual(['server_message', 'pong']);
  });
});

describe('a virtual client that blocks its own traffic', () => {
  it('one that never reads is closed when too much waits for it, and others are not affected', async () => {
    await rig.open('deaf');
    const deaf = rig.appServer.last;
    await rig.open('s2');
    const other = rig.appServer.last;
    const pad = 'x'.repeat(100_000);
    let said = 0;
    while (rig.mux.clients.length === 2 && said < 2_000) {
      deaf.say({ method: 'note', params: { pad } });
      said += 1;
    }
    expect(rig.mux.clients.map(({ streamId }) => streamId)).toEqual(['s2']);
    expect(said * pad.length).toBeLessThan(90 * 1024 * 1024);
    expect(deaf.paused).toBe(true);
    expect(deaf.closed).toBe(true);
    expect(rig.reasons).toContain('closed: clientOverloaded');
    rig.message('s2', 2, ask(2));
    other.say({ id: 2, result: 'here' });
    expect(rig.socket.messages('s2').at(-1)).toEqual({ id: 2, result: 'here' });
  });

  it('RC-41: messages that its app server does not accept wait up to 5 s, then it is closed; pings and others continue', async () => {
    stopTime();
    await rig.open('stuck');
    const stuck = rig.appServer.last;
    await rig.open('s2');
    const other = rig.appServer.last;
    stuck.full = true;
    for (let seq = 2; seq < 6; seq += 1) rig.message('stuck', seq, ask(seq));
    expect(stuck.received).toHaveLength(2);
    rig.frame({ type: 'ping', stream_id: 'stuck' });
    expect(pong('stuck')).toBe('active');
    rig.message('s2', 2, ask(2));
    expect(other.methods).toContain('thread/list');
    vi.advanceTimersByTime(4_999);
    expect(rig.mux.clients).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(rig.reasons).toContain('closed: clientStalled');
    expect(rig.mux.clients.map(({ streamId }) => streamId)).toEqual(['s2']);
  });

  it('RC-41: one whose app server drains in time continues and loses nothing', async () => {
    stopTime();
    await rig.open('s1');
    const connection = rig.appServer.last;
    connection.full = true;
    for (let seq = 2; seq < 6; seq += 1) rig.message('s1', seq, ask(seq));
    vi.advanceTimersByTime(4_999);
    connection.drain();
    expect(connection.received.slice(1).map((text) => JSON.parse(text).id)).toEqual([2, 3, 4, 5]);
    vi.advanceTimersByTime(60_000);
    expect(rig.mux.clients).toHaveLength(1);
  });

  it('WSA-24: a request above the limit of waiting ones gets an overload error; too many bytes close the virtual client', async () => {
    await rig.open('s1');
    rig.appServer.last.full = true;
    for (let seq = 2; seq <= 131; seq += 1) rig.message('s1', seq, ask(seq));
    // The first was accepted, 128 wait.
    expect(rig.socket.messages('s1').slice(1)).toEqual([
      { id: 131, error: expect.objectContaining({ code: -32001 }) },
    ]);
    const pad = 'x'.repeat(1024 * 1024);
    for (let seq = 200; seq < 240 && rig.mux.clients.length > 0; seq += 1) {
      rig.message('s1', seq, { method: 'note', params: { pad } });
    }
    expect(rig.mux.clients).toEqual([]);
    expect(rig.reasons).toContain('closed: clientOverloaded');
  });
});
