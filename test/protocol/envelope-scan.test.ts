import { describe, expect, it } from 'vitest';
import { EnvelopeScan } from '../../src/protocol/envelope-scan.js';

/** The envelope of a text that arrives in parts of this size. */
function scan(text: string, size = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(text);
  const scan = new EnvelopeScan();
  for (let at = 0; at < bytes.length; at += size) scan.feed(bytes.subarray(at, at + size));
  return scan.envelope;
}

describe('RC-72: the envelope of a message that is too large', () => {
  it.each([
    ['{"id":1,"method":"m","params":{"pad":"yyy"}}', { kind: 'request', id: '1' }],
    [
      '{"method":"m","params":{"id":7,"a":["]}\\"",{"id":8}]},"id":12345678901234567890}',
      { kind: 'request', id: '12345678901234567890' },
    ],
    [
      '\ufeff {"params":{"method":1}, "id" : "ü\\n\\"x" , "method" : "m"}\r',
      { kind: 'request', id: '"ü\\n\\"x"' },
    ],
    ['{"result":"a long string, with { and \\\\","id":-3}', { kind: 'response', id: '-3' }],
    ['{"id":3,"error":{"code":1,"message":"x"}}', { kind: 'response', id: '3' }],
    ['{"\\u0069d":4,"m\\u0065thod":"m"}', { kind: 'request', id: '4' }],
    ['{"jsonrpc":"2.0","id":0,"method":"m"}', { kind: 'request', id: '0' }],
  ])('%s', (text, envelope) => {
    for (const size of [1, 2, 3, 7, 1_000]) expect(scan(text, size)).toEqual(envelope);
  });

  it.each([
    '{"method":"notification","params":{"id":1}}',
    '{"id":1,"id":2,"method":"m"}',
    '{"id":{"a":1},"method":"m"}',
    '{"id":[1],"method":"m"}',
    '{"id":null,"result":1}',
    '{"id":01,"method":"m"}',
    '{"id":true,"method":"m"}',
    '{"id":1,"method":"m","result":1}',
    '{"id":1,"result":1,"m\\u0065thod":"m"}',
    '{"id":1,"result":1,"Method":"m"}',
    '{"id":1,"\\u0049d":2,"method":"m"}',
    '{"id":1}',
    '{"id":1,"method":"m"',
    '{"id":1,"method":"m"}}',
    '{"id":1,"method":"m"} {"id":2}',
    '[{"id":1,"method":"m"}]',
    '{"id":1,"method":"m"]',
    '{{"id":1,"method":"m"}}',
    'no JSON',
    '',
  ])('is unknown for %s', (text) => {
    for (const size of [1, 3, 1_000]) expect(scan(text, size)).toBeUndefined();
  });

  it('an id that is too long is unknown, and a long name or method is no obstacle', () => {
    const long = 'x'.repeat(5_000);
    expect(scan(`{"id":"${long}","method":"m"}`)).toBeUndefined();
    expect(scan(`{"${long}":"${long}","method":"${long}","id":4}`, 100)).toEqual({
      kind: 'request',
      id: '4',
    });
  });
});
