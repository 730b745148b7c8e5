import { describe, expect, it } from 'vitest';
import { peerText } from '../../src/observe/peer-text.js';

describe('WSA-34: peerText', () => {
  it('replaces what a terminal or a page could act on', () => {
    expect(peerText('a\u001b[31mb\r\nc\u202ed\u0085e\u2028f')).toBe(
      'a\ufffd[31mb\ufffd\ufffdc\ufffdd\ufffde\ufffdf',
    );
    expect(peerText('Zoë 日本 🙂')).toBe('Zoë 日本 🙂');
  });

  it('cuts at whole characters', () => {
    expect(peerText('x'.repeat(5_000_000))).toHaveLength(200);
    const cut = peerText('🙂'.repeat(1_000), 10);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(10);
    expect(cut).toBe('🙂…');
  });
});
