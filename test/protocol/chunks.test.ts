import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkAssembler, type ChunkError, splitMessage } from '../../src/protocol/chunks.js';
import { type ChunkFields, MAX_CHUNKED_MESSAGE_BYTES, MAX_FRAME_BYTES } from '../../src/protocol/frames.js';
import { serverChunkFrame } from '../../src/protocol/frames-out.js';

const FRAME = 1_000;

/** Splits the bytes of a string at the given positions, as a backend may. */
function cut(text: string, at: readonly number[]): ChunkFields[] {
  const bytes = Buffer.from(text);
  const edges = [...new Set(at.map((n) => n % bytes.length))].filter((n) => n > 0).sort((a, b) => a - b);
  const starts = [0, ...edges];
  return starts.map((start, segmentId) => ({
    segmentId,
    segmentCount: starts.length,
    messageSizeBytes: bytes.length,
    chunkBase64: bytes.subarray(start, starts[segmentId + 1]).toString('base64'),
  }));
}

function feedAll(assembler: ChunkAssembler, stream: string | undefined, seq: number, chunks: ChunkFields[]) {
  return chunks.map((chunk) => assembler.feed(stream, seq, chunk, FRAME));
}
const why = (result: ReturnType<ChunkAssembler['feed']> | undefined): ChunkError | 'kept' =>
  result?.kind === 'dropped' ? result.why : 'kept';

