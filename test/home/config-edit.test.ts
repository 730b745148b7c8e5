import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberLine, withMember, withoutMember } from '../../src/home/config-edit.js';

describe('a change of one key in a configuration file', () => {
  it.each<[string | undefined, string, unknown, string]>([
    [undefined, 'a', 1, '{\n  "a": 1\n}\n'],
    ['{}', 'a', 1, '{\n  "a": 1\n}'],
    ['{ }\n', 'a', 1, '{\n  "a": 1\n}\n'],
    ['{"a":1}', 'a', 2, '{"a":2}'],
    ['{"a":1}', 'b', [1, 'x'], '{"a":1, "b": [1, "x"]}'],
    [
      '{\n    "a": "}",\n    "b": {"a": 1}\n}\n',
      'c',
      true,
      '{\n    "a": "}",\n    "b": {"a": 1},\n    "c": true\n}\n',
    ],
    ['{\n\t"a":   [1,\n2]\n}', 'a', 'x', '{\n\t"a":   "x"\n}'],
  ])('%j with %s = %j', (text, name, value, expected) => {
    expect(withMember(text, name, value)).toBe(expected);
  });

  it.each([
    ['{"a":1,"b":2}', 'a', '{"b":2}'],
    ['{"a":1,"b":2}', 'b', '{"a":1}'],
    ['{\n  "a": 1\n}\n', 'a', '{\n  }\n'],
    ['{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', 'b', '{\n  "a": 1,\n  "c": 3\n}'],
    ['{"a":1}', 'x', '{"a":1}'],
  ])('%j without %s', (text, name, expected) => {
    expect(withoutMember(text, name)).toBe(expected);
  });

  it('is what a change of the parsed object would be, for any object', () => {
    const name = fc.constantFrom('a', 'b', '"', 'c"}', '\\', 'ä');
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.jsonValue()),
        name,
        fc.jsonValue(),
        fc.nat(3),
        (object, key, value, space) => {
          const { [key]: _, ...others } = object;
          const text = JSON.stringify(object, null, space);
          expect(JSON.parse(withMember(text, key, value))).toEqual(
            JSON.parse(JSON.stringify({ ...object, [key]: value })),
          );
          expect(JSON.parse(withoutMember(text, key))).toEqual(JSON.parse(JSON.stringify(others)));
        },
      ),
    );
  });

  it('a key has a line', () => {
    expect(memberLine('{\n  "a": "\\n",\n\n  "b": 1\n}', 'b')).toBe(4);
    expect(memberLine('{}', 'b')).toBeUndefined();
  });
});
