import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { previewBody } from '../../src/observe/body-preview.js';
import { hideKnown } from '../../src/observe/known-secrets.js';
import { REDACTED, Secret } from '../../src/protocol/secret.js';

const jwtLike = (): string =>
  [
    { alg: 'RS256', typ: 'JWT' },
    { sub: 'user-1', exp: 1_900_000_000 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .concat(randomBytes(48).toString('base64url'))
    .join('.');
const TOKEN = jwtLike();
const hide = (text: string, ...known: string[]) =>
  hideKnown(
    text,
    known.map((value) => new Secret(value)),
  );

/** Each part of 20 characters. */
const partsOf = (text: string) =>
  Array.from({ length: text.length - 19 }, (_, at) => text.slice(at, at + 20));
const htmlEscaped = (text: string) => [...text].map((char) => `&#${char.charCodeAt(0)};`).join('');
const unicodeEscaped = (text: string) =>
  [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
const percentEncoded = (text: string) =>
  [...text].map((char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');

/** How a peer may spell what it was sent. Each works on a part, too. */
const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  'in capitals': (text) => text.toUpperCase(),
  'from its end': (text) => [...text].reverse().join(''),
  'in hex': (text) => Buffer.from(text).toString('hex'),
  'in capital hex': (text) => Buffer.from(text).toString('hex').toUpperCase(),
  'in base64': (text) => Buffer.from(text).toString('base64'),
  'in base64url': (text) => Buffer.from(text).toString('base64url'),
  'in base64 with words before it': (text) => Buffer.from(`Bearer ${text}`).toString('base64'),
  percent: percentEncoded,
  'percent twice': (text) => percentEncoded(text).replaceAll('%', '%25'),
  'as escapes of JSON': unicodeEscaped,
  'as escapes of JSON in JSON': (text) => unicodeEscaped(text).replaceAll('\\', '\\\\'),
  'as references of HTML': htmlEscaped,
  'as hex references of HTML': (text) =>
    [...text].map((char) => `&#x${char.charCodeAt(0).toString(16)};`).join(''),
};

describe('hideKnown', () => {
  for (const [name, spell] of Object.entries(SPELLINGS)) {
    it(`RC-11: hides a secret, its end and parts of 20 characters, spelled ${name}`, () => {
      for (const part of [TOKEN, TOKEN.slice(-40), ...partsOf(TOKEN)]) {
        const spelled = spell(part);
        const shown = hide(`you sent <${spelled}>, really`, TOKEN);
        expect(shown).toContain(REDACTED);
        expect(shown.startsWith('you sent <') && shown.endsWith('>, really')).toBe(true);
        // Base64 of a part has up to two characters that do not depend on the part alone.
        expect(shown.length).toBeLessThan('you sent <>, really'.length + REDACTED.length + 16);
      }
    });
  }

  it('RC-11: no part of 20 characters is shown, wherever the peer cuts the secret', () => {
    const cuts = fc.array(fc.nat(TOKEN.length), { maxLength: 6 });
    fc.assert(
      fc.property(cuts, fc.constantFrom('\n', ' ', ', ', '","', '\\n', '\t'), (at, joint) => {
        const edges = [0, ...[...at].sort((a, b) => a - b), TOKEN.length];
        const pieces = edges.slice(1).map((edge, index) => TOKEN.slice(edges[index], edge));
        const shown = hide(pieces.join(joint), TOKEN);
        return partsOf(TOKEN).every((part) => !shown.includes(part));
      }),
    );
  });

  it('RC-11: leaves other text as it is', () => {
    const text = '{"error":"rate limited","path":"/a/b%20c","quote":"\\"x\\" &#8364; \\u20ac"}';
    expect(hide(text, TOKEN, 'short secret')).toBe(text);
    expect(hide(jwtLike().split('.')[0] ?? '', TOKEN)).toBe(REDACTED);
    expect(hide(TOKEN.slice(60, 79), TOKEN)).toBe(TOKEN.slice(60, 79));
    expect(hideKnown(TOKEN, [])).toBe(TOKEN);
  });

  it('RC-11: hides a secret of less than 20 characters as a whole, escaped too', () => {
    expect(hide('code ABCD-EFGH, ABCD%2DEFGH and ABCD', 'ABCD-EFGH')).toBe(
      `code ${REDACTED}, ${REDACTED} and ABCD`,
    );
  });

  it('RC-11: hides each of several secrets, also one beside the other', () => {
    const other = jwtLike();
    expect(hide(`${TOKEN}${other} ${other.slice(60)}`, TOKEN, other).replaceAll(REDACTED, '')).toBe(' ');
    expect(hide('a%2Fb c', 'a/b')).toBe(`${REDACTED} c`);
  });

  it('RC-11: a secret that holds escapes itself is found', () => {
    const secret = 'k%41%2525&#65;\\u0041-0123456789+/=';
    for (const text of [secret, JSON.stringify(secret)]) {
      expect(hide(text, secret).replaceAll(REDACTED, '')).toMatch(/^"?"?$/);
    }
  });

  it('RC-11: takes milliseconds, whatever the text and the secret', () => {
    const cases = [
      ['a'.repeat(100_000), 'a'.repeat(60_000)],
      ['ab'.repeat(50_000), 'ba'.repeat(30_000)],
      ['a'.repeat(100_000), `${'a'.repeat(19)}b`],
      ['%25'.repeat(30_000), '%25'.repeat(300)],
      ['\\'.repeat(100_000), 'x'.repeat(30)],
      ['&amp;'.repeat(20_000), 'x'.repeat(30)],
      [TOKEN.repeat(400), TOKEN],
    ] as const;
    const started = performance.now();
    for (const [text, secret] of cases) hide(text, secret);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('previewBody', () => {
  it('RC-11: hides parts of a secret in JSON and in other text', () => {
    const known = [new Secret(TOKEN)];
    const [, claims = '', signature = ''] = TOKEN.split('.');
    for (const body of [
      JSON.stringify({ detail: TOKEN.slice(-40) }),
      JSON.stringify({ detail: `${claims}\n${signature}`, [signature]: 1 }),
      JSON.stringify({ detail: JSON.stringify({ token: Buffer.from(TOKEN).toString('base64') }) }),
      `<p>${claims}</p><p>${htmlEscaped(signature)}</p>`,
      `{"broken": "${signature}`,
    ]) {
      const shown = previewBody(Buffer.from(body), known);
      expect(partsOf(TOKEN).filter((part) => shown.includes(part))).toEqual([]);
      expect(shown).toContain(REDACTED);
      expect(shown).not.toContain(htmlEscaped(signature.slice(0, 20)));
    }
  });
});
