import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkAssembler } from '../../src/protocol/chunks.js';
import { MAX_CHUNKED_MESSAGE_BYTES, MAX_FRAME_BYTES, readChunk } from '../../src/protocol/frames.js';
import type { WireFrame } from '../../src/protocol/frames-out.js';
import { memberText } from '../../src/protocol/json-members.js';
import { OutboundStream, type SendResult } from '../../src/protocol/outbound.js';

interface Wire {
  readonly type: string;
  readonly seq_id: number;
  readonly segment_id?: number;
  readonly segment_count?: number;
  readonly status?: string;
  readonly message?: unknown;
}
const parse = (frame: string): Wire => JSON.parse(frame) as Wire;
const texts = (frames: readonly WireFrame[]): readonly string[] => frames.map(String);
const framesOf = (result: SendResult): readonly string[] => {
  if (typeof result === 'string') throw new Error(`not taken: ${result}`);
  return texts(result);
};
const seqs = (frames: readonly WireFrame[]) => texts(frames).map((frame) => parse(frame).seq_id);
const small = (n: number) => `{"id":${n},"result":{}}`;
const big = (n: number, kib: number) => `{"id":${n},"result":"${'r'.repeat(kib * 1024)}"}`;

/** Takes every frame that can be sent now. */
function drain(stream: OutboundStream): string[] {
  const frames: string[] = [];
  while (stream.hasMore) frames.push(...texts(stream.more()));
  return frames;
}

