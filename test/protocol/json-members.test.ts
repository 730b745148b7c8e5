import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberText, repeatedMember, topLevelMembers } from '../../src/protocol/json-members.js';

/** JSON with spaces and escapes that a serializer may write. */
const loose = fc.tuple(fc.jsonValue(), fc.nat({ max: 3 })).map(([value, indent]) => {
  const text = JSON.stringify(value, null, indent);
  return indent === 2
    ? text.replace(/[a-z](?=[^"\\]*")/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)
    : text;
});
const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const messageOf = (frame: string) => memberText(frame, 'message');

describe('memberText', () => {
  it('design 2.7: gives the message as it was written, with its numbers', () => {
    const raw = '{ "id":12345678901234567890 ,"params" : {"a":1.0,"b":[{"message":"}"}]} }';
    for (const frame of [
      `{"type":"client_message","message":${raw},"client_id":"c"}`,
      `{"message":${raw}}`,
      ` {\n"client_id" : "a\\"}{\\\\" , "message" :\t${raw}\r\n} `,
    ]) {
      expect(messageOf(frame)).toBe(raw);
    }
  });

  it('takes the last of duplicate members, as JSON.parse does', () => {
    expect(messageOf('{"message":{"a":1},"message":{"a":2}}')).toBe('{"a":2}');
    expect(messageOf('{"message":{"a":1},"mess\\u0061ge":[3]}')).toBe('[3]');
  });

  it('is not misled by nested members, strings with braces, or keys that only look alike', () => {
    expect(messageOf('{"x":{"message":1},"y":"\\"message\\":{","mess\\\\age":4}')).toBeUndefined();
    expect(messageOf('{"x":"\\\\","message":{"s":"}\\\\\\""}}')).toBe('{"s":"}\\\\\\""}');
  });

  it('gives nothing for text that is not an object or is truncated', () => {
    for (const text of ['', '[]', '"message"', '{"message', '{"message":', '{"message":{"a":"', '{"a" 1}']) {
      expect(messageOf(text) ?? '', text).toBe('');
    }
  });

  it('agrees with JSON.parse for any object', () => {
    const member = fc.tuple(
      fc.oneof(fc.constantFrom('message', 'type', 'mess\\u0061ge'), fc.constant('other')),
      loose,
    );
    const spaces = fc.constantFrom('', ' ', '\n', '\t\r\n');
    fc.assert(
      fc.property(fc.array(member, { maxLength: 6 }), spaces, (members, space) => {
        const text = `${space}{${members
          .map(([key, value]) => `${space}"${key}"${space}:${space}${value}${space}`)
          .join(',')}}${space}`;
        fc.pre(isJson(text));
        const sliced = messageOf(text);
        const parsed: unknown = (JSON.parse(text) as Record<string, unknown>).message;
        if (parsed === undefined) expect(sliced).toBeUndefined();
        else {
          expect(JSON.parse(sliced ?? '')).toEqual(parsed);
          expect(members.map(([, value]) => value)).toContain(sliced);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never throws and always ends, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]":,\\ am1') }), (text) => {
        messageOf(`{"message${text}`);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('repeatedMember', () => {
  it.each([
    ['{}', undefined, undefined],
    [' { "a" : 1 , "b" : {"a":1,"A":2} } ', undefined, undefined],
    ['{"a":1,"a":2}', 'a', 'a'],
    ['{"a":[{"b":"}"}],"b":"\\"","B":1}', undefined, 'b'],
    ['{"ab":1,"\\u0061b":2}', 'ab', 'ab'],
    ['[]', undefined, undefined],
  ])('WSA-7: finds the repeated name in %s: %s, ignoring case: %s', (text, exact, ignoringCase) => {
    expect(isJson(text)).toBe(true);
    expect(repeatedMember(text)).toBe(exact);
    expect(repeatedMember(text, { ignoreCase: true })).toBe(ignoringCase);
  });
});

describe('topLevelMembers', () => {
  it('gives each value as it was written', () => {
    const found = topLevelMembers(' { "a" : 1.0 , "b\\u0063" : [ 1 ] , "d":"," } ');
    expect([...(found ?? [])]).toEqual([
      ['a', '1.0'],
      ['bc', '[ 1 ]'],
      ['d', '","'],
    ]);
  });

  it('gives nothing for a repeated name or a value that is not an object, and throws for invalid JSON', () => {
    for (const text of ['{"a":1,"\\u0061":2}', '[]', 'null', '"a"', '1']) {
      expect(topLevelMembers(text), text).toBeUndefined();
    }
    expect(() => topLevelMembers('{"a":1')).toThrow(SyntaxError);
  });
});
