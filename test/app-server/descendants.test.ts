import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createAppServer } from '../../src/app-server/create.js';
import { Descendants } from '../../src/app-server/descendants.js';
import { ProcessTableReader } from '../../src/system/process-table.js';
import { processToken } from '../../src/system/processes.js';
import { type Client, connect, listening, Client as RawClient, until } from '../listener/rig.js';
import { CliProcess } from '../support/cli.js';
import { lives } from '../support/processes.js';
import { tmpFolder } from '../support/tmp.js';

const FAMILY = path.join(import.meta.dirname, 'family.mjs');

/** Processes that a failed test would leave behind; the token distinguishes one from a later process with its pid. */
const started = new Map<number, string | null>();
afterEach(async () => {
  for (const [pid, token] of started) {
    if (token !== null && (await processToken(pid)) === token) process.kill(pid, 'SIGKILL');
  }
  started.clear();
});

/** The pid that a process of family.mjs wrote into the log. */
async function pidOf(name: string, log: () => string): Promise<number> {
  const pattern = new RegExp(`${name} (\\d+)`);
  await until(() => pattern.test(log()), `the pid of ${name}`, 5_000);
  const pid = pattern.exec(log())?.[1];
  started.set(Number(pid), await processToken(Number(pid)));
  return Number(pid);
}

/** An engine in this process behind which family.mjs runs, with one client. */
async function behind(kind: string, shared: boolean) {
  const lines: string[] = [];
  const note = (_fields: object, message: string) => {
    lines.push(message);
  };
  const logger = { debug: note, info: note, warn: note, error: note };
  const words = { program: process.execPath, args: [FAMILY, kind] };
  const appServer = createAppServer({ kind: 'command', ...words, shared }, logger);
  const at = await listening({ appServer });
  const client: Client = await connect(at);
  await client.initialize();
  const another = () => connect(at);
  return { engine: at.engine, client, another, log: () => lines.join('\n') };
}

const MODES = [
  ['per-client', false],
  ['shared', true],
] as const;

describe.skipIf(process.platform !== 'linux').each(MODES)(
  'WSA-59: behind an engine (%s)',
  (_mode, shared) => {
    it.each(['session', 'stubborn', 'background', 'clean'])(
      'a process in a session of its own ends with the engine (%s)',
      async (kind) => {
        const { engine, log } = await behind(kind, shared);
        const pid = await pidOf('terminal', log);
        expect(lives(pid)).toBe(true);
        await engine.stop();
        expect(lives(pid)).toBe(false);
      },
    );

    it.each(['session', 'stubborn', 'background'])('it ends when its app server dies (%s)', async (kind) => {
      const { client, log } = await behind(kind, shared);
      const pid = await pidOf('terminal', log);
      client.send({ id: 5, method: 'test/die' });
      await client.closed;
      await until(() => !lives(pid), 'the process to end', 6_000);
      await until(
        () => log().includes('ended the processes that it had started in other sessions:'),
        'log line',
      );
      expect(log()).toContain(`(${pid})`);
    });

    it('it stays where it has another value of RC_ENGINE_CHILD', async () => {
      const { engine, log } = await behind('survivor', shared);
      const pid = await pidOf('survivor', log);
      await engine.stop();
      expect(lives(pid)).toBe(true);
    });

    it.each(['session', 'stubborn', 'background', 'clean'])(
      'it ends when the engine is killed (%s)',
      async (kind) => {
        const { run, url } = await startedCli(kind, shared);
        const client = await RawClient.open(url);
        await client.initialize();
        const pid = await pidOf('terminal', () => run.stderr);
        run.child.kill('SIGKILL');
        await run.exited;
        await until(() => !lives(pid), 'the process to end', 8_000);
      },
    );

    it('it stays when the engine is killed where it has another value of RC_ENGINE_CHILD', async () => {
      const { run, url } = await startedCli('survivor', shared);
      const client = await RawClient.open(url);
      const { pid: child } = (await client.initialize()).result as { pid: number };
      const pid = await pidOf('survivor', () => run.stderr);
      run.child.kill('SIGKILL');
      await until(() => !lives(child), 'the app server to end', 8_000);
      expect(lives(pid)).toBe(true);
    });
  },
);

async function startedCli(kind: string, shared: boolean): Promise<{ run: CliProcess; url: string }> {
  const mode = ['--app-server-mode', shared ? 'shared' : 'per-client'];
  const args = ['start', '--json', '--home', await tmpFolder(), '--no-remote-control'];
  const listen = ['--listen', 'ws://127.0.0.1:0'];
  const run = new CliProcess([...args, ...listen, ...mode, '--', process.execPath, FAMILY, kind]);
  const { connectUrl } = await run.line(({ type }) => type === 'listening', 'listening line');
  return { run, url: String(connectUrl) };
}

describe.skipIf(process.platform !== 'linux')('one client of several', () => {
  it.each(['session', 'background', 'clean'])('WSA-59: only its processes end with it (%s)', async (kind) => {
    const at = await behind(kind, false);
    const first = await pidOf('terminal', at.log);
    const seen = at.log().length;
    const other = await at.another();
    await other.initialize();
    const second = await pidOf('terminal', () => at.log().slice(seen));
    expect(first).not.toBe(second);
    at.client.ws.close();
    await until(() => !lives(first), 'its process to end', 6_000);
    expect(lives(second)).toBe(true);
  });
});

describe.skipIf(process.platform !== 'linux')('the search for descendants', () => {
  const mine = (pid: number, mark: string) =>
    new Descendants(pid, mark, new ProcessTableReader('RC_ENGINE_CHILD', new Set()));

  it('WSA-59: finds nothing for a pid that does not exist, and takes no process that is older', async () => {
    const nobody = mine(4_194_300, 'x');
    expect(await nobody.end(0)).toEqual([]);
    const older = spawn('sleep', ['60'], {
      detached: true,
      env: { ...process.env, RC_ENGINE_CHILD: 'mark' },
    });
    const child = spawn('sleep', ['60'], { detached: true });
    try {
      // Clock ticks are 10 ms.
      await until(() => lives(child.pid ?? 0), 'the child');
      const after = await laterTick();
      try {
        const one = mine(after.pid ?? 0, 'mark');
        expect(await one.end(0)).toEqual([]);
        expect(lives(older.pid ?? 0)).toBe(true);
      } finally {
        after.kill('SIGKILL');
      }
    } finally {
      older.kill('SIGKILL');
      child.kill('SIGKILL');
    }
  });

  /** A process that started in a later tick than those before. */
  async function laterTick() {
    const begin = performance.now();
    await until(() => performance.now() - begin > 50, 'five ticks');
    return spawn('sleep', ['60'], { detached: true });
  }

  it('WSA-59: many requests at once share one reading', async () => {
    const reader = new ProcessTableReader('RC_ENGINE_CHILD', new Set());
    const tables = await Promise.all(Array.from({ length: 1_000 }, () => reader.read()));
    expect(new Set(tables).size).toBe(1);
    expect(tables[0]?.entries.get(process.pid)?.pid).toBe(process.pid);
  });
});
