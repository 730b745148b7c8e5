import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../src/adapters/hmac-key.js';
import { Secret } from '../../src/protocol/secret.js';

const hex = (base64url: string): string => Buffer.from(base64url, 'base64url').toString('hex');

describe('HMAC-SHA-256', () => {
  it.each([
    [
      'case 2',
      'Jefe',
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    [
      'case 1',
      '\u000b'.repeat(20),
      'Hi There',
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    ],
  ])('RFC 4231, %s', (_, key, text, expected) => {
    expect(hex(new HmacKey(new Secret(key)).sign(text))).toBe(expected);
  });

  it('WSA-12: is what Node says, for keys and texts of every length, one after the other', () => {
    const text = fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 200 }));
    fc.assert(
      fc.property(text, fc.array(text, { minLength: 1, maxLength: 3 }), (key, texts) => {
        const mine = new HmacKey(new Secret(key));
        for (const one of texts) {
          expect(mine.sign(one)).toBe(createHmac('sha256', key).update(one).digest('base64url'));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('shows nothing of the key', () => {
    expect(JSON.stringify(new HmacKey(new Secret('shared-secret')))).toBe('{}');
  });
});
