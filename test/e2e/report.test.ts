import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { it, type Json, type Lab } from '../support/lab.js';

async function reportOf(
  lab: Lab,
  name: string,
): Promise<{ file: string; text: string; report: Json; stdout: string }> {
  const file = join(lab.folder, name);
  const { code, stdout } = await lab.cli(['report', '--home', lab.home, '--out', file]);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`Written to ${file}`)]);
  const text = gunzipSync(await readFile(file)).toString('utf8');
  return { file, text, report: JSON.parse(text) as Json, stdout };
}

describe('RC-200: rc-engine report', { timeout: 60_000 }, () => {
  it('has everything of a running engine and no secret, and of one that is dead what is in the home', async ({
    lab,
  }) => {
    const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0', '--log-level', 'debug']);
    const url = new URL((await lab.cli(['url', '--home', lab.home])).stdout.trim());
    const live = await reportOf(lab, 'live.json.gz');
    expect(live.stdout).toMatch(/status +of the running engine\n/);
    expect(live.stdout).toMatch(/redaction +searched for secrets of auth\.json \([1-9].*: found 0\n/);
    expect(live.report).toMatchObject({
      ...{ format: 'rc-engine-report', version: 1, redaction: { found: 0 } },
      status: { remoteControl: { status: 'connected' } },
    });
    for (const secret of [...lab.secrets, url.searchParams.get('token') ?? '?'])
      expect(live.text).not.toContain(secret);
    if (process.platform !== 'win32') expect((await stat(live.file)).mode & 0o777).toBe(0o600);
    engine.child.kill('SIGKILL');
    await engine.exited;
    const dead = await reportOf(lab, 'dead.json.gz');
    expect(dead.stdout).toMatch(/status +none: no engine runs\n/);
    expect(dead.report).toMatchObject({ status: null, redaction: { found: 0 } });
    for (const secret of lab.secrets) expect(dead.text).not.toContain(secret);
    const replay = await lab.cli(['replay', dead.file]);
    expect([replay.code, replay.stdout]).toEqual([
      0,
      expect.stringContaining('connected: The link to the backend is open.'),
    ]);
    const again = await lab.cli(['report', '--home', lab.home, '--out', dead.file]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('cannot be written')]);
  });
});
