/** A pairing code need not be an argument, which other programs of the machine can read. RC-56 */
import { describe, expect } from 'vitest';
import { it, type Lab } from '../support/lab.js';

async function newCode(lab: Lab): Promise<string> {
  const { stdout } = await lab.cli(['pair', '--home', lab.home, '--json']);
  return (JSON.parse(stdout) as { manualPairingCode: string }).manualPairingCode;
}

describe('the pairing code of rc-engine call', () => {
  it('RC-56: comes from stdin or a variable, without a warning', { timeout: 60_000 }, async ({ lab }) => {
    await lab.connected();
    const { url } = await lab.backend();
    const echo = ['engine/echo', '{"payload":1}'];
    const base = ['call', '--base-url', url, '--json'];
    const answered = { code: 0, stdout: '{"payload":1}\n', stderr: '' };
    expect(await lab.cli([...base, '--code-stdin', ...echo], {}, `${await newCode(lab)}\n`)).toEqual(
      answered,
    );
    expect(await lab.cli([...base, '--code', '-', ...echo], {}, await newCode(lab))).toEqual(answered);
    const variable = { RC_ENGINE_PAIRING_CODE: await newCode(lab) };
    expect(await lab.cli([...base, ...echo], variable)).toEqual(answered);
    const lines = `${await newCode(lab)}\nengine/echo {"payload":2}\nengine/echo {"payload":3}\n`;
    const several = await lab.cli([...base, '--code-stdin'], {}, lines);
    expect(several).toMatchObject({ code: 0, stderr: '' });
    expect(several.stdout).toContain('{"payload":2}\n{"payload":3}\n');
  });

  it('RC-56: as an argument works with a warning', async ({ lab }) => {
    await lab.connected();
    const { url } = await lab.backend();
    const code = await newCode(lab);
    const { stdout, stderr } = await lab.cli([
      'call',
      '--base-url',
      url,
      '--code',
      code,
      'engine/echo',
      '{"payload":1}',
    ]);
    expect(JSON.parse(stdout)).toEqual({ payload: 1 });
    expect(stderr).toMatch(/other programs of this machine can read .*\n {2}Use --code-stdin/);
    expect(stderr).not.toContain(code);
  });

  it('reports an empty stdin, and a code that is given twice', async ({ lab }) => {
    const call = ['call', '--base-url', 'http://127.0.0.1:1/'];
    const empty = await lab.cli([...call, '--code-stdin', 'm'], {}, '\n');
    expect(empty).toMatchObject({ code: 2, stderr: expect.stringContaining('holds no pairing code') });
    const twice = await lab.cli([...call, '--code-stdin', '--code', 'x', 'm']);
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be used together') });
  });
});
