import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CliProcess } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';
import { unixOnly } from '../support/unix-only.js';

const CHILD = join(import.meta.dirname, '../app-server/child.mjs');

/** Runs the command in a directory that is removed before. */
async function run(args: readonly string[]) {
  const directory = join(await tmpFolder(), 'gone');
  const before = `mkdir '${directory}' && cd '${directory}' && rmdir '${directory}'`;
  return new CliProcess(args, {}, { before });
}

unixOnly(describe, 'a directory that can be removed while it is used')(
  'RC-74: in a working directory that has been removed',
  () => {
    it.each([
      [['status'], 5],
      [['whoami'], 3],
      [['graph', '--help'], 0],
      [['explain', 'notRunning'], 0],
      [['wait', '--timeout', '1'], 5],
    ])('%j works', async (args, code) => {
      const home = args[0] === 'graph' || args[0] === 'explain' ? [] : ['--home', await tmpFolder()];
      const result = await (await run([...args, ...home])).exited;
      expect(result.code).toBe(code);
      expect(result.stderr).not.toMatch(/^\s+at /m);
    });

    it('start works, and so does its app server', async () => {
      const options = ['--home', await tmpFolder(), '--no-remote-control', '--listen', 'stdio://'];
      const engine = await run(['start', ...options, '--', process.execPath, CHILD, 'good']);
      const params = { clientInfo: { name: 'x', version: '1' } };
      engine.child.stdin.write(`${JSON.stringify({ id: 1, method: 'initialize', params })}\n`);
      await engine.until(() => engine.lines.find(({ id }) => id === 1)?.result, 'answer of the app server');
      await engine.stop();
    });

    it.each(['--home', '--auth-file'])('a relative %s is an error that says so', async (flag) => {
      const result = await (await run(['start', '--no-remote-control', flag, 'relative'])).exited;
      expect(result.code).toBe(2);
      expect(result.stderr).toBe(
        'rc-engine: The working directory has been removed, and the command line has a relative path.\n' +
          '  Change to another directory, or name absolute paths.\n',
      );
    });
  },
);
