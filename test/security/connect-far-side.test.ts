/** What a hostile backend or environment sends to `rc-engine connect`. RC-99 */
import { describe, expect, it } from 'vitest';
import { CLIENT, StreamsRig } from '../connect/streams-rig.js';

const chunk = (seqId: number, segment: number, count: number, bytes: Buffer, size: number) => ({
  type: 'server_message_chunk',
  client_id: CLIENT,
  stream_id: 'stream-1',
  seq_id: seqId,
  segment_id: segment,
  segment_count: count,
  message_size_bytes: size,
  message_chunk_base64: bytes.toString('base64'),
});

describe('RC-99: frames of a hostile far side', () => {
  it('garbage is skipped, and the stream goes on', () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    const ids = { client_id: CLIENT, stream_id: 'stream-1' };
    for (const frame of [
      '',
      'null',
      '[]',
      '[[[[',
      '\u0000\u001b[2J',
      '{"type":"server_message"}',
      ...[0, -1, 1.5, 1e308, '1', null].map((seq_id) =>
        JSON.stringify({ type: 'server_message', ...ids, seq_id, message: {} }),
      ),
      ...['x', null, -1, {}].map((seq_id) => JSON.stringify({ type: 'ack', ...ids, seq_id })),
      JSON.stringify({ type: 'ack', ...ids, seq_id: 1e308 }),
      JSON.stringify({ type: 'environment', connected: 'yes' }),
      JSON.stringify({ type: 'client_closed', client_id: 'other', stream_id: 'stream-1' }),
      JSON.stringify({ type: 'client_closed', client_id: CLIENT, stream_id: 'unknown' }),
      JSON.stringify({
        type: 'server_message',
        client_id: 'other',
        stream_id: 'stream-1',
        seq_id: 1,
        message: {},
      }),
    ])
      rig.frame(frame);
    expect(peer.received).toEqual([]);
    expect(peer.closed).toEqual([]);
    rig.message('stream-1', 1, { id: 1, result: 'still here' });
    expect(peer.messages).toEqual([{ id: 1, result: 'still here' }]);
    peer.send({ id: 2, method: 'next' });
    expect(rig.framesOf('client_message').map(({ seq_id }) => seq_id)).toEqual([1, 2]);
  });

  it('a frame that is no message and larger than 16 KiB is not read', () => {
    const rig = new StreamsRig();
    rig.frame({ type: 'environment', connected: true, filler: 'x'.repeat(20_000) });
    expect(rig.environment).toEqual([]);
  });

  it('a message that is not JSON-RPC is acknowledged, counted, and does not reach the client', async () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    rig.message('stream-1', 1, { hello: 'world' });
    rig.message('stream-1', 2, { id: 1, method: 'a', result: 2 });
    for (const [n, text] of ['garbage \u001b[31m', '[]', '"text"'].entries()) {
      const bytes = Buffer.from(text);
      rig.frame(chunk(3 + n, 0, 1, bytes, bytes.length));
    }
    expect(peer.received).toEqual([]);
    expect(rig.skipped).toBeGreaterThanOrEqual(2);
    rig.message('stream-1', 6, { id: 1, result: 1 });
    expect(peer.messages).toEqual([{ id: 1, result: 1 }]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(rig.framesOf('ack').at(-1)).toMatchObject({ seq_id: 6 });
  });

  it('repeated and old seq ids are not delivered twice; a jump closes the stream with the cause', () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    rig.message('stream-1', 5, { method: 'a' });
    for (const seqId of [5, 4, 1]) rig.message('stream-1', seqId, { method: 'again' });
    expect(peer.messages).toEqual([{ method: 'a' }]);
    rig.message('stream-1', Number.MAX_SAFE_INTEGER, { method: 'b' });
    expect(peer.messages).toMatchObject([{ method: 'a' }, { id: 1, error: { code: -32002 } }]);
    expect(peer.closed).toMatchObject([{ end: 'appServerFailed' }]);
    expect(rig.framesOf('client_closed')).toHaveLength(1);
    const other = rig.client();
    rig.frame({ type: 'pong', client_id: CLIENT, stream_id: 'stream-2', seq_id: 2 ** 50, status: 'active' });
    expect(other.closed).toHaveLength(1);
  });

  it('thousands of streams that nobody opened cost nothing but an ack each', async () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    for (let n = 0; n < 20_000; n += 1) rig.message(`made-up-${n}`, 1, { method: 'x' });
    rig.message('x'.repeat(100_000), 1, { method: 'x' });
    rig.frame({ ...chunk(1, 0, 2, Buffer.alloc(10), 20), stream_id: 'made-up' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(rig.streams.size).toBe(1);
    const acks = rig.framesOf('ack');
    expect(acks).toHaveLength(20_001);
    expect(Math.max(...acks.map((ack) => JSON.stringify(ack).length))).toBeLessThan(500);
    expect(peer.received).toEqual([]);
  });

  it('a flood for a client that does not read closes its stream, and no other', () => {
    const rig = new StreamsRig({ heldChars: 100_000 });
    const slow = rig.client();
    const bystander = rig.client();
    slow.connection.session.pause();
    slow.reads = false;
    let seqId = 0;
    // One message of any size may wait.
    rig.message('stream-1', ++seqId, { method: 'first' });
    rig.message('stream-1', ++seqId, { method: 'x'.repeat(1_000_000) });
    expect(slow.closed).toEqual([]);
    while (slow.closed.length === 0 && seqId < 1_000)
      rig.message('stream-1', ++seqId, { method: 'x'.repeat(5_000) });
    expect(seqId).toBeLessThan(30);
    expect(slow.closed).toEqual([
      { end: 'clientOverloaded', text: 'the environment sent more than this client reads' },
    ]);
    expect(slow.messages.at(-1)).toMatchObject({ id: 1, error: { data: { reason: 'clientOverloaded' } } });
    rig.message('stream-2', 1, { id: 1, result: {} });
    expect(bystander.messages).toHaveLength(1);
  });

  it('many slow clients hold a limited amount together; the one that goes over it is closed', () => {
    const rig = new StreamsRig({ heldChars: 100_000, heldInAll: 250_000 });
    const slow = Array.from({ length: 5 }, () => rig.client());
    for (const client of slow) {
      client.connection.session.pause();
      client.reads = false;
    }
    const flood = (stream: number) => {
      for (let seqId = 1; seqId <= 18; seqId += 1)
        rig.message(`stream-${stream}`, seqId, { method: 'x'.repeat(5_000) });
    };
    for (const stream of [1, 2]) flood(stream);
    expect(slow.flatMap(({ closed }) => closed)).toEqual([]);
    flood(3);
    const overloaded = [
      { end: 'clientOverloaded', text: 'the environment sent more than this client reads' },
    ];
    expect(slow.map(({ closed }) => closed)).toEqual([[], [], overloaded, [], []]);
    // What it held is free again.
    flood(4);
    expect(slow[3]?.closed).toEqual(overloaded);
    const [first] = slow;
    if (first === undefined) throw new Error('no client');
    first.reads = true;
    first.connection.drained();
    expect(first.messages).toHaveLength(18);
    flood(5);
    expect(slow.map(({ closed }) => closed.length)).toEqual([0, 0, 1, 1, 0]);
  });

  it('damaged and contradictory chunks close only their stream', () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    const bystander = rig.client();
    rig.frame(chunk(1, 0, 2, Buffer.from('{"method":'), 100));
    rig.frame({ ...chunk(1, 1, 2, Buffer.from('"x"}'), 100) });
    expect(peer.closed).toMatchObject([
      { end: 'appServerFailed', text: 'a message of the environment arrived damaged' },
    ]);
    rig.message('stream-2', 1, { id: 1, result: {} });
    expect(bystander.messages).toHaveLength(1);
  });

  it('the reason of a close is cut, cleaned, and no close code of the far side is used', () => {
    const rig = new StreamsRig();
    for (const [n, code] of [0, -1, 1.5, 70_000, '4404', null, 1006].entries()) {
      const peer = rig.client();
      rig.closeStream(`stream-${n + 1}`, code, `\u001b]0;owned\u0007\u202e${'y'.repeat(10_000)}`);
      expect(['appServerFailed', 'clientOverloaded']).toContain(peer.closed[0]?.end);
      for (const text of [peer.closed[0]?.text ?? '', ...peer.received]) {
        expect(text.length).toBeLessThan(600);
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }
    }
    const peer = rig.client();
    rig.closeStream('stream-8', 4404, { toString: 'x' });
    expect(peer.closed).toEqual([{ end: 'clientOverloaded', text: 'the environment closed this stream' }]);
  });
});