describe('OutboundStream', () => {
  it('RC-35: numbers from 1, pongs included, and continues after a former stream', () => {
    const stream = new OutboundStream('c', 's');
    const frames = [
      ...stream.pong('unknown'),
      ...framesOf(stream.send(small(1))),
      ...stream.pong('active'),
      ...framesOf(stream.send(small(2))),
    ];
    expect(seqs(frames)).toEqual([1, 2, 3, 4]);
    expect(seqs(new OutboundStream('c', 's', { firstSeqId: stream.nextSeqId }).pong('active'))).toEqual([5]);
  });

  it('RC-36: at 128 unacknowledged messages it sends no more, and drops nothing', () => {
    const stream = new OutboundStream('c', 's');
    for (let n = 1; n <= 128; n += 1) {
      expect(stream.writable).toBe(true);
      expect(framesOf(stream.send(small(n)))).toHaveLength(1);
    }
    expect(stream.writable).toBe(false);
    expect(framesOf(stream.send(small(129)))).toEqual([]);
    expect(stream.queuedChars).toBe(small(129).length);
    expect(stream.pong('active')).toHaveLength(1);
    const released = texts(stream.ack(1));
    expect(released.map((frame) => parse(frame).message)).toEqual([{ id: 129, result: {} }]);
    expect(stream.queuedChars).toBe(0);
    expect(stream.writable).toBe(false);
    stream.ack(2);
    expect(stream.writable).toBe(true);
  });

  it('RC-36: an ack with a segment id frees up to that chunk, without one all of that seq', () => {
    const stream = new OutboundStream('c', 's');
    framesOf(stream.send(small(1)));
    const chunks = framesOf(stream.send(big(2, 450)));
    expect(chunks.map((frame) => parse(frame).segment_id)).toEqual([0, 1, 2, 3, 4]);
    stream.ack(2, 1);
    expect(texts(stream.replay())).toEqual(chunks.slice(2));
    stream.ack(2);
    expect(stream.replay()).toEqual([]);
    expect(stream.unackedFrames).toBe(0);
    expect(stream.ack(2)).toEqual([]);
  });

  it('RC-36: an ack for a frame that was never sent frees only sent frames', () => {
    const stream = new OutboundStream('c', 's');
    stream.send(small(1));
    stream.ack(99);
    expect(stream.replay()).toEqual([]);
    expect(seqs(framesOf(stream.send(small(2))))).toEqual([2]);
    expect(stream.replay()).toHaveLength(1);
  });

  it('RC-38: a message that has started is sent completely, acknowledged or not, a few frames at a time', () => {
    const stream = new OutboundStream('c', 's');
    const first = framesOf(stream.send(big(1, 15_000)));
    expect(first.length).toBeLessThan(16);
    expect(stream.writable).toBe(false);
    const frames = [...first, ...drain(stream)];
    expect(frames).toHaveLength(151);
    expect(new Set(seqs(frames))).toEqual(new Set([1]));
    expect(stream.writable).toBe(false);
    stream.ack(1, 40);
    expect(stream.writable).toBe(true);
  });

  it('RC-33: pongs requested during a partial message follow it, so that seq ids stay in order', () => {
    const stream = new OutboundStream('c', 's');
    const frames = [...framesOf(stream.send(big(1, 2_000)))];
    expect(stream.pong('active')).toEqual([]);
    frames.push(...drain(stream));
    expect(parse(frames.at(-1)!)).toMatchObject({ type: 'pong', status: 'active', seq_id: 2 });
    expect(seqs(frames)).toEqual([...seqs(frames)].sort((a, b) => a - b));
  });

  it('RC-36: keeps at most 128 unacknowledged pongs, the newest', () => {
    const stream = new OutboundStream('c', 's');
    stream.send(small(1));
    for (let n = 0; n < 200; n += 1) stream.pong('active');
    expect(seqs(stream.replay())).toEqual([1, ...Array.from({ length: 128 }, (_, n) => 74 + n)]);
    expect(stream.writable).toBe(true);
  });

  it('RC-38: counts the bytes of a frame: 150 KiB is sent whole, one byte more in chunks', () => {
    const around = new OutboundStream('c', 's').send('""');
    const overhead = framesOf(around)[0]!.length - 2;
    // The limit includes the longest seq id, so it does not depend on the number.
    const most = MAX_FRAME_BYTES - overhead - 2 - 16;
    for (const pad of ['x'.repeat(most), 'é'.repeat(Math.floor(most / 2))]) {
      const frame = framesOf(new OutboundStream('c', 's').send(JSON.stringify(pad)))[0]!;
      expect(parse(frame).type).toBe('server_message');
      expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(MAX_FRAME_BYTES);
      const more = framesOf(new OutboundStream('c', 's').send(JSON.stringify(`${pad}xxxxx`)))[0]!;
      expect(parse(more).type).toBe('server_message_chunk');
    }
  });

  it('RC-38: refuses a message above 100 MiB, also while it is full', () => {
    const stream = new OutboundStream('c', 's', { limits: { unackedFrames: 1 } });
    const tooLarge = `"${'x'.repeat(MAX_CHUNKED_MESSAGE_BYTES)}"`;
    expect(stream.send(tooLarge)).toBe('tooLarge');
    stream.send(small(1));
    expect(stream.send(tooLarge)).toBe('tooLarge');
    expect(stream.nextSeqId).toBe(2);
  });

  it('RC-36: limits the queue while it is full', () => {
    const stream = new OutboundStream('c', 's', { limits: { unackedFrames: 1, queuedChars: 50 } });
    stream.send(small(1));
    expect(stream.send(small(2))).toEqual([]);
    expect(stream.send(small(3))).toEqual([]);
    expect(stream.send(small(4))).toEqual([]);
    expect(stream.send(small(5))).toBe('overflow');
    expect(stream.ack(1)).toHaveLength(1);
    expect(stream.send(small(5))).toEqual([]);
  });

  it('RC-85: one message of any size is queued; the limit counts what waits beside it', () => {
    const stream = new OutboundStream('c', 's', { limits: { unackedFrames: 1, queuedChars: 50 } });
    const long = JSON.stringify({ id: 9, result: 'x'.repeat(100_000) });
    stream.send(small(1));
    expect([small(2), long, small(3)].map((text) => stream.send(text))).toEqual([[], [], []]);
    expect(stream.send(long)).toBe('overflow');
  });

  it('RC-81: after its end it waits for no acknowledgment, and of a long queue only short replacements are sent', () => {
    const stream = new OutboundStream('c', 's', { limits: { unackedFrames: 1 } });
    stream.send(small(1));
    stream.send(small(2));
    stream.end(() => 'never');
    expect(stream.more()).toHaveLength(1);
    expect(stream.send(small(3))).toHaveLength(1);
    expect(stream.isSettled).toBe(false);
    stream.ack(3);
    expect(stream.isSettled).toBe(true);

    const long = new OutboundStream('c', 's', { limits: { unackedFrames: 1 } });
    long.send(small(1));
    for (const id of [2, 3, 4]) long.send(JSON.stringify({ id, result: 'x'.repeat(1_000_000) }));
    long.end((text) => (text.startsWith('{"id":3') ? undefined : `"for ${text[6]}"`));
    expect(long.more().map((frame) => /"for ."/.exec(String(frame))?.[0])).toEqual(['"for 2"', '"for 4"']);
  });

  it('RC-35, RC-36: for any traffic and any acks, everything arrives once and in order, and replay returns the unacknowledged frames', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant({ kind: 'small' as const }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('big' as const), kib: fc.integer({ min: 140, max: 900 }) }),
      },
      { weight: 2, arbitrary: fc.constant({ kind: 'pong' as const }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('ack' as const), at: fc.nat(), whole: fc.boolean() }),
      },
      { weight: 2, arbitrary: fc.constant({ kind: 'more' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'replay' as const }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const stream = new OutboundStream('client', 'stream', {
          limits: { unackedFrames: 6, unackedPongs: 50 },
        });
        const wire: string[] = [];
        let acked = { seq: 0, segment: 0 };
        let sent = 0;
        let pongs = 0;
        const unacked = () =>
          wire.filter((frame) => {
            const { seq_id: seq, segment_id: segment = 0 } = parse(frame);
            return seq > acked.seq || (seq === acked.seq && segment > acked.segment);
          });
        for (const action of steps) {
          if (action.kind === 'small' || action.kind === 'big') sent += 1;
          if (action.kind === 'small') wire.push(...framesOf(stream.send(small(sent))));
          if (action.kind === 'big') wire.push(...framesOf(stream.send(big(sent, action.kib))));
          if (action.kind === 'pong') {
            pongs += 1;
            wire.push(...texts(stream.pong('active')));
          }
          if (action.kind === 'more') wire.push(...texts(stream.more()));
          if (action.kind === 'ack' && wire.length > 0) {
            const { seq_id: seq, segment_id: segment } = parse(wire[action.at % wire.length]!);
            const whole = action.whole || segment === undefined;
            const cursor = { seq, segment: whole ? Number.POSITIVE_INFINITY : segment };
            // It does not acknowledge later chunks of that seq.
            const last =
              wire
                .map(parse)
                .filter((frame) => frame.seq_id === seq)
                .at(-1)?.segment_id ?? 0;
            const held = { seq, segment: Math.min(cursor.segment, last) };
            if (held.seq > acked.seq || (held.seq === acked.seq && held.segment > acked.segment))
              acked = held;
            wire.push(...texts(whole ? stream.ack(seq) : stream.ack(seq, segment)));
          }
          if (action.kind === 'replay') expect(texts(stream.replay())).toEqual(unacked());
          for (const frame of wire.slice(-12)) expect(frame.length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
        }
        expect(texts(stream.replay())).toEqual(unacked());

        for (let round = 0; round < 1_000 && (stream.hasMore || !stream.writable); round += 1) {
          wire.push(...drain(stream));
          const last = wire.at(-1);
          if (last !== undefined) wire.push(...texts(stream.ack(parse(last).seq_id)));
        }
        const assembler = new ChunkAssembler();
        const got: number[] = [];
        let gotPongs = 0;
        let cursor = [0, 0] as readonly [number, number];
        for (const text of wire) {
          const frame = parse(text);
          const next = [frame.seq_id, frame.segment_id ?? 0] as const;
          expect(next[0] > cursor[0] || (next[0] === cursor[0] && next[1] === cursor[1] + 1)).toBe(true);
          cursor = next;
          if (frame.type === 'pong') gotPongs += 1;
          else if (frame.type === 'server_message') {
            got.push((JSON.parse(memberText(text, 'message')!) as { id: number }).id);
          } else {
            const chunk = readChunk(JSON.parse(text) as Record<string, unknown>);
            if (typeof chunk === 'string') throw new Error(chunk);
            const result = assembler.feed('s', frame.seq_id, chunk, text.length);
            expect(result.kind).not.toBe('dropped');
            if (result.kind === 'complete') got.push((JSON.parse(result.text) as { id: number }).id);
          }
        }
        expect(got).toEqual(Array.from({ length: sent }, (_, n) => n + 1));
        expect(gotPongs).toBe(pongs);
      }),
      { numRuns: 60 },
    );
  });
});
