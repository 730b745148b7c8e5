/** A process for the tests of the home directory and its files. It speaks JSON lines and ends with its stdin. */
import { spawn } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { acquireHomeLock } from '../../src/engine/home-lock.js';
import { openHome } from '../../src/home/home.js';
import { loadInstallationId } from '../../src/home/installation.js';
import { EngineError } from '../../src/protocol/errors.js';
import type { EnrollmentKey } from '../../src/protocol/outcomes.js';
import { recordName } from '../../src/remote-control/store/enrollment-record.js';
import { openEnrollmentStore, update } from '../../src/remote-control/store/enrollment-store.js';
import { openSqliteTable } from '../../src/remote-control/store/sqlite-table.js';
import { acquireFileLock, withLocks } from '../../src/system/file-lock.js';
import { acquireFlock } from '../../src/system/flock.js';
import { SqliteConnection } from '../../src/system/sqlite/connection.js';

const key: EnrollmentKey = { socketUrl: 'wss://chatgpt.com/x', accountId: 'acct', clientName: null };
const identity = (serverName: string) => ({ serverId: 'srv', environmentId: 'env', serverName });

const commands: Record<string, (...args: string[]) => Promise<void>> = {
  /** Runs SQL with a connection that is never closed. */
  async sql(path, text) {
    await execute(path!, text!);
    say('done');
    await stdinEnd();
  },

  /** Locks the database against writers (`exclusive`) or completely (`everything`). */
  async hold(path, mode) {
    await execute(path!, `${mode === 'everything' ? 'PRAGMA locking_mode=EXCLUSIVE;' : ''} BEGIN EXCLUSIVE`);
    say('held');
    await stdinEnd();
  },

  /** Adds one to a number in a record, `times` times, by compare-and-swap. */
  async count(path, times) {
    const table = await openSqliteTable(path!, { busyTimeoutMs: 10_000, probe: false });
    say('ready');
    await stdinLine();
    for (let i = 0; i < Number(times); i += 1) {
      await update(table, recordName(key), (stored) => ({
        enrollment: identity(String(Number(stored?.enrollment?.serverName ?? 0) + 1)),
        preference: 'on',
      }));
    }
    await table.close();
    say('done');
  },

  /** Saves identities with increasing numbers, and reports each number that was saved. */
  async saveForEver(url, from) {
    const store = openEnrollmentStore(url!, { now: Date.now });
    say('ready');
    for (let i = Number(from); ; i += 1) {
      const outcome = await store.save(key, identity(String(i)), 'on');
      if (outcome.kind !== 'done') throw new Error(outcome.failure.message);
      say(i);
    }
  },

  /** Locks a home directory on command, reports the outcome, and keeps the lock until its stdin ends. */
  async lock(dir, withChild) {
    const home = openHome(dir);
    say('ready');
    await stdinLine();
    try {
      const lock = await acquireHomeLock(home, { startedAt: 1, controlSocket: 'sock', version: '0' });
      const child = withChild ? spawn('sleep', ['60'], { stdio: 'ignore' }) : undefined;
      say({ won: true, pid: process.pid, ...(child ? { child: child.pid } : {}) });
      await stdinEnd();
      await lock.release();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      say({ won: false, code: error.code, message: error.message });
    }
  },

  /** Holds a lock file until its stdin ends. */
  async holdLock(kind, path) {
    const acquire = kind === 'flock' ? acquireFlock : acquireFileLock;
    await withLocks(acquire, [path!], 5_000, new AbortController().signal, async () => {
      say('held');
      await stdinEnd();
    });
  },

  /** Loads the installation id on command. */
  async installationId(dir) {
    const home = openHome(dir);
    say('ready');
    await stdinLine();
    say(await loadInstallationId(home));
  },

  async openHome(dir) {
    try {
      say(openHome(dir).dir);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      say({ code: error.code, message: error.message });
    }
  },

  async load(url) {
    const store = openEnrollmentStore(url!, { now: Date.now, busyTimeoutMs: 200 });
    say(await store.load(key));
    await store.close();
  },

  /** Saves a record of `size` characters, reports the outcome, and stays until its stdin ends. */
  async save(url, size) {
    const store = openEnrollmentStore(url!, { now: Date.now, busyTimeoutMs: 200 });
    say(await store.save(key, identity('x'.repeat(Number(size))), 'on'));
    await stdinEnd();
    await store.close();
  },
};

/** Keeps the connections referenced: garbage collection would release their locks. */
const held: SqliteConnection[] = [];

async function execute(path: string, sql: string): Promise<void> {
  await appendFile(path, '');
  const database = SqliteConnection.open(path);
  held.push(database);
  await database.exec(sql);
}

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function stdinLine(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.once('data', () => resolve());
  });
}

function stdinEnd(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.on('end', resolve).resume();
  });
}

const [command, ...args] = process.argv.slice(2);
await commands[command ?? '']!(...args);
process.exit(0);
