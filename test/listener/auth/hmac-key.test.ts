import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../../src/listener/auth/hmac-key.js';
import { Secret } from '../../../src/protocol/secret.js';

const keyOf = (text: string) => new HmacKey(new Secret(text));
const nodeSays = (key: string, text: string) => createHmac('sha256', key).update(text).digest('base64url');
const text = fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 200 }));

describe('HMAC-SHA-256', () => {
  it.each([
    [
      'case 1',
      '\u000b'.repeat(20),
      'Hi There',
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    ],
    [
      'case 2',
      'Jefe',
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
  ])('RFC 4231, %s', (_, key, message, hex) => {
    expect(keyOf(key).verify(message, Buffer.from(hex, 'hex').toString('base64url'))).toBe(true);
  });

  it('WSA-12: takes the code that Node makes, for keys and texts of every kind, one after the other', () => {
    fc.assert(
      fc.property(text, fc.array(text, { minLength: 1, maxLength: 3 }), (key, texts) => {
        const mine = keyOf(key);
        for (const one of texts) expect(mine.verify(one, nodeSays(key, one))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([2_047, 2_048, 2_049, 15_000])(
    'takes a text of %i bytes, and one that is shorter after it',
    (length) => {
      const key = keyOf('key');
      for (const one of ['x'.repeat(length), `${'x'.repeat(length - 2)}\u00e9`, 'short']) {
        expect(key.verify(one, nodeSays('key', one))).toBe(true);
      }
    },
  );

  it('WSA-12: takes no other code, whatever was compared before it', () => {
    fc.assert(
      fc.property(
        text,
        fc.nat(42),
        fc.string({ unit: 'binary', maxLength: 2 }),
        fc.nat(2),
        (one, at, put, cut) => {
          const right = nodeSays('key', one);
          const wrong = right.slice(0, at) + put + right.slice(at + cut);
          const key = keyOf('key');
          expect(key.verify(one, right)).toBe(true);
          expect(key.verify(one, wrong)).toBe(wrong === right);
          expect(key.verify(`${one}.`, right)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('shows nothing of the key', () => {
    expect(JSON.stringify(keyOf('shared-secret'))).toBe('{}');
  });
});
