import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameLog } from '../../src/backend/frame-log.js';

const drain = (log: FrameLog): string[] => {
  const frames: string[] = [];
  for (let frame = log.next(); frame !== undefined; frame = log.next()) frames.push(frame);
  return frames;
};

/** One operation on the log. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      stream: fc.constantFrom('a', 'b', 'c'),
      frames: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('send' as const), count: fc.nat({ max: 5 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('confirm' as const), back: fc.nat({ max: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('reconnect' as const), back: fc.nat({ max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('discard' as const),
      stream: fc.constantFrom('a', 'b', 'c'),
    }),
  },
);

describe('FrameLog', () => {
  it('RC-37: a message of several frames is sent again from its first one', () => {
    const log = new FrameLog();
    log.append('s', 1, () => ['a1']);
    log.append('s', 1, () => ['b1', 'b2', 'b3']);
    expect([log.next(), log.next(), log.next()]).toEqual(['a1', 'b1', 'b2']);
    expect(log.sentPosition).toBe(1);
    log.confirm(1);
    log.resume(0);
    expect(drain(log)).toEqual(['b1', 'b2', 'b3']);
    expect(log.sentPosition).toBe(2);
  });

  it('RC-37: after any sequence of operations, a server gets each live message in order, after the position it named', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const log = new FrameLog();
        let appended: { position: number; stream: string; frames: string[] }[] = [];
        let confirmed = 0;
        let received: string[] = [];
        let base = 0;
        let position = 0;
        for (const action of steps) {
          if (action.kind === 'append') {
            position += 1;
            const frames = Array.from({ length: action.frames }, (_, n) => `${position}.${n}`);
            appended.push({ position, stream: action.stream, frames });
            log.append(action.stream, 1, () => frames);
          }
          if (action.kind === 'send') {
            for (let n = 0; n < action.count; n += 1) {
              const frame = log.next();
              if (frame !== undefined) received.push(frame);
            }
          }
          if (action.kind === 'confirm') {
            confirmed = Math.max(confirmed, Math.max(0, log.sentPosition - action.back));
            log.confirm(Math.max(0, log.sentPosition - action.back));
          }
          if (action.kind === 'reconnect') {
            // A server never names a position before one that it has confirmed.
            base = Math.max(confirmed, log.sentPosition - action.back);
            confirmed = base;
            log.resume(base);
            received = [];
          }
          if (action.kind === 'discard') {
            log.discard(action.stream);
            const discarded = new Set(
              appended.filter(({ stream }) => stream === action.stream).flatMap(({ frames }) => frames),
            );
            appended = appended.filter(({ stream }) => stream !== action.stream);
            received = received.filter((frame) => !discarded.has(frame));
          }
        }
        received.push(...drain(log));
        const remaining = appended.filter((entry) => entry.position > Math.max(base, 0));
        const mustHave = remaining
          .filter((entry) => entry.position > confirmed)
          .flatMap(({ frames }) => frames);
        const mayHave = remaining.flatMap(({ frames }) => frames);
        expect(mayHave).toEqual(expect.arrayContaining(received));
        expect(received).toEqual(expect.arrayContaining(mustHave));
        const order = received.map((frame) => mayHave.indexOf(frame));
        expect(order).toEqual([...order].sort((x, y) => x - y));
        expect(log.next()).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('counts the logged bytes of each stream', () => {
    const log = new FrameLog();
    log.append('a', 10, () => ['1']);
    log.append('b', 5, () => ['2']);
    log.append('a', 1, () => ['3']);
    expect([log.bytesOf('a'), log.bytesOf('b'), log.bytesOf('c')]).toEqual([11, 5, 0]);
    drain(log);
    log.confirm(1);
    expect(log.bytesOf('a')).toBe(1);
    log.discard('a');
    expect([log.bytesOf('a'), log.size]).toEqual([0, 1]);
    log.resume(2);
    expect([log.bytesOf('b'), log.size, log.sentPosition]).toEqual([0, 0, 3]);
  });
});
