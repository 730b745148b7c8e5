import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Client, until } from '../listener/rig.js';
import { CLI, cleanEnv } from '../support/cli.js';
import { childrenOf } from '../support/processes.js';
import { tmpFolder } from '../support/tmp.js';

const CHILD = join(import.meta.dirname, '../app-server/child.mjs');
const UNSHARE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

/** Whether this machine lets tests make a process 1. */
function canUnshare(): boolean {
  try {
    execFileSync('unshare', [...UNSHARE, 'true'], { stdio: 'ignore' });
    execFileSync('perl', ['-e', '1'], { stdio: 'ignore' });
    return process.platform === 'linux';
  } catch {
    return false;
  }
}

/** Pids below one process, and how many of them are zombies. */
function below(pid: number): { pids: number[]; zombies: number } {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), parent: Number(parent), state }];
      } catch {
        return [];
      }
    });
  const pids = [pid];
  for (const one of pids) pids.push(...stats.filter(({ parent }) => parent === one).map(({ pid }) => pid));
  return { pids, zombies: stats.filter((one) => pids.includes(one.pid) && one.state === 'Z').length };
}

async function processOne(args: readonly string[]) {
  const home = await tmpFolder();
  const command = [process.execPath, CLI, 'start', '--home', home, '--no-remote-control', ...args];
  const run = spawn('unshare', [...UNSHARE, ...command], { env: cleanEnv() });
  let stdout = '';
  run.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const exited = once(run, 'exit').then(([code]: unknown[]) => code);
  return { run, home, exited, stdout: () => stdout };
}

describe.skipIf(!canUnshare())('RC-75: as process 1', () => {
  it('collects what app servers leave behind, passes signals on and keeps the exit code', async () => {
    const orphan = `(setsid sleep 0.1 &); exec '${process.execPath}' '${CHILD}' good`;
    const at = await processOne(['--json', '--listen', 'ws://127.0.0.1:0', '--', 'sh', '-c', orphan]);
    await until(() => at.stdout().includes('"listening"'), 'the listener');
    const url = /"connectUrl":"([^"]+)"/.exec(at.stdout())?.[1] ?? '';
    for (let n = 0; n < 5; n += 1) {
      const client = await Client.open(url);
      await client.initialize();
      client.ws.close();
    }
    const [one = 0] = childrenOf(at.run.pid ?? 0);
    await until(() => {
      const { pids, zombies } = below(one);
      // What is left: process 1, the reaper, the engine, and its guard.
      return zombies === 0 && pids.length <= 4;
    }, 'all that ended to be collected');
    process.kill(one, 'SIGTERM');
    expect(await at.exited).toBe(0);
    expect(readdirSync(at.home)).not.toContain('engine.json');
  });

  it('a start that fails has the exit code of the engine', async () => {
    const at = await processOne(['--no-such-flag', '--', 'true']);
    expect(await at.exited).toBe(2);
  });
});
