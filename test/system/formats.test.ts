import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRfc3339 } from '../../src/system/formats.js';

describe('parseRfc3339', () => {
  it('RC-9: reads what Date writes', () => {
    const date = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true });
    fc.assert(fc.property(date, (when) => parseRfc3339(when.toISOString()) === when.getTime()));
  });

  it.each([
    ['2026-11-20T21:04:32Z', '2026-11-20T21:04:32.000Z'],
    ['2026-11-20T21:04:32.986186368Z', '2026-11-20T21:04:32.986Z'],
    ['2026-11-20t21:04:32z', '2026-11-20T21:04:32.000Z'],
    ['2026-11-20 21:04:32+00:00', '2026-11-20T21:04:32.000Z'],
    ['2026-11-20T21:04:32+05:30', '2026-11-20T15:34:32.000Z'],
    ['2026-01-01T00:00:00-08:00', '2026-01-01T08:00:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.000Z'],
  ])('RC-9: %s is %s', (text, expected) => {
    expect(new Date(parseRfc3339(text) ?? Number.NaN).toISOString()).toBe(expected);
  });

  it.each([
    '',
    'tomorrow',
    '1795208672',
    '2026-11-20',
    '2026-11-20T21:04:32',
    '2026-11-20T21:04Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-11-20T24:00:00Z',
    '2026-11-20T21:60:00Z',
    '2026-11-20T21:04:32+25:00',
    '2026-11-20T21:04:32Z ',
    'Fri, 20 Nov 2026 21:04:32 GMT',
  ])('RC-9: %j is no time', (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });
});
