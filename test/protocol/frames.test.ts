import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeChunkFrame, decodeInbound, type FrameError, streamKey } from '../../src/protocol/frames.js';
import { pongFrame, serverChunkFrame, serverMessageFrame } from '../../src/protocol/frames-out.js';

const base = { client_id: 'c1', stream_id: 's1', seq_id: 4, cursor: 'cur' };
const chunk = { segment_id: 1, segment_count: 3, message_size_bytes: 10, message_chunk_base64: 'AAAA' };
const decode = (frame: unknown) => decodeInbound(JSON.stringify(frame));
const faultOf = (text: string): FrameError | 'accepted' => {
  const decoded = decodeInbound(text);
  return decoded.ok ? 'accepted' : decoded.fault;
};

describe('decodeInbound', () => {
  it('section 7: reads every frame the backend sends', () => {
    const common = { clientId: 'c1', streamId: 's1', seqId: 4, cursor: 'cur' };
    expect(decode({ type: 'client_message', ...base, message: { id: 1, method: 'x' } })).toEqual({
      ok: true,
      frame: { type: 'client_message', ...common, message: { id: 1, method: 'x' } },
    });
    expect(decode({ type: 'client_message_chunk', ...base, ...chunk })).toEqual({
      ok: true,
      frame: {
        type: 'client_message_chunk',
        ...common,
        segmentId: 1,
        segmentCount: 3,
        messageSizeBytes: 10,
        chunkBase64: 'AAAA',
      },
    });
    expect(decode({ type: 'ack', ...base, segment_id: 2 })).toEqual({
      ok: true,
      frame: { type: 'ack', ...common, segmentId: 2 },
    });
    expect(decode({ type: 'ping', ...base })).toEqual({ ok: true, frame: { type: 'ping', ...common } });
    expect(decode({ type: 'client_closed', ...base })).toEqual({
      ok: true,
      frame: { type: 'client_closed', ...common },
    });
  });

  it('RC-31: accepts a frame without stream id, and null as an absent member', () => {
    expect(decode({ type: 'ping', client_id: 'c1' })).toEqual({
      ok: true,
      frame: {
        type: 'ping',
        clientId: 'c1',
        streamId: undefined,
        seqId: undefined,
        cursor: undefined,
      },
    });
    expect(decode({ type: 'ping', client_id: 'c1', stream_id: null, seq_id: null, cursor: null }).ok).toBe(
      true,
    );
    expect(decode({ type: 'ack', client_id: 'c1', seq_id: 1, segment_id: null }).ok).toBe(true);
  });

  it('RC-40: gives the reason for a skipped frame', () => {
    for (const text of ['', 'not json', '{', '{"type":"ping"', '\u0000']) {
      expect(faultOf(text), text).toBe('notJson');
    }
    for (const text of ['[]', '"x"', '42', 'null', 'true']) expect(faultOf(text), text).toBe('notAnObject');
    expect(faultOf('{"type":"future_thing","client_id":"c1"}')).toBe('unknownType');
    expect(faultOf('{"type":"future_thing"}')).toBe('unknownType');
    expect(faultOf('{"type":"server_message","client_id":"c1","message":{}}')).toBe('unknownType');

    const missing = [
      {},
      { type: 'ping' },
      { type: 'client_message' },
      { type: 'client_message', client_id: 'c1' },
      { type: 'ack', client_id: 'c1' },
      ...Object.keys(chunk).map((key) => ({
        type: 'client_message_chunk',
        ...base,
        ...chunk,
        [key]: undefined,
      })),
    ];
    for (const frame of missing)
      expect(faultOf(JSON.stringify(frame)), JSON.stringify(frame)).toBe('missingField');

    const message = { type: 'client_message', ...base, message: { method: 'x' } };
    const bad = [
      { type: 7, client_id: 'c1' },
      { ...message, client_id: 7 },
      { ...message, client_id: '' },
      { ...message, stream_id: 1 },
      { ...message, seq_id: -1 },
      { ...message, seq_id: '9' },
      { ...message, seq_id: 1.5 },
      { ...message, seq_id: 2 ** 53 },
      { ...message, cursor: 1 },
      { ...message, message: [] },
      { ...message, message: 'x' },
      { type: 'ack', ...base, segment_id: '1' },
      { type: 'client_message_chunk', ...base, ...chunk, segment_id: -1 },
      { type: 'client_message_chunk', ...base, ...chunk, segment_count: '3' },
      { type: 'client_message_chunk', ...base, ...chunk, message_size_bytes: 1.5 },
      { type: 'client_message_chunk', ...base, ...chunk, message_chunk_base64: 3 },
    ];
    for (const frame of bad) expect(faultOf(JSON.stringify(frame)), JSON.stringify(frame)).toBe('badField');
  });

  it('RC-40: never throws, whatever the JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(typeof decodeInbound(text).ok).toBe('boolean');
      }),
    );
    const anyFrame = fc.record(
      {
        type: fc.constantFrom('client_message', 'client_message_chunk', 'ack', 'ping', 'client_closed', 3),
        client_id: fc.anything(),
        stream_id: fc.anything(),
        seq_id: fc.anything(),
        cursor: fc.anything(),
        message: fc.anything(),
        segment_id: fc.anything(),
        segment_count: fc.anything(),
        message_size_bytes: fc.anything(),
        message_chunk_base64: fc.anything(),
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(anyFrame, (frame) => {
        const decoded = decode(frame);
        if (decoded.ok) expect(typeof decoded.frame.clientId).toBe('string');
      }),
    );
  });
});

