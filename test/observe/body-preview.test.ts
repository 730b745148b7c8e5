import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutBytes, maskTokens, previewBody } from '../../src/observe/body-preview.js';
import { REDACTED, Secret } from '../../src/protocol/secret.js';

const preview = (text: string, known: readonly Secret[] = []) => previewBody(Buffer.from(text), known);
const JWT = 'eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJlbWFpbCI6ImFAZXhhbXBsZS5jb20ifQ.sig';

describe('previewBody', () => {
  it('RC-11: redacts the three names at any depth of a JSON body and leaves the rest readable', () => {
    const body = {
      remote_control_token: 'rct-1',
      deep: [{ pairing_code: 'AAAA' }, { deeper: { manual_pairing_code: 'BBBB-CCCC', kept: 'kept words' } }],
      server_id: 'srv_e_0123456789abcdef0123',
    };
    expect(JSON.parse(preview(JSON.stringify(body)))).toEqual({
      remote_control_token: REDACTED,
      deep: [{ pairing_code: REDACTED }, { deeper: { manual_pairing_code: REDACTED, kept: 'kept words' } }],
      server_id: 'srv_e_0123456789abcdef0123',
    });
  });

  it('RC-11: redacts a secret whatever its type, and JSON that is quoted inside JSON', () => {
    const shown = preview('{"pairing_code":["AAAA"],"error":"{\\"remote_control_token\\":\\"abc\\"}"}');
    expect(shown).not.toMatch(/AAAA|abc/);
  });

  it('RC-11: JSON nested deeper than the stack is still redacted', () => {
    const shown = preview(`${'['.repeat(100_000)}{"remote_control_token":"hunter2"}${']'.repeat(100_000)}`);
    expect(shown).not.toContain('hunter2');
    expect(preview(`[[[{"remote_control_token":"hunter2"`)).toBe(`[[[{"remote_control_token":${REDACTED}`);
  });

  it.each([
    ['a JWT', JWT],
    ['a bearer header', 'Bearer abcdef'],
    ['a lower-case bearer', 'bearer a1'],
    ['an API key', 'sk-proj_abc123'],
    ['a server token', 'rct-0011aabb'],
    ['a long base64 run', 'dGhpcyBpcyBhIHNlY3JldCB0b2tlbg=='],
    ['a long hex run', '0123456789abcdef0123456789abcdef'],
    ['a long mixed-case run', 'QwErTyUiOpAsDfGhJkLz'],
    ['a named token in broken JSON', '{"remote_control_token": "x", '],
    ['a named code in a form', 'pairing_code=WXYZ&x=1'],
  ])('RC-11: a body that is no JSON masks %s', (_what, token) => {
    const secret = token.replace(/^bearer |"|\{|.*(?:_token|_code)(?:=|": )|[,&].*| $/gi, '') || token;
    const shown = preview(`<html>before ${token} after</html>`);
    expect(shown).toContain(REDACTED);
    expect(shown).toContain('before');
    if (secret.length > 1) expect(shown).not.toContain(secret);
  });

  it.each([
    '<html><title>502 Bad Gateway</title><a href="https://example.com/some/long/path/to/help">help</a></html>',
    'Invalid bearer token',
    'Invalid Sec-WebSocket-Accept header, see /docs/v2/remote-control/troubleshooting',
    'upstream connect error or disconnect/reset before headers. reset reason: connection timeout',
    'x'.repeat(300),
  ])('RC-11: words are left alone: %s', (text) => {
    expect(preview(text)).toBe(text);
  });

  it('RC-11: a value that the engine sent is never shown, whatever it looks like', () => {
    const known = [new Secret('correct horse')];
    expect(preview('{"echo":"correct horse","correct horse":1}', known)).not.toContain('correct horse');
    expect(preview('you sent: correct horse', known)).toBe(`you sent: ${REDACTED}`);
  });

  it('RC-11: at most 4,096 bytes, cut at a character boundary, one line', () => {
    for (const text of [
      'x'.repeat(4_097),
      'ä'.repeat(3_000),
      '€'.repeat(3_000),
      '😀'.repeat(2_000),
      'a\n'.repeat(4_000),
    ]) {
      const shown = preview(text);
      expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(4_096);
      expect(Buffer.byteLength(shown)).toBeGreaterThan(4_088);
      expect(shown).not.toMatch(/\uFFFD|\n/);
    }
    expect(preview('x'.repeat(4_096))).toBe('x'.repeat(4_096));
    expect(preview('')).toBe('<empty>');
    expect(preview(' \n ')).toBe('<empty>');
  });

  it('RC-11: bytes that are not UTF-8 are shown as well as possible', () => {
    expect(previewBody(Buffer.from([0x61, 0xff, 0x00, 0x62]), [])).toBe('a\uFFFD b');
  });

  it('RC-11: a secret in one of the named members is never shown, in any JSON', () => {
    const secretName = fc.constantFrom('remote_control_token', 'pairing_code', 'manual_pairing_code');
    const doc = fc
      .tuple(fc.jsonValue(), secretName, fc.array(fc.constantFrom('a', 'b', 0, 1), { maxLength: 6 }))
      .map(([other, name, path]) =>
        path.reduce<unknown>((inner, key) => (typeof key === 'number' ? [inner] : { [key]: inner, other }), {
          [name]: 'THE-SECRET-9',
        }),
      );
    fc.assert(fc.property(doc, (value) => !preview(JSON.stringify(value)).includes('THE-SECRET-9')));
  });
});

