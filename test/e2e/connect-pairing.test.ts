import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { CLI, cleanEnv } from '../support/cli.js';
import { connected, pairingCode, remoteHome } from '../support/connect.js';
import { it, type Json, type Lab } from '../support/lab.js';

describe('the pairings of connect', { timeout: 60_000 }, () => {
  it('RC-95: says what to do without a pairing, with several, and with a damaged file', async ({ lab }) => {
    const home = remoteHome(lab);
    const none = await lab.cli(['connect', '--home', home]);
    expect(none).toMatchObject({ code: 2 });
    expect(none.stderr).toContain('rc-engine pair');
    const entry = (id: string, name: string) => ({
      base_url: 'http://127.0.0.1:1/backend-api',
      environment_id: id,
      server_name: name,
      client_id: 'cli_1',
      controller_token: 'rcc_secret-token',
      paired_at: 1,
    });
    const file = join(home, 'controllers.json');
    const environments = [entry('env_1', 'alpha'), entry('env_2', 'beta\u001b[31m')];
    await writeFile(file, JSON.stringify({ version: 1, environments }));
    const several = await lab.cli(['connect', '--home', home]);
    expect(several).toMatchObject({ code: 2 });
    expect(several.stdout).toContain('alpha');
    expect(several.stdout).not.toContain('\u001b[31m');
    expect(several.stdout).not.toContain('rcc_');
    // An editor may have put a byte order mark in front.
    await writeFile(file, `\ufeff${JSON.stringify({ version: 1, environments: environments.slice(0, 1) })}`);
    const listed = await lab.cli(['connect', '--home', home, '--list', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ environmentId: 'env_1' });
    lab.exempt.push(file);
  });

  it('RC-95: a damaged file is named and stays, and uses up no code', async ({ lab }) => {
    await lab.connected();
    const { url: baseUrl } = await lab.backend();
    const home = remoteHome(lab);
    await mkdir(home, { mode: 0o700 });
    const file = join(home, 'controllers.json');
    const code = await pairingCode(lab);
    const broken = { version: 1, environments: [{ base_url: 'x', paired_at: 1e300 }] };
    for (const damaged of ['', '{', '{"version":2}', JSON.stringify(broken)]) {
      await writeFile(file, damaged);
      const run = await lab.cli(['connect', '--home', home, '--base-url', baseUrl, '--code-stdin'], {}, code);
      expect(run.code).toBe(1);
      expect(run.stderr).toContain(file);
      expect(await readFile(file, 'utf8')).toBe(damaged);
    }
    await rm(file);
    expect((await connected(lab, [], code)).run.running).toBe(true);
  });

  it('RC-95: ENVIRONMENT is checked before the code is used up', async ({ lab }) => {
    await lab.connected();
    const code = await pairingCode(lab);
    const { url: baseUrl } = await lab.backend();
    const args = ['connect', 'elsewhere', '--home', remoteHome(lab), '--base-url', baseUrl];
    const wrong = await lab.cli(args, { RC_ENGINE_PAIRING_CODE: code });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('"elsewhere"');
    expect(wrong.stderr).toContain('not used up');
    const { environmentId } = (await lab.status()).remoteControl;
    const right = await connected(lab, [String(environmentId)], code);
    expect(right.run.running).toBe(true);
  });

  it('RC-95: two pairings at the same moment are both stored', async ({ lab }) => {
    await lab.connected();
    const { url: baseUrl } = await lab.backend();
    const home = remoteHome(lab);
    // Two environments of one backend have two addresses here, because a lab has one engine.
    const urls = [baseUrl, baseUrl.replace('127.0.0.1', 'localhost')];
    const codes = await Promise.all(urls.map(() => pairingCode(lab)));
    lab.exempt.push(join(home, 'controllers.json'));
    const runs = urls.map((url, n) =>
      lab.run(
        ['connect', '--json', '--home', home, '--base-url', url, '--listen', `unix://${lab.folder}/${n}/s`],
        { RC_ENGINE_PAIRING_CODE: codes[n] },
      ),
    );
    for (const run of runs) await run.line(({ status }) => status === 'connected', 'open link');
    const { environments } = JSON.parse(await readFile(join(home, 'controllers.json'), 'utf8')) as Json & {
      environments: Json[];
    };
    expect(environments.map(({ base_url }) => base_url).sort()).toEqual(urls.map((url) => `${url}/`).sort());
    expect((await stat(join(home, 'controllers.json.lock'))).mode & 0o777).toBe(0o600);
  });

  it('RC-97: devices for an operator: none, several of one name, the last one, offline', async ({ lab }) => {
    const engine = await lab.connected();
    const devices = (...args: string[]) => lab.cli(['devices', ...args, '--home', lab.home]);
    expect(await devices()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('No device is paired'),
    });
    expect(await devices('--json')).toMatchObject({ code: 0, stdout: '' });
    const first = await connected(lab, ['--name', 'twin\u001b[31m'], await pairingCode(lab));
    await first.run.stop();
    const second = await connected(lab, ['--name', 'twin\u001b[31m'], await pairingCode(lab));
    await second.run.stop();
    const listed = await devices('--json');
    expect(listed.stdout).not.toContain('\u001b');
    const ids = listed.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).clientId as string);
    expect(ids).toHaveLength(2);
    const shown = (await devices()).stdout;
    expect(shown).not.toContain('\u001b');
    const name = /^(twin\S*) /m.exec(shown)?.[1] ?? '';
    const ambiguous = await devices('revoke', name, '--yes');
    expect(ambiguous).toMatchObject({ code: 1, stderr: expect.stringContaining('2 devices') });
    for (const id of ids) {
      const revoked = await devices('revoke', id, '--yes', '--json');
      expect(JSON.parse(revoked.stdout)).toMatchObject({ type: 'revoked', clientId: id });
    }
    expect((await devices()).stdout).toContain('No device is paired');
    expect(await devices('revoke', 'nobody', '--yes')).toMatchObject({ code: 1 });
    await engine.stop();
    expect(await devices()).toMatchObject({ code: 5 });
  });
});

