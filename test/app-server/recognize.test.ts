import { describe, expect, it } from 'vitest';
import { sharingOf } from '../../src/app-server/recognize.js';
import { makeSocketDirectory } from '../../src/app-server/socket-directory.js';
import { tmpFolder } from '../support/tmp.js';

describe('RC-60: which commands are shared', () => {
  it.each([
    'codex app-server',
    '/opt/bin/codex -c model="x" app-server',
    'npx -y @openai/codex@0.171.0 app-server',
    'npm exec -- codex app-server',
    'env A=1 codex app-server --enable x',
    'node /lib/codex.js app-server',
    '/usr/local/bin/codex-app-server',
    'my-server --serve {socket}',
  ])('%s is', (line) => {
    expect(sharingOf(line.split(' '), undefined).shared).toBe(true);
    expect(sharingOf(line.split(' '), false).shared).toBe(false);
  });

  it.each([
    'node server.mjs',
    'codex exec app-server',
    'codex app-server generate-ts',
    'codex app-server --listen stdio://',
    'echo codex app-server',
    'npx codex-acp',
  ])('%s is not', (line) => {
    expect(sharingOf(line.split(' '), undefined).shared).toBe(false);
    expect(sharingOf(line.split(' '), true).shared).toBe(true);
  });
});

describe('RC-65: where the socket lives', () => {
  const long = `/tmp/${'x'.repeat(100)}`;
  const places = { home: undefined, runtimeDir: undefined, tmpdir: long, platform: 'linux' } as const;

  it('in XDG_RUNTIME_DIR, else in the home, else in another directory with a short path', async () => {
    const [run, home] = [await tmpFolder(), await tmpFolder()];
    expect(makeSocketDirectory({ ...places, runtimeDir: run, home }).path.startsWith(run)).toBe(true);
    expect(makeSocketDirectory({ ...places, runtimeDir: long, home }).path.startsWith(home)).toBe(true);
  });
});
