import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameLog } from '../../src/backend/frame-log.js';

const drain = (log: FrameLog): string[] => {
  const frames: string[] = [];
  for (let frame = log.next(); frame !== undefined; frame = log.next()) frames.push(frame);
  return frames;
};

describe('FrameLog', () => {
  it('RC-37: a message of several frames is sent again from its first one', () => {
    const log = new FrameLog();
    log.append('s', 1, () => ['a1']);
    log.append('s', 1, () => ['b1', 'b2', 'b3']);
    expect([log.next(), log.next(), log.next()]).toEqual(['a1', 'b1', 'b2']);
    expect(log.sentPosition).toBe(1);
    log.taken(1);
    log.resume(0);
    expect(drain(log)).toEqual(['b1', 'b2', 'b3']);
    expect(log.sentPosition).toBe(2);
  });

  it('RC-37: whatever happens, a server sees each live message, in order, after the position it named', () => {
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
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('taken' as const), back: fc.nat({ max: 3 }) }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('reconnect' as const), back: fc.nat({ max: 3 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('drop' as const), stream: fc.constantFrom('a', 'b', 'c') }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const log = new FrameLog();
        let made: { position: number; stream: string; frames: string[] }[] = [];
        let proved = 0;
        let received: string[] = [];
        let base = 0;
        let position = 0;
        for (const action of steps) {
          if (action.kind === 'append') {
            position += 1;
            const frames = Array.from({ length: action.frames }, (_, n) => `${position}.${n}`);
            made.push({ position, stream: action.stream, frames });
            log.append(action.stream, 1, () => frames);
          }
          if (action.kind === 'send') {
            for (let n = 0; n < action.count; n += 1) {
              const frame = log.next();
              if (frame !== undefined) received.push(frame);
            }
          }
          if (action.kind === 'taken') {
            proved = Math.max(proved, Math.max(0, log.sentPosition - action.back));
            log.taken(Math.max(0, log.sentPosition - action.back));
          }
          if (action.kind === 'reconnect') {
            // A server does not take back what it once said to have taken.
            base = Math.max(proved, log.sentPosition - action.back);
            proved = base;
            log.resume(base);
            received = [];
          }
          if (action.kind === 'drop') {
            log.drop(action.stream);
            const gone = new Set(
              made.filter(({ stream }) => stream === action.stream).flatMap(({ frames }) => frames),
            );
            made = made.filter(({ stream }) => stream !== action.stream);
            received = received.filter((frame) => !gone.has(frame));
          }
        }
        received.push(...drain(log));
        const wanted = made.filter((entry) => entry.position > Math.max(base, 0));
        const mustHave = wanted.filter((entry) => entry.position > proved).flatMap(({ frames }) => frames);
        const mayHave = wanted.flatMap(({ frames }) => frames);
        expect(mayHave).toEqual(expect.arrayContaining(received));
        expect(received).toEqual(expect.arrayContaining(mustHave));
        const order = received.map((frame) => mayHave.indexOf(frame));
        expect(order).toEqual([...order].sort((x, y) => x - y));
        expect(log.hasNext).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('counts the bytes that each stream has waiting', () => {
    const log = new FrameLog();
    log.append('a', 10, () => ['1']);
    log.append('b', 5, () => ['2']);
    log.append('a', 1, () => ['3']);
    expect([log.bytesOf('a'), log.bytesOf('b'), log.bytesOf('c')]).toEqual([11, 5, 0]);
    drain(log);
    log.taken(1);
    expect(log.bytesOf('a')).toBe(1);
    log.drop('a');
    expect([log.bytesOf('a'), log.size]).toEqual([0, 1]);
    log.resume(2);
    expect([log.bytesOf('b'), log.size, log.sentPosition]).toEqual([0, 0, 3]);
  });
});