const hasScript = spawnSync('script', ['--version']).status === 0;
const noScript = hasScript ? '' : ' (skipped: script(1) of util-linux is not installed)';

/** A command on a pseudo terminal; what is written to it is typed. */
function onTerminal(lab: Lab, args: readonly string[]) {
  const command = [process.execPath, CLI, ...args].map((part) => `'${part}'`).join(' ');
  const child = spawn('script', ['-qefc', `exec ${command}`, '/dev/null'], {
    env: cleanEnv({ HOME: lab.folder, TERM: 'xterm' }),
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const exited = once(child, 'close').then(([code]: unknown[]) => code);
  return {
    exited,
    type: (text: string) => child.stdin.write(text),
    shows: (wanted: string) => expect.poll(() => shown, { timeout: 15_000, interval: 50 }).toContain(wanted),
  };
}

describe.skipIf(!hasScript)(`RC-95, RC-97: on a terminal${noScript}`, { timeout: 60_000 }, () => {
  it('connect asks for the code, and Ctrl-C ends it; devices revoke asks first', async ({ lab }) => {
    await lab.connected();
    const { url } = await lab.backend();
    lab.exempt.push(join(remoteHome(lab), 'controllers.json'));
    const args = ['connect', '--home', remoteHome(lab), '--base-url', url, '--name', 'typed'];
    const refused = onTerminal(lab, args);
    await refused.shows('Pairing code: ');
    refused.type('\u0003');
    expect(await refused.exited).toBe(0);

    const run = onTerminal(lab, args);
    await run.shows('Pairing code: ');
    run.type(`${await pairingCode(lab)}\r`);
    await run.shows('Press Ctrl-C to stop');
    await run.shows('connected');
    const kept = onTerminal(lab, ['devices', 'revoke', 'typed', '--home', lab.home]);
    await kept.shows('Revoke it? [y/N]');
    kept.type('\r');
    await kept.shows('Nothing was changed');
    expect(await kept.exited).toBe(0);
    run.type('\u0003');
    expect(await run.exited).toBe(0);
    const revoked = onTerminal(lab, ['devices', 'revoke', 'typed', '--home', lab.home]);
    await revoked.shows('Revoke it? [y/N]');
    revoked.type('y\r');
    await revoked.shows('Revoked');
    expect(await revoked.exited).toBe(0);
  });
});
