import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { ChildLines } from '../../src/app-server/child-log.js';

it('RC-68: the cause of an exit is the last line that says something, not a line of a backtrace', async () => {
  const lines = new ChildLines({ app: 'codex', pid: 1 }, { info: () => {}, warn: () => {} });
  const stream = new PassThrough();
  lines.follow(stream);
  stream.end(
    'Error: No such file (os error 2)\n\nStack backtrace:\n   0: <unknown>\n   1: main\n    at x.js:1:2\n',
  );
  await once(stream, 'close');
  expect(lines.explanation).toBe('Error: No such file (os error 2)');
});
