import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../src/net/retry-after.js';

const NOW = Date.parse('2026-11-20T12:00:00Z');

describe('parseRetryAfter', () => {
  it.each<[string, number]>([
    ['8', 8_000],
    [' 120 ', 120_000],
    ['Fri, 20 Nov 2026 12:01:00 GMT', 60_000],
    ['Friday, 20-Nov-26 12:01:00 GMT', 60_000],
    ['Fri Nov 20 12:01:00 2026', 60_000],
  ])('RC-12: honors %j', (value, delay) => {
    expect(parseRetryAfter(value, NOW)).toBe(NOW + delay);
  });

  it.each([undefined, '', '0', '-5', '1.5', 'soon', '2 seconds', 'Fri, 20 Nov 2026 11:59:00 GMT'])(
    'RC-12: ignores %j',
    (value) => {
      expect(parseRetryAfter(value, NOW)).toBeUndefined();
    },
  );

  it.each(['9'.repeat(40), '3601', '31536000', 'Fri, 31 Dec 9999 23:59:59 GMT'])(
    'RC-12: cuts %j to one hour',
    (value) => {
      expect(parseRetryAfter(value, NOW)).toBe(NOW + 3_600_000);
    },
  );
});
