import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameBatch } from '../../../src/remote-control/link/frame-batch.js';

interface Read {
  readonly text: string;
  readonly mask: string;
}

/** Parses masked text frames as a server does. */
function read(bytes: Buffer): Read[] {
  const frames: Read[] = [];
  let at = 0;
  while (at < bytes.length) {
    expect(bytes[at]).toBe(0x81);
    expect(bytes[at + 1]! & 0x80).toBe(0x80);
    let length = bytes[at + 1]! & 0x7f;
    at += 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at);
      expect(length).toBeGreaterThan(125);
      at += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at));
      expect(length).toBeGreaterThan(65_535);
      at += 8;
    }
    const mask = bytes.subarray(at, at + 4);
    at += 4;
    const payload = Buffer.from(bytes.subarray(at, at + length).map((byte, i) => byte ^ mask[i % 4]!));
    expect(payload.length).toBe(length);
    at += length;
    frames.push({ text: payload.toString(), mask: mask.toString('hex') });
  }
  return frames;
}

describe('FrameBatch', () => {
  it('RFC 6455: a server reads the frames that were added, in order, for any lengths and any calls of take', () => {
    const unit = fc.constantFrom('a', 'é', '漢', '😀');
    const length = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 60, max: 130 }),
      fc.integer({ min: 16_000, max: 33_000 }),
      fc.constantFrom(125, 126, 65_535, 65_536, 100_000),
    );
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ unit, length, asBytes: fc.boolean() }) },
      { weight: 1, arbitrary: fc.constant('take' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const batch = new FrameBatch();
        const added: string[] = [];
        const taken: Buffer[] = [];
        for (const [n, one] of [...steps, 'take' as const].entries()) {
          if (one === 'take') {
            const { size } = batch;
            const pieces = batch.take();
            expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(size);
            expect(batch.size).toBe(0);
            taken.push(...pieces);
            continue;
          }
          const text = `${n}${one.unit.repeat(one.length)}`;
          added.push(text);
          batch.add(one.asBytes ? Buffer.from(text) : text);
        }
        expect(read(Buffer.concat(taken)).map(({ text }) => text)).toEqual(added);
      }),
      { numRuns: 60 },
    );
  });

  it('does not change the bytes it was given', () => {
    const batch = new FrameBatch();
    const bytes = Buffer.from('x'.repeat(200_000));
    batch.add(bytes);
    batch.take();
    expect(bytes.equals(Buffer.alloc(200_000, 'x'))).toBe(true);
  });

  it('RFC 6455: each frame has its own mask', () => {
    const batch = new FrameBatch();
    for (let n = 0; n < 3_000; n += 1) batch.add('frame');
    const masks = read(Buffer.concat(batch.take())).map(({ mask }) => mask);
    expect(new Set(masks).size).toBeGreaterThan(2_990);
  });

  it('puts small frames of many turns into one block of memory', () => {
    const batch = new FrameBatch();
    const memory = new Set<unknown>();
    for (let n = 0; n < 100; n += 1) {
      batch.add(`frame ${n}`);
      for (const piece of batch.take()) memory.add(piece.buffer);
    }
    expect(memory.size).toBe(1);
  });
});
