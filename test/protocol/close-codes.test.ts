import { describe, expect, it } from 'vitest';
import { CLOSE_CODES, closeCodeText } from '../../src/protocol/close-codes.js';

describe('close codes', () => {
  it.each([
    [1000, '1000 normal'],
    [1001, '1001 going away'],
    [1012, '1012 service restart'],
    [4404, '4404 environment offline'],
    [4999, '4999'],
  ])('%i is shown as "%s"', (code, text) => {
    expect(closeCodeText(code)).toBe(text);
  });

  it('each code has one name', () => {
    const codes = Object.values(CLOSE_CODES);
    expect(new Set(codes).size).toBe(codes.length);
  });
});
