import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonSyntaxError } from '../../src/home/json-syntax.js';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('search for a syntax error in JSON', () => {
  it('finds none in valid JSON', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), fc.constantFrom(0, 1, '\t'), (json, space) => {
        expect(findJsonSyntaxError(JSON.stringify(JSON.parse(json), null, space))).toBeUndefined();
      }),
    );
  });

  it('finds one exactly when JSON.parse fails', () => {
    const sign = fc.constantFrom(
      ...'{}[]",:\\/ \n\t0123456789.eE+-truefalsn\'#\u0000\u007fä😀',
      '\\u00e4',
      '\ud800',
    );
    const spoilt = fc
      .tuple(fc.json(), fc.nat(), fc.nat({ max: 2 }), fc.array(sign, { maxLength: 2 }))
      .map(([json, at, drop, put]) => {
        const start = at % (json.length + 1);
        return json.slice(0, start) + put.join('') + json.slice(start + drop);
      });
    const noise = fc.array(sign, { maxLength: 12 }).map((signs) => signs.join(''));
    fc.assert(
      fc.property(fc.oneof(spoilt, noise), (text) => {
        expect(findJsonSyntaxError(text) === undefined).toBe(isJson(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it('gives line and column, counted from 1', () => {
    expect(findJsonSyntaxError('[\n  1,\r\n  x]')).toEqual({
      line: 3,
      column: 3,
      problem: 'expected a value',
    });
    expect(findJsonSyntaxError('["ä😀" 1]')).toMatchObject({ line: 1, column: 8 });
    expect(findJsonSyntaxError('{"a": "b\n"}')).toEqual({
      line: 1,
      column: 9,
      problem: 'the string is not closed',
    });
    expect(findJsonSyntaxError('{"a": tru}')).toMatchObject({ line: 1, column: 7 });
    expect(findJsonSyntaxError('{"a" 1}')).toMatchObject({ column: 6, problem: 'expected a colon' });
  });

  it('reports deep nesting as an error', () => {
    expect(findJsonSyntaxError('['.repeat(100_000))).toMatchObject({ problem: 'nested too deeply' });
  });
});
