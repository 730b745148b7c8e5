import { describe, expect, it } from 'vitest';
import { closestMatch } from '../../src/system/suggest.js';

const keys = ['baseUrl', 'listen', 'remoteControl', 'store', 'log'];

describe('did you mean', () => {
  it.each([
    ['base-url', 'baseUrl'],
    ['BASE_URL', 'baseUrl'],
    ['baseUlr', 'baseUrl'],
    ['listne', 'listen'],
    ['remotControl', 'remoteControl'],
    ['stor', 'store'],
    ['logs', 'log'],
  ])('takes %j for %j', (word, meant) => {
    expect(closestMatch(word, keys)).toBe(meant);
  });

  it.each(['', 'x', 'zzz', 'port', 'something else'])('suggests nothing for %j', (word) => {
    expect(closestMatch(word, keys)).toBeUndefined();
  });
});