describe('cutBytes', () => {
  it('RC-11: never passes the limit and never splits a character', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 60 }),
        fc.integer({ min: 3, max: 80 }),
        (text, limit) => {
          const cut = cutBytes(text, limit);
          expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
          if (cut !== text) expect(text.startsWith(cut.slice(0, -1)) && cut.endsWith('…')).toBe(true);
        },
      ),
    );
  });
});

describe('maskTokens', () => {
  const part = (bytes: number) => randomBytes(bytes).toString('base64url');
  const HEAD = Buffer.from('{"alg":"RS256","typ":"JWT"}').toString('base64url');
  /** Tokens of one issuer begin with the same characters. */
  const KNOWN = `${HEAD}.eyJzdWIiOiJ1c2VyLTEifQ.${part(48)}`;
  const escapedWith = (spell: (code: number) => string) => (text: string) =>
    [...text].map((char) => spell(char.charCodeAt(0))).join('');
  const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
    'as it is': (text) => text,
    'in JSON': (text) => JSON.stringify(text),
    'in hex': (text) => Buffer.from(text).toString('hex'),
    'in base64': (text) => Buffer.from(text).toString('base64'),
    'in base64url': (text) => Buffer.from(text).toString('base64url'),
    percent: escapedWith((code) => `%${code.toString(16)}`),
    'percent twice': escapedWith((code) => `%25${code.toString(16)}`),
    'as escapes of JSON': escapedWith((code) => `\\u${code.toString(16).padStart(4, '0')}`),
    'as escapes of JSON in JSON': escapedWith((code) => `\\\\u${code.toString(16).padStart(4, '0')}`),
    'as escapes of JavaScript': escapedWith((code) => `\\x${code.toString(16)}`),
    'as references of HTML': escapedWith((code) => `&#${code};`),
    'as hex references of HTML': escapedWith((code) => `&#x${code.toString(16)};`),
  };

  it.each(Object.entries(SPELLINGS))(
    'RC-11: a token that the engine never had leaves no fragment beside parts of one that it had, spelled %s',
    (_name, spell) => {
      for (let n = 0; n < 50; n += 1) {
        const tokens = {
          'with the same head': `${HEAD}.${part(30)}.${part(40)}`,
          'with its first half': `${KNOWN.slice(0, 60)}${part(12)}.${part(9)}`,
          'with its end': `eyJ${part(9)}.${part(12)}${KNOWN.slice(-24)}`,
          'with its middle': `sk-${part(12)}${KNOWN.slice(40, 70)}${part(12)}`,
          opaque: `${part(33)}-12345`,
        };
        for (const [what, token] of Object.entries(tokens)) {
          const shown = maskTokens(`refused <${spell(token)}>, sorry`, [new Secret(KNOWN)]);
          expect(shown.replaceAll('"', ''), what).toBe(`refused <${REDACTED}>, sorry`);
        }
      }
    },
  );

  it('RC-11: masks quickly, also text that is built to be slow', () => {
    const started = performance.now();
    for (const text of [
      'eyJ'.repeat(30_000),
      '"'.repeat(70_000),
      'Bearer '.repeat(10_000),
      'a.'.repeat(40_000),
      `${KNOWN.slice(50, 75)}-x`.repeat(3_000),
    ]) {
      maskTokens(text, [new Secret(KNOWN)]);
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
