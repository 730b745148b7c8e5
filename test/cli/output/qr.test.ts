import { describe, expect, it } from 'vitest';
import { type QrTerminal, qrCode } from '../../../src/cli/output/qr.js';
import { decoded, modules } from '../../support/qr.js';

const URL = 'https://auth.openai.com/codex/device';
const terminal: QrTerminal = { isTTY: true, columns: 80, rows: 40 };
const shown = (text = URL): readonly string[] => (qrCode(text, terminal, {}) ?? []).map(String);

describe('the QR code of login --device', () => {
  it.each([URL, `${URL}?user_code=ABCD-1234`, 'http://127.0.0.1:34929/codex/device'])(
    'ACC-79: a decoder reads %s from it',
    (text) => {
      expect(decoded(modules(shown(text)))).toBe(text);
    },
  );

  it('ACC-79: four light modules surround it, so that a dark terminal does not touch it', () => {
    const rows = modules(shown());
    const width = rows[0]?.length ?? 0;
    const sides = rows.flatMap((row) => [...row.slice(0, 4), ...row.slice(width - 4)]);
    expect([...rows.slice(0, 4).flat(), ...rows.slice(width - 4).flat(), ...sides]).not.toContain(true);
    // The corners of the finder patterns follow directly.
    expect([rows[4]?.[4], rows[4]?.[width - 5], rows[width - 5]?.[4]]).toEqual([true, true, true]);
  });

  it('ACC-79: a decoder cannot read it inverted, as a dark terminal would show it without its own colours', () => {
    expect(decoded(modules(shown()).map((row) => row.map((black) => !black)))).toBeUndefined();
  });

  it.each<[string, QrTerminal, NodeJS.ProcessEnv]>([
    ['is not a terminal', { ...terminal, isTTY: false }, {}],
    ['is too narrow', { ...terminal, columns: 38 }, {}],
    ['is too short', { ...terminal, rows: 22 }, {}],
    ['does not report its size', { isTTY: true, columns: 0, rows: 0 }, {}],
    ['has NO_COLOR set', terminal, { NO_COLOR: '1' }],
    ['is a dumb terminal', terminal, { TERM: 'dumb' }],
    ['has another charset', terminal, { LANG: 'de_DE.ISO-8859-1' }],
  ])('is not shown where the output %s', (_what, output, env) => {
    expect(qrCode(URL, output, env)).toBeUndefined();
  });

  it('is shown in the smallest terminal that it fits, and where the locale is UTF-8 or unset', () => {
    expect(qrCode(URL, { isTTY: true, columns: 39, rows: 23 }, {})).toHaveLength(19);
    expect(qrCode(URL, terminal, { LC_ALL: 'C.UTF-8', LANG: 'en_US.ISO-8859-1' })).toBeDefined();
  });
});