describe('ChunkAssembler', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 });

  it('RC-39: joins any split of any string, also inside characters', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 20 }), (message, at) => {
        const assembler = new ChunkAssembler();
        const results = feedAll(assembler, 's', 1, cut(message, at));
        expect(results.pop()).toEqual({ kind: 'complete', text: message });
        expect(results.every((result) => result.kind === 'incomplete')).toBe(true);
        expect([assembler.assemblies, assembler.heldBytes]).toEqual([0, 0]);
      }),
    );
  });

  it('RC-39: accepts only canonical base64, as a string and as bytes', () => {
    const byte = fc.constantFrom('A', 'b', '9', '+', '/', '=', '-', '_', ' ', '\n', 'é', '"', '\0');
    const texts = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      fc.array(byte, { maxLength: 16 }).map((parts) => parts.join('')),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), byte).map(([bytes, at, other]) => {
        const text = Buffer.from(bytes).toString('base64');
        return text.slice(0, at % text.length) + other + text.slice((at % text.length) + 1);
      }),
    );
    fc.assert(
      fc.property(texts, (chunkBase64) => {
        const bytes = Buffer.from(chunkBase64, 'base64');
        const isCanonical = bytes.length > 0 && bytes.toString('base64') === chunkBase64;
        for (const given of [chunkBase64, Buffer.from(chunkBase64)]) {
          const fields = { segmentId: 0, segmentCount: 2, messageSizeBytes: 10_000, chunkBase64: given };
          expect(why(new ChunkAssembler().feed('s', 1, fields, FRAME))).toBe(
            isCanonical ? 'kept' : 'badBase64',
          );
        }
      }),
      { numRuns: 2_000 },
    );
    const large = Buffer.alloc(100_001, 'x').toString('base64');
    for (const [bad, fault] of [
      [large, 'kept'],
      [`${large.slice(0, 70_000)}-${large.slice(70_001)}`, 'badBase64'],
      [`${large.slice(0, 70_000)} ${large.slice(70_001)}`, 'badBase64'],
      [`${large.slice(0, 32_767)}=${large.slice(32_768)}`, 'badBase64'],
    ] as const) {
      const fields = { segmentId: 0, segmentCount: 2, messageSizeBytes: 200_000, chunkBase64: bad };
      expect(why(new ChunkAssembler().feed('s', 1, fields, FRAME))).toBe(fault);
    }
  });

  it('RC-39: keeps streams separate, however their chunks are mixed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(text, fc.array(fc.nat(), { maxLength: 6 })), { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.nat()),
        (messages, picks) => {
          const assembler = new ChunkAssembler();
          const queues = messages.map(([message, at]) => cut(message, at));
          const done = new Map<number, string>();
          while (queues.some((queue) => queue.length > 0)) {
            const live = queues.flatMap((queue, index) => (queue.length > 0 ? [index] : []));
            const index = live[(picks.next().value as number) % live.length]!;
            const result = assembler.feed(`stream-${index}`, 1, queues[index]!.shift()!, FRAME);
            if (result.kind === 'complete') done.set(index, result.text);
          }
          expect([...done].sort(([a], [b]) => a - b).map(([, whole]) => whole)).toEqual(
            messages.map(([message]) => message),
          );
        },
      ),
    );
  });

  it('RC-39: drops chunks that are out of order, have a gap, or change their numbers', () => {
    const [a, b, c] = cut('{"id":"some message"}', [5, 12]) as [ChunkFields, ChunkFields, ChunkFields];
    const cases: [ChunkError, ChunkFields[]][] = [
      ['outOfOrder', [a, c]],
      ['outOfOrder', [b]],
      ['mismatch', [a, { ...b, segmentCount: 4 }]],
      ['mismatch', [a, { ...b, messageSizeBytes: 22 }]],
      ['badBase64', [a, { ...b, chunkBase64: '' }]],
      ['badCount', [{ ...a, segmentCount: 0 }]],
      ['badCount', [{ ...a, segmentId: 1, segmentCount: 1 }]],
      ['badCount', [{ ...a, segmentCount: 1_025 }]],
      ['badSize', [{ ...a, messageSizeBytes: 0 }]],
      ['badSize', [{ ...a, messageSizeBytes: MAX_CHUNKED_MESSAGE_BYTES + 1 }]],
      ['sizeMismatch', [a, b, c].map((chunk) => ({ ...chunk, messageSizeBytes: 5_000 }))],
      ['sizeMismatch', [a, b].map((chunk) => ({ ...chunk, messageSizeBytes: 6 }))],
    ];
    for (const [fault, chunks] of cases) {
      const assembler = new ChunkAssembler();
      expect(why(feedAll(assembler, 's', 1, chunks).at(-1)), JSON.stringify(chunks)).toBe(fault);
      expect(assembler.heldBytes).toBe(0);
      expect(feedAll(assembler, 's', 1, [a, b, c]).map(why)).toEqual(Array(3).fill('closedSeq'));
      expect(feedAll(assembler, 's', 2, [a, b, c]).at(-1)?.kind).toBe('complete');
    }
  });

  it('RC-39: drops base64 that is not canonical', () => {
    for (const chunkBase64 of [
      '!!!not base64!!!',
      'AAA',
      'AA==AA==',
      'AB==',
      'AA-_',
      ' AAAA',
      'AAAA\n',
      'ŁŁŁŁ',
    ]) {
      const chunk = { segmentId: 0, segmentCount: 2, messageSizeBytes: 100, chunkBase64 };
      expect(why(new ChunkAssembler().feed('s', 1, chunk, FRAME)), chunkBase64).toBe('badBase64');
    }
  });

  it('RC-39: drops a message that is not UTF-8', () => {
    const chunk = { segmentId: 0, segmentCount: 1, messageSizeBytes: 2, chunkBase64: '/v8=' };
    expect(why(new ChunkAssembler().feed('s', 1, chunk, FRAME))).toBe('badUtf8');
  });

  it('RC-39: drops a chunk without stream, without seq, or in a frame over 150 KiB', () => {
    const assembler = new ChunkAssembler();
    const chunks = cut('{"a":1}', [3]);
    expect(feedAll(assembler, undefined, 1, chunks).map(why)).toEqual(['noStream', 'noStream']);
    expect(why(assembler.feed('s', undefined, chunks[0]!, FRAME))).toBe('noSeq');
    expect(why(assembler.feed('s', 1, chunks[0]!, MAX_FRAME_BYTES + 1))).toBe('frameTooLarge');
    expect(why(assembler.feed('s', 2, chunks[0]!, MAX_FRAME_BYTES))).toBe('kept');
  });

  it('RC-39: drops chunks of a completed message without affecting the next message', () => {
    const assembler = new ChunkAssembler();
    const chunks = cut('{"a":1}', [3]);
    feedAll(assembler, 's', 5, chunks);
    expect(feedAll(assembler, 's', 5, chunks).map(why)).toEqual(['closedSeq', 'closedSeq']);
    assembler.feed('s', 6, chunks[0]!, FRAME);
    expect(why(assembler.feed('s', 5, chunks[1]!, FRAME))).toBe('closedSeq');
    expect(assembler.feed('s', 6, chunks[1]!, FRAME).kind).toBe('complete');
  });

  it('RC-39: a new message replaces the unfinished one of its stream', () => {
    const assembler = new ChunkAssembler();
    const chunks = cut('{"a":1}', [3]);
    assembler.feed('s', 5, chunks[0]!, FRAME);
    expect(feedAll(assembler, 's', 6, chunks).at(-1)?.kind).toBe('complete');
    expect(assembler.heldBytes).toBe(0);
  });

  it('RC-39: drops only a repeated chunk, and the message continues', () => {
    const chunks = cut('{"a":"some more"}', [3, 6]);
    const assembler = new ChunkAssembler();
    feedAll(assembler, 's', 3, chunks.slice(0, 2));
    expect(feedAll(assembler, 's', 2, chunks).map(why)).toEqual(['stale', 'stale', 'stale']);
    const again = feedAll(assembler, 's', 3, chunks);
    expect(again.map(why)).toEqual(['stale', 'stale', 'kept']);
    expect(again.at(-1)).toEqual({ kind: 'complete', text: '{"a":"some more"}' });
  });

  it('RC-39: holds at most 128 unfinished messages and drops the least recently fed one', () => {
    const assembler = new ChunkAssembler();
    const chunks = cut('{"a":"bcdef"}', [3, 6]);
    for (let n = 0; n < 128; n += 1) assembler.feed(`s${n}`, 1, chunks[0]!, FRAME);
    assembler.feed('s0', 1, chunks[1]!, FRAME);
    assembler.feed('s128', 1, chunks[0]!, FRAME);
    expect(assembler.assemblies).toBe(128);
    expect(assembler.feed('s0', 1, chunks[2]!, FRAME).kind).toBe('complete');
    expect(why(assembler.feed('s1', 1, chunks[1]!, FRAME))).toBe('outOfOrder');
  });

  it('RC-39: limits the bytes of all unfinished messages together', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 9 }), fc.integer({ min: 1, max: 40 })), { maxLength: 60 }),
        (feeds) => {
          const assembler = new ChunkAssembler({ bytes: 100, assemblies: 5 });
          const next = new Map<number, number>();
          for (const [stream, size] of feeds) {
            const segmentId = next.get(stream) ?? 0;
            const chunkBase64 = Buffer.alloc(size, 'x').toString('base64');
            const chunk = { segmentId, segmentCount: 50, messageSizeBytes: 5_000, chunkBase64 };
            const result = assembler.feed(`s${stream}`, 1, chunk, FRAME);
            if (result.kind === 'incomplete') next.set(stream, segmentId + 1);
            expect(assembler.heldBytes).toBeLessThanOrEqual(100);
            expect(assembler.assemblies).toBeLessThanOrEqual(5);
          }
        },
      ),
    );
  });

  it('RC-34: resets one stream, and clears all', () => {
    const assembler = new ChunkAssembler();
    const chunks = cut('{"a":1}', [3]);
    feedAll(assembler, 's', 1, chunks);
    assembler.reset('s');
    expect(feedAll(assembler, 's', 1, chunks).at(-1)?.kind).toBe('complete');
    assembler.feed('t', 1, chunks[0]!, FRAME);
    assembler.clear();
    expect([assembler.assemblies, assembler.heldBytes]).toEqual([0, 0]);
    expect(feedAll(assembler, 's', 1, chunks).at(-1)?.kind).toBe('complete');
  });
});

