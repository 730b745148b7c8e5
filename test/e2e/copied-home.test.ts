/** Two engines with one installation id: the second one runs on a copy of the home of the first. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { it, type Lab } from '../support/lab.js';

/** Each attempt of the two engines takes longer than the one before. */
const LIMIT = 45_000;

/** Makes the identity, then starts one engine on the home and one on a copy. */
async function twoEngines(lab: Lab, args: readonly string[] = []) {
  const made = await lab.connected();
  await made.stop();
  const copy = join(lab.folder, 'copy');
  await cp(lab.home, copy, { recursive: true });
  lab.exempt.push(join(copy, 'auth.json'));
  const url = await lab.baseUrl();
  const first = await lab.connected(args);
  const second = lab.run(['start', '--home', copy, '--base-url', url, '--listen', 'off', '--json', ...args]);
  return { copy, first, second };
}

const named = (line: Record<string, unknown>) => line.reason === 'duplicateInstallation';

describe('a copied home', () => {
  it('RC-110: both engines name the other one, with the command that ends the conflict', {
    timeout: 90_000,
  }, async ({ lab }) => {
    const backend = await lab.backend();
    const { copy, first, second } = await twoEngines(lab);
    const either = await Promise.race(
      [first, second].map((engine) => engine.line(named, 'duplicateInstallation', LIMIT).then(() => engine)),
    );
    await either.until(
      () => either.stderr.includes('repair --step installation-id'),
      'the way out in the log',
    );
    const home = either === first ? lab.home : copy;
    const { stdout } = await lab.cli(['status', '--home', home]);
    expect(stdout).toContain('duplicateInstallation');
    expect(stdout).toContain('rc-engine repair --step installation-id');
    const events = backend.events.filter(({ kind }) => kind === 'duplicateInstallation');
    expect(events[0]?.detail).toMatchObject({ installationId: expect.any(String) });

    // The way out: the copy gets an installation id of its own, and both run.
    await second.stop();
    const renewed = await lab.cli(['repair', '--home', copy, '--step', 'installation-id', '--yes']);
    expect(renewed.code).toBe(0);
    const url = await lab.baseUrl();
    const again = lab.run(['start', '--home', copy, '--base-url', url, '--listen', 'off', '--json']);
    await again.connected();
    await first.until(() => first.lines.at(-1)?.status === 'connected', 'a link', 40_000);
    expect(backend.servers.filter(({ connected }) => connected)).toHaveLength(2);
    await rm(copy, { recursive: true, force: true }).catch(() => {});
  });

  it('RC-110: --on-conflict exit ends one of them, and the other stays connected', {
    timeout: 90_000,
  }, async ({ lab }) => {
    await lab.backend();
    const { first, second } = await twoEngines(lab, ['--on-conflict', 'exit']);
    const { code, stderr } = await Promise.race([first.exited, second.exited]);
    expect(code).toBe(1);
    expect(stderr).toContain('repair --step installation-id');
    const stays = first.running ? first : second;
    await stays.until(() => stays.lines.at(-1)?.status === 'connected', 'a link', 40_000);
  });
});
