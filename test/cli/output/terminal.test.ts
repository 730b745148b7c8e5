import { describe, expect, it } from 'vitest';
import { block, json, lines, Output, styled, text } from '../../../src/cli/output/terminal.js';
import { CANARY, UNSAFE } from '../../support/canary.js';

const RED = '\u001b[31m';

describe('the writer of stdout and stderr', () => {
  it('RC-55: shows control, format and direction characters and line breaks of a field as escapes', () => {
    const shown = String(text`name ${CANARY} end`);
    expect(shown).not.toMatch(UNSAFE);
    expect(shown).not.toContain('\n');
    expect(shown).toContain('\\u{1b}]0;PWNED\\u{7}');
    expect(shown).toContain('\\u{a}');
  });

  it('RC-55: leaves tabs, letters of every script and emoji of one character as they are', () => {
    expect(String(text`${'a\tü 漢 ع 🙂'}`)).toBe('a\tü 漢 ع 🙂');
  });

  it('RC-55: a colour of this program stays, a colour of a peer does not', () => {
    const own = styled(31, `${RED}peer`);
    expect(String(text`${own}!`)).toBe(`${RED}\\u{1b}[31mpeer\u001b[0m!`);
  });

  it('RC-55: each value is one line, whatever it holds', () => {
    expect(String(lines(['a\nb', text`c ${'d\ne'}`]))).toBe('a\\u{a}b\nc d\\u{a}e\n');
  });

  it('RC-55: generated text keeps its own line breaks only', () => {
    expect(String(block(`a\n${RED}b\r\n`))).toBe('a\n\\u{1b}[31mb\\u{d}\n');
  });

  it('RC-55: JSON holds the same value, with escapes', () => {
    const value = { [CANARY]: `${CANARY}\u2028\u{e0041}\u007f` };
    const encoded = String(json(JSON.stringify(value)));
    expect(encoded).not.toMatch(UNSAFE);
    expect(JSON.parse(encoded)).toEqual(value);
  });

  it('writes over a line only up to the width of the terminal', () => {
    let written = '';
    const write = (part: string | Uint8Array): boolean => {
      written += String(part);
      return true;
    };
    new Output(() => ({ write, isTTY: true, columns: 21, rows: 5 })).overwrite(text`${'x'.repeat(50)}`);
    expect(written).toBe(`\r\u001b[2K${'x'.repeat(19)}…`);
  });
});