describe('splitMessage', () => {
  it('RC-38: its chunks join to the same message, in frames of at most 150 KiB', () => {
    const unit = fc.constantFrom('a', 'é', '漢', '😀', '\ud800', '\n');
    const arbitrary = fc.tuple(
      fc.array(unit, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 12_000 }),
      fc.integer({ min: 1, max: 40_000 }),
    );
    fc.assert(
      fc.property(arbitrary, ([units, times, idLength]) => {
        const message = JSON.stringify(units.join('').repeat(times));
        const client = 'i'.repeat(idLength);
        const split = splitMessage(message, Buffer.byteLength(serverChunkFrame(client, 's', 0, EMPTY)));
        expect(split).toBeDefined();
        const assembler = new ChunkAssembler();
        let last: ReturnType<ChunkAssembler['feed']> | undefined;
        let count = 0;
        for (const chunk of split!) {
          const frameBytes = Buffer.byteLength(serverChunkFrame(client, 's', Number.MAX_SAFE_INTEGER, chunk));
          expect(frameBytes).toBeLessThanOrEqual(MAX_FRAME_BYTES);
          last = assembler.feed('s', 1, chunk, frameBytes);
          count += 1;
        }
        expect(count).toBe(split!.segmentCount);
        expect(last).toEqual({ kind: 'complete', text: message });
      }),
      { numRuns: 60 },
    );
  });

  it('RC-38: makes chunks of about 100 KiB, at most 1,024 of them and 100 MiB', () => {
    const whole = splitMessage('x'.repeat(MAX_CHUNKED_MESSAGE_BYTES), 100);
    expect(whole?.segmentCount).toBe(1_024);
    expect(splitMessage('x'.repeat(MAX_CHUNKED_MESSAGE_BYTES + 1), 100)).toBeUndefined();
    expect(splitMessage('é'.repeat(MAX_CHUNKED_MESSAGE_BYTES / 2 + 1), 100)).toBeUndefined();
    expect(splitMessage('x'.repeat(200_000), MAX_FRAME_BYTES)).toBeUndefined();
    expect(splitMessage('x'.repeat(400_000), 100)?.segmentCount).toBe(4);
  });

  it('RC-38: makes chunks one by one', () => {
    const chunks = splitMessage('x'.repeat(50 * 1024 * 1024), 100)![Symbol.iterator]();
    const before = process.memoryUsage().arrayBuffers;
    expect(chunks.next().value).toMatchObject({ segmentId: 0 });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5 * 1024 * 1024);
  });
});

const EMPTY: ChunkFields = { segmentId: 0, segmentCount: 0, messageSizeBytes: 0, chunkBase64: '' };
