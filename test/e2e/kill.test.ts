import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CliProcess } from '../support/cli.js';
import { Lab } from '../support/lab.js';
import { storedRecords } from '../support/sqlite.js';
import { unixOnly } from '../support/unix-only.js';

const KILLS = 100;
const KILLS_PER_HOME = 10;
const LANES = 2;
/** The log of a start up to connected has at least this many lines. */
const LOG_LINES = 6;
const BUDGET_MS = 60_000;

/** What is on disk after a kill. */
interface Stored {
  readonly installationId: string | undefined;
  readonly enrollment: unknown;
}

async function readStored(lab: Lab): Promise<Stored> {
  const id = join(lab.home, 'installation_id');
  const store = join(lab.home, 'rc-engine.sqlite');
  // Throws when the store does not open.
  const records = existsSync(store) ? await storedRecords(store) : [];
  expect(records.length).toBeLessThanOrEqual(1);
  return {
    installationId: existsSync(id) ? (await readFile(id, 'utf8')).trim() : undefined,
    enrollment: records[0],
  };
}

/**
 * Kills the engine a random time after a random line of its log, so that all phases are hit on a slow machine, too. Line
 * 0 is before anything was done; at the last lines the engine is connected.
 */
async function killAtRandom(engine: CliProcess): Promise<void> {
  const line = Math.floor(Math.random() * LOG_LINES);
  await engine.until(() => engine.stderr.split('\n').length > line, `log line ${line}`);
  setTimeout(() => engine.child.kill('SIGKILL'), Math.random() * (line === 0 ? 150 : 20));
  await engine.exited;
}

/** Kills the engine of one new home several times. Returns the state that it had reached each time. */
async function killAgainAndAgain(kills: number, over: () => boolean): Promise<string[]> {
  const lab = await Lab.open();
  const seen: string[] = [];
  try {
    await lab.signIn();
    const backend = await lab.backend();
    let stored: Stored = { installationId: undefined, enrollment: undefined };
    for (let n = 0; n < kills && !over(); n += 1) {
      const asked = lab.requests('enroll');
      const engine = await lab.start();
      await killAtRandom(engine);
      // The log has states at once; stdout has them only after the start.
      seen.push(
        engine.stderr
          .match(/"state":"[^"]+"/g)
          ?.at(-1)
          ?.slice(9, -1) ?? 'not started',
      );
      const now = await readStored(lab);
      const enrolls = lab.requests('enroll') - asked;
      // A stored identity is not requested again, and one process requests it at most once.
      expect(enrolls).toBeLessThanOrEqual(stored.enrollment === undefined ? 1 : 0);
      if (stored.enrollment !== undefined) expect(now.enrollment).toEqual(stored.enrollment);
      if (stored.installationId !== undefined) expect(now.installationId).toBe(stored.installationId);
      if (now.installationId !== undefined) expect(now.installationId).toMatch(/^[0-9a-f-]{36}$/);
      stored = now;
    }
    const { environmentId, installationId } = await (await lab.connected()).connected();
    if (stored.enrollment !== undefined)
      expect(stored.enrollment).toMatchObject({ environment_id: environmentId });
    if (stored.installationId !== undefined) expect(installationId).toBe(stored.installationId);
    expect(backend.servers.filter(({ connected }) => connected)).toHaveLength(1);
  } finally {
    await lab.end();
  }
  return seen;
}

unixOnly(describe, 'signals')('kill -9 at random moments', () => {
  it(`RC-6, RC-15: after ${KILLS} kills the store opens, the installation id is the same, and no identity was requested twice`, {
    timeout: 2 * BUDGET_MS,
  }, async () => {
    const started = performance.now();
    const over = () => performance.now() - started > BUDGET_MS;
    const homes = Array.from({ length: KILLS / KILLS_PER_HOME }, () => KILLS_PER_HOME);
    const seen: string[] = [];
    const lane = async () => {
      for (let kills = homes.pop(); kills !== undefined && !over(); kills = homes.pop()) {
        seen.push(...(await killAgainAndAgain(kills, over)));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const states = new Map<string, number>();
    for (const state of seen) states.set(state, (states.get(state) ?? 0) + 1);
    const ms = Math.round(performance.now() - started);
    console.info(`${seen.length} kills in ${ms} ms, by state:`, Object.fromEntries(states));
    expect(seen.length).toBeGreaterThanOrEqual(KILLS / 2);
    // The kills hit different phases.
    expect(states.size).toBeGreaterThanOrEqual(4);
  });
});
