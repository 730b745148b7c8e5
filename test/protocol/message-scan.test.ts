import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Message } from '../../src/protocol/message.js';
import { MAX_DEPTH, scanMessage } from '../../src/protocol/message-scan.js';

/** What JSON.parse says about a text. */
function parsedKind(text: string): 'object' | 'notAnObject' | 'notJson' {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'notJson';
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? 'object' : 'notAnObject';
}

function scannedKind(text: string): string {
  const scan = scanMessage(text);
  return typeof scan === 'string' ? scan : 'object';
}

describe('WSA-33: scanMessage', () => {
  it('takes for JSON what JSON.parse takes for JSON', () => {
    const indents = fc.constantFrom(undefined, 1, '\t');
    fc.assert(
      fc.property(fc.jsonValue(), indents, (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(scannedKind(text)).toBe(parsedKind(text));
        expect(scannedKind(JSON.stringify({ id: 1, value }, null, indent))).toBe('object');
      }),
      { numRuns: 500 },
    );
  });

  it('and so with a character too much, too little, or another one', () => {
    const characters = [...'"\\{}[],:01-+e.tnu \n', '\u0001', '\u007f', '\ud800'];
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), fc.constantFrom(...characters), (value, place, character) => {
        const text = JSON.stringify({ a: value });
        const at = place % (text.length + 1);
        const changed = [
          text.slice(0, at) + character + text.slice(at),
          text.slice(0, at) + character + text.slice(at + 1),
          text.slice(0, at) + text.slice(at + 1),
        ];
        for (const one of changed) expect(scannedKind(one), one).toBe(parsedKind(one));
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads numbers and escapes as JSON.parse does, whatever they are', () => {
    const numbers = fc.string({ unit: fc.constantFrom(...'-+.eE0129 '), maxLength: 8 });
    const escapes = fc
      .string({ unit: fc.constantFrom(...'\\u09afAFgGnx/b"\u0000é'), maxLength: 40 })
      .map((inner) => `"${inner}"`);
    fc.assert(
      fc.property(fc.oneof(numbers, escapes), (value) => {
        for (const text of [`{"a":${value}}`, `{"a":[${value},${value}]}`])
          expect(scannedKind(text), text).toBe(parsedKind(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    '',
    ' ',
    '{',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":"\\x"}',
    '{"a":"\\u12"}',
    '{"a":"\t"}',
    '{"a":tru}',
    '{"a":[1}',
    '{"a":1}}',
    '{"a":1} x',
    '\ufeff{}',
  ])('refuses %j', (text) => {
    expect(parsedKind(text)).toBe('notJson');
    expect(scanMessage(text)).toBe('notJson');
  });

  it('finds id, method and params wherever they stand, escaped or not', () => {
    const text = ' { "params" : { "method" : "inner" } , "m\\u0065thod" : "a/b" , "id" : "x" } ';
    const message = Message.from(text);
    expect(message.shape).toEqual({ kind: 'request', id: 'x', method: 'a/b' });
    expect(message.params).toEqual({ method: 'inner' });
    expect(message.text).toBe(text);
    expect(message.ambiguous).toBeNull();
  });

  it.each([
    ['{"id":1,"method":"a","method":"b"}', 'repeated'],
    ['{"id":1,"result":{},"Method":"a"}', 'another case'],
    ['{"id":1,"result":{},"\\u004dETHOD":"a"}', 'another case'],
    ['{"id":1,"method":"a","param\u017f":{}}', 'another case'],
    ['{"id":1,"method":"a","params":{},"param\\u017f":{}}', 'repeated'],
    [`{${Array.from({ length: 40 }, (_, n) => `"k${n}":0`).join(',')}}`, 'too many members'],
  ])('says why %s could be read differently', (text, why) => {
    expect(Message.from(text).ambiguous).toContain(why);
  });

  it('a request that is also a response is not a message', () => {
    expect(Message.from('{"id":1,"method":"a","result":{}}').shape.kind).toBe('invalid');
  });

  it('counts levels, and gives a request with too many of them an error to its id', () => {
    const nested = (levels: number) =>
      `{"params":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)},"method":"a","id":7}`;
    expect(Message.from(nested(64)).depth).toBe(64);
    expect(Message.from(nested(MAX_DEPTH)).shape.kind).toBe('request');
    expect(Message.from(nested(MAX_DEPTH + 1)).shape).toMatchObject({
      kind: 'invalid',
      refused: { id: 7, why: expect.stringContaining('1000 levels') },
    });
    expect(Message.from(nested(200_000)).shape).toMatchObject({ refused: { id: 7 } });
  });
});