describe('decodeChunkFrame', () => {
  const long = (chunkBase64: unknown, more: object = {}) => ({
    type: 'client_message_chunk',
    ...base,
    ...chunk,
    message_chunk_base64: chunkBase64,
    ...more,
  });
  const both = (text: string) => [decodeChunkFrame(Buffer.from(text)), decodeInbound(text)] as const;

  it('RC-39: reads a long frame as decodeInbound does, and leaves its chunk as bytes', () => {
    const order = fc.shuffledSubarray(Object.keys(long('')), { minLength: Object.keys(long('')).length });
    fc.assert(
      fc.property(order, fc.integer({ min: 4_096, max: 9_000 }), fc.string(), (names, size, cursor) => {
        const frame: Record<string, unknown> = { ...long('A'.repeat(size)), cursor };
        const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, frame[name]])));
        const [short, whole] = both(text);
        if (!short?.ok || short.frame.type !== 'client_message_chunk' || !whole.ok) throw new Error(text);
        const { chunkBase64, ...rest } = short.frame;
        expect(Buffer.isBuffer(chunkBase64)).toBe(true);
        expect({ ...rest, chunkBase64: String(chunkBase64) }).toEqual(whole.frame);
      }),
    );
  });

  it('RC-40: finds the same errors', () => {
    const fill = 'A'.repeat(5_000);
    for (const wrong of [{ segment_id: -1 }, { client_id: null }, { type: 'x' }, { seq_id: '1' }]) {
      const [short, whole] = both(JSON.stringify(long(fill, wrong)));
      expect(short).toEqual(whole);
    }
    expect(decodeChunkFrame(Buffer.from(`${JSON.stringify(long(fill))}}`))).toEqual({
      ok: false,
      fault: 'notJson',
    });
  });

  it('RC-39: leaves short frames, frames without a chunk and unclear ones to decodeInbound', () => {
    const fill = 'A'.repeat(5_000);
    const inner = JSON.stringify({ ...long(fill), message_chunk_base64: undefined, x: long(fill) });
    for (const text of [
      JSON.stringify(long('AAAA')),
      JSON.stringify({ type: 'client_message', ...base, message: { id: 1, fill } }),
      JSON.stringify({ type: 'client_message', ...base, message: { '"message_chunk_base64":"': fill } }),
      JSON.stringify(long(`${fill}\\/`)),
      JSON.stringify(long(5, { fill })),
      JSON.stringify(long(fill)).replace('_base64":"', '_base64": "'),
      JSON.stringify(long(fill, { message: long(fill) })),
      inner,
    ]) {
      expect(decodeChunkFrame(Buffer.from(text)), text.slice(0, 200)).toBeUndefined();
    }
  });
});

describe('outbound frames', () => {
  const ids = fc.string({ unit: 'binary' });
  it('section 7: contain the message unchanged, with the members in the specified order', () => {
    const raw = '{ "id" : 12345678901234567890, "result":{"z":1,"a":1.0} }';
    expect(serverMessageFrame('c"1', 's\\1', 7, raw)).toBe(
      `{"type":"server_message","message":${raw},"client_id":"c\\"1","stream_id":"s\\\\1","seq_id":7}`,
    );
    expect(pongFrame('c', 's', 1, 'unknown')).toBe(
      '{"type":"pong","status":"unknown","client_id":"c","stream_id":"s","seq_id":1}',
    );
    const fields = { segmentId: 0, segmentCount: 2, messageSizeBytes: 6, chunkBase64: 'AAAA' };
    expect(serverChunkFrame('c', 's', 9, fields)).toBe(
      '{"type":"server_message_chunk","segment_id":0,"segment_count":2,"message_size_bytes":6,' +
        '"message_chunk_base64":"AAAA","client_id":"c","stream_id":"s","seq_id":9}',
    );
  });

  it('section 7: are valid JSON for any ids and any message', () => {
    fc.assert(
      fc.property(ids, ids, fc.nat(), fc.jsonValue(), (client, stream, seq, message) => {
        expect(JSON.parse(serverMessageFrame(client, stream, seq, JSON.stringify(message)))).toEqual({
          type: 'server_message',
          message: JSON.parse(JSON.stringify(message)),
          client_id: client,
          stream_id: stream,
          seq_id: seq,
        });
        expect(JSON.parse(pongFrame(client, stream, seq, 'active'))).toMatchObject({ client_id: client });
      }),
    );
  });

  it('RC-30: two pairs of client and stream never share a key', () => {
    fc.assert(
      fc.property(ids, ids, ids, ids, (c1, s1, c2, s2) => {
        expect(streamKey(c1, s1) === streamKey(c2, s2)).toBe(c1 === c2 && s1 === s2);
      }),
    );
    expect(streamKey('a', 'b:c')).not.toBe(streamKey('a:b', 'c'));
  });
});
