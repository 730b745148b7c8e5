import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { columnsOf, command, layOut, widthOf, wrap, wrapCommand } from '../../../src/cli/output/layout.js';
import { type Paint, text } from '../../../src/cli/output/terminal.js';

const plain: Paint = (_style, words) => text`${words}`;
const shown = (lines: readonly { toString(): string }[]): string[] => lines.map(String);

describe('RC-130: lines of a screen', () => {
  it('break at spaces and lose nothing, whatever the width', () => {
    const sentence =
      'Nobody is signed in, so no device can control this machine. Sign in with rc-engine login.';
    for (const width of [20, 30, 41, 80, 200]) {
      const lines = shown(wrap(sentence, width));
      for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(width);
      expect(lines.join(' ')).toBe(sentence);
    }
    expect(shown(wrap(sentence, 79))[1]).toBe('rc-engine login.');
  });

  it('keep the colour of a word that is wrapped, and a long word whole', () => {
    const line = text`one ${text`two`} ${'x'.repeat(40)} three`;
    expect(shown(wrap(line, 12))).toEqual(['one two', 'x'.repeat(40), 'three']);
  });

  it('count wide characters as two columns', () => {
    expect(columnsOf('漢字 a')).toBe(6);
    for (const line of shown(wrap('漢字 漢字 漢字 漢字', 10)))
      expect(columnsOf(line)).toBeLessThanOrEqual(10);
  });

  it('a command that is too long runs as it is printed', () => {
    const words = `printf '%s|' one 'two words' three ${'four'.repeat(5)} five "six" seven`;
    const lines = wrapCommand(words, 30);
    expect(lines.length).toBeGreaterThan(2);
    expect(execFileSync('sh', ['-c', lines.join('\n')], { encoding: 'utf8' })).toBe(
      execFileSync('sh', ['-c', words], { encoding: 'utf8' }),
    );
  });

  it('sections stand below each other, with commands on lines of their own', () => {
    const sections = [
      ['status', ['not connected: Nobody is signed in.']],
      ['next step', ['Sign in:', command('rc-engine login')]],
      ['use it', [command('codex --remote ws://127.0.0.1:4500')]],
    ] as const;
    expect(shown(layOut(sections, 80, plain))).toEqual([
      'status        not connected: Nobody is signed in.',
      'next step     Sign in:',
      '    rc-engine login',
      'use it',
      '    codex --remote ws://127.0.0.1:4500',
    ]);
    for (const line of shown(layOut(sections, 40, plain))) expect(columnsOf(line)).toBeLessThanOrEqual(40);
  });

  it('the width is that of the terminal, 80 where it does not say, and endless in a pipe', () => {
    expect(widthOf({ isTTY: true, columns: 100 })).toBe(100);
    expect(widthOf({ isTTY: true, columns: 0 })).toBe(80);
    expect(widthOf({ isTTY: false, columns: 0 })).toBe(Number.POSITIVE_INFINITY);
  });
});
