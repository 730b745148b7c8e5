import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { processToken } from '../../src/system/processes.js';
import { Client, until } from '../listener/rig.js';
import { CliProcess } from '../support/cli.js';
import { childrenOf, lives } from '../support/processes.js';
import { tmpFolder } from '../support/tmp.js';

const CHILD = path.join(import.meta.dirname, 'child.mjs');
const SHARED = path.join(import.meta.dirname, 'shared-child.mjs');

/** Processes that a failed test would leave behind; the token distinguishes one from a later process with its pid. */
const started = new Map<number, string | null>();
afterEach(async () => {
  for (const [pid, token] of started) {
    if (token !== null && (await processToken(pid)) === token) process.kill(pid, 'SIGKILL');
  }
  started.clear();
});
const note = async (pid: number) => started.set(pid, await processToken(pid));

async function engine(mode: string, ...command: string[]) {
  const tmp = await tmpFolder();
  const args = [
    ...[
      'start',
      '--json',
      '--home',
      await tmpFolder(),
      '--no-remote-control',
      '--listen',
      'ws://127.0.0.1:0',
    ],
    ...['--app-server-mode', mode, '--', process.execPath, ...command],
  ];
  const run = new CliProcess(args, { TMPDIR: tmp });
  const { connectUrl } = await run.line(({ type }) => type === 'listening', 'listening line');
  const initialized = async () => {
    const client = await Client.open(String(connectUrl));
    const { pid } = (await client.initialize()).result as { pid: number };
    await note(pid);
    return { client, pid };
  };
  return { run, tmp, pid: run.child.pid ?? 0, initialized };
}

describe.skipIf(process.platform !== 'linux')('an engine that is killed', () => {
  it.each([
    ['shared', 'good'],
    ['shared', 'stubborn'],
    ['per-connection', 'good'],
    ['per-connection', 'stubborn'],
    ['per-connection', 'family'],
  ])('WSA-28: its app servers and all that they started end with it (%s, %s)', async (mode, kind) => {
    const at = await engine(mode, mode === 'shared' ? SHARED : CHILD, kind);
    const { pid } = await at.initialized();
    const { pid: second } = await at.initialized();
    const pids = new Set([pid, second]);
    expect(pids.size).toBe(mode === 'shared' ? 1 : 2);
    for (const one of [...pids]) {
      for (const grandchild of childrenOf(one)) {
        pids.add(grandchild);
        await note(grandchild);
      }
    }
    expect(pids.size).toBe(mode === 'shared' ? 1 : kind === 'family' ? 4 : 2);
    const others = childrenOf(at.pid).filter((one) => !pids.has(one));
    for (const one of pids) expect(lives(one)).toBe(true);
    at.run.child.kill('SIGKILL');
    await at.run.exited;
    await until(() => ![...pids, ...others].some(lives), 'all of them to exit', 6_000);
    expect(await readdir(at.tmp)).toEqual([]);
  });

  it('WSA-28: a clean stop leaves nothing behind, and does not signal children that have exited before', async () => {
    const at = await engine('per-connection', CHILD, 'good');
    const { client, pid } = await at.initialized();
    client.ws.close();
    await until(() => !lives(pid), 'the child to exit');
    await at.initialized();
    const all = childrenOf(at.pid);
    expect((await at.run.stop()).code).toBe(0);
    await until(() => !all.some(lives), 'all of them to exit');
  });
});
