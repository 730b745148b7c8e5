import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { examineSignedToken, type SignedTokenRules } from '../../../src/listener/auth/signed-token.js';
import { topLevelMembers } from '../../../src/protocol/json-members.js';
import { jwt, SHARED_SECRET, signedBearer } from '../rig.js';

const rules: SignedTokenRules = { ...signedBearer, key: createSecretKey(SHARED_SECRET, 'utf8') };
const NOW = 1_800_000_000_000;
const EXP = NOW / 1000 + 60;
const examine = (token: string) => examineSignedToken(token, rules, NOW).facts;

/** A token with exactly this header and payload, correctly signed. */
function signed(header: string, payload: string): string {
  const part = (text: string) => Buffer.from(text).toString('base64url');
  const text = `${part(header)}.${part(payload)}`;
  return `${text}.${createHmac('sha256', SHARED_SECRET).update(text).digest('base64url')}`;
}
const HEADER = '{"alg":"HS256"}';

describe('signed tokens', () => {
  it('WSA-12: a payload that was read before is checked again: signature, clock and issuer', () => {
    const token = signed(HEADER, `{"exp":${EXP}}`);
    expect(examine(token)).toMatchObject({ matches: true, expired: false });
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${'A'.repeat(43)}`;
    expect(examine(forged).matches).toBe(false);
    expect(
      examine(token.replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString('base64url'))),
    ).toMatchObject({
      matches: false,
    });
    expect(examineSignedToken(token, rules, NOW + 3_600_000).facts.expired).toBe(true);
    expect(examineSignedToken(token, { ...rules, issuer: 'somebody' }, NOW).facts.issuerMatches).toBe(false);
    for (let i = 0; i < 200; i += 1) examine(signed(HEADER, `{"exp":${EXP},"n":${i}}`));
    expect(examine(token)).toMatchObject({ matches: true, expired: false });
  });

  it.each([
    ['exp is missing', '{}'],
    ['exp is a string', `{"exp":"${EXP}"}`],
    ['exp has a fraction', `{"exp":${EXP}.5}`],
    ['exp is written as a float', `{"exp":${EXP}.0}`],
    ['exp is written with an exponent', '{"exp":1e12}'],
    ['exp is beyond 64 bits', '{"exp":99999999999999999999999}'],
    ['exp is one more than 64 bits hold', '{"exp":9223372036854775808}'],
    ['exp is one less than they hold', '{"exp":-9223372036854775809}'],
    ['exp is null', '{"exp":null}'],
    ['exp is repeated', `{"exp":1,"exp":${EXP}}`],
    ['exp is repeated, once escaped', `{"exp":${EXP},"\\u0065xp":${EXP}}`],
    ['nbf is a string', `{"exp":${EXP},"nbf":"0"}`],
    ['iss is a number', `{"exp":${EXP},"iss":1}`],
    ['aud is a number', `{"exp":${EXP},"aud":1}`],
    ['aud holds a number', `{"exp":${EXP},"aud":["a",1]}`],
    ['the payload is a list', `[${EXP}]`],
    ['the payload is text', 'hello'],
  ])('WSA-12: %s: invalid although the signature is right', (_, payload) => {
    expect(examine(signed(HEADER, payload)).matches).toBe(false);
  });

  it.each([
    ['none', '{"alg":"none"}'],
    ['RS256', '{"alg":"RS256"}'],
    ['HS512', '{"alg":"HS512"}'],
    ['no alg', '{"typ":"JWT"}'],
    ['alg twice', '{"alg":"none","alg":"HS256"}'],
    ['a list', '["HS256"]'],
    ['typ is a number', '{"alg":"HS256","typ":5}'],
    ['kid is a list', '{"alg":"HS256","kid":["a"]}'],
    ['a critical extension', '{"alg":"HS256","crit":["x"],"x":1}'],
    ['an empty crit', '{"alg":"HS256","crit":[]}'],
  ])('WSA-12: the header cannot choose the algorithm: %s', (_, header) => {
    expect(examine(signed(header, `{"exp":${EXP}}`)).matches).toBe(false);
  });

  it.each([
    ['nbf null', { nbf: null }],
    ['iss null', { iss: null }],
    ['aud null', { aud: null }],
    ['nested duplicates', { deep: { a: [1, { b: '}' }] }, text: 'a"b\\' }],
  ])('WSA-12: %s is valid', (_, claims) => {
    expect(examine(jwt({ exp: EXP, ...claims })).matches).toBe(true);
  });

  it('WSA-12: a time may be any 64-bit integer', () => {
    const facts = (claims: string) => examine(signed(HEADER, claims));
    expect(facts('{"exp":9223372036854775807}')).toMatchObject({ matches: true, expired: false });
    expect(facts('{"exp":-9223372036854775808}')).toMatchObject({ matches: true, expired: true });
    expect(facts(`{"exp":${EXP},"nbf":9223372036854775807}`)).toMatchObject({ notYetValid: true });
    expect(examine(signed('{"alg":"HS256","typ":null}', `{"exp":${EXP}}`)).matches).toBe(true);
  });

  it('WSA-12: other spellings of the same bytes are invalid', () => {
    const token = jwt({ exp: EXP });
    const [header = '', payload = '', signature = ''] = token.split('.');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(signature.at(-1) ?? '');
    const respelled = signature.slice(0, -1) + alphabet[(last & ~3) | ((last + 1) & 3)];
    expect(Buffer.from(respelled, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
    for (const wrong of [
      `${header}.${payload}.${respelled}`,
      `${header}.${payload}.${signature}=`,
      `${header}.${payload}.${signature}.x`,
      `${header}.${payload}`,
      `.${payload}.${signature}`,
      `${header}..${signature}`,
      ` ${token}`,
      token.replace('.', '..'),
    ]) {
      expect(examine(wrong).matches).toBe(false);
    }
    expect(examine(token).matches).toBe(true);
  });

  it('WSA-12: any changed character makes it invalid', () => {
    const token = jwt({ exp: EXP, iss: 'a', aud: 'b' });
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'b', '_', '.', '='), (at, sign) => {
        const changed = token.slice(0, at) + sign + token.slice(at + 1);
        expect(examine(changed).matches).toBe(changed === token);
      }),
    );
  });

  it('WSA-12: it expires at exp plus skew, and is valid from nbf minus skew', () => {
    const seconds = NOW / 1000;
    expect(examine(jwt({ exp: seconds - 30 })).expired).toBe(true);
    expect(examine(jwt({ exp: seconds - 29 })).expired).toBe(false);
    expect(examine(jwt({ exp: EXP, nbf: seconds + 30 })).notYetValid).toBe(false);
    expect(examine(jwt({ exp: EXP, nbf: seconds + 31 })).notYetValid).toBe(true);
    expect(examine(jwt({ exp: -1 }))).toMatchObject({ matches: true, expired: true });
    expect(examine(signed(HEADER, '{"exp":9223372036854774784}')).matches).toBe(true);
  });

  it('topLevelMembers finds the same members as JSON.parse', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((name) => name !== '__proto__'),
          fc.jsonValue(),
        ),
        fc.constantFrom(undefined, 1, '\t'),
        (value, indent) => {
          const found = topLevelMembers(JSON.stringify(value, null, indent));
          const back = Object.fromEntries(
            [...(found ?? [])].map(([name, text]): [string, unknown] => [name, JSON.parse(text)]),
          );
          expect(back).toEqual(JSON.parse(JSON.stringify(value)));
        },
      ),
    );
  });
});
