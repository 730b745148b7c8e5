/** What a person sees on a terminal: lines that are replaced, and lines while a command waits. */
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished } from 'vitest';
import { LoopbackIssuer } from '../support/issuer.js';
import { it, type Lab } from '../support/lab.js';
import { decoded, modules } from '../support/qr.js';
import { closeTerminals, hasTerminal, onTerminal, type Terminal } from '../support/terminal.js';

afterEach(closeTerminals);

const WAITING = /… \d+ s/;

/** The engine does not answer until `resume`. */
async function stoppedEngine(lab: Lab) {
  const engine = await lab.connected();
  engine.child.kill('SIGSTOP');
  return { resume: () => engine.child.kill('SIGCONT') };
}

describe.runIf(hasTerminal)('RC-132: the screen of start on a terminal with few rows', () => {
  const count = (terminal: Terminal, what: string): number => terminal.shown.split(what).length - 1;

  it.for([[8], [5], [2], [40]])('of %i rows is not printed again and again', async ([rows = 0], { lab }) => {
    const engine = onTerminal(['start', '--base-url', 'embedded'], { rows, env: { HOME: lab.folder } });
    const label = rows < 4 ? 'too few rows' : 'pairing code';
    await engine.until((shown) => shown.includes(label) || shown.includes('too few rows'), 'the screen');
    const home = /start with its command|built in/;
    // Events that draw the block again: a restart of the link, twice.
    const dir = /^home +(\/\S+)/m.exec(engine.plain)?.[1] ?? '';
    for (let round = 0; round < 2; round += 1) {
      for (const words of ['disable', 'enable']) await lab.cli([words, '--home', dir]);
    }
    await engine.until((shown) => shown.split('connected as environment').length > 2 || rows < 4, 'the link');
    // What is above the block was written once, and each line that was replaced was erased first.
    expect(count(engine, 'Press Ctrl-C to stop')).toBe(1);
    const drawn = engine.shown.split('\u001b[J');
    expect(drawn.length).toBeGreaterThan(2);
    for (const part of drawn.slice(1)) {
      const shownRows = part.split('\n').length - 1;
      if (!part.includes('Stopped.')) expect(shownRows, part).toBeLessThan(Math.max(rows, 2) + 3);
    }
    expect(engine.shown.includes('too few rows')).toBe(rows < 20);
    if (rows >= 20) expect(engine.shown).toMatch(home);
  });
});

describe.runIf(hasTerminal)('RC-134: while a command takes longer than a second', () => {
  it.for([
    [['status'], 'Asking the engine'],
    [['stop'], 'Stopping the engine'],
    [['restart'], 'Restarting the engine'],
    [['pair', '--no-qr'], 'Waiting for the connection'],
    [['devices'], 'Reading the devices'],
    [['whoami'], 'Reading the account'],
    [['disable', '--ephemeral'], 'Switching remote control off'],
  ] as const)('%s shows a line, which is gone at its end', async ([words, line], { lab }) => {
    const { resume } = await stoppedEngine(lab);
    const terminal = onTerminal([...words, '--home', lab.home], { env: { HOME: lab.folder } });
    await terminal.until((shown) => WAITING.test(shown), 'line');
    expect(terminal.lines.some((one) => one.startsWith(`${line} …`))).toBe(true);
    resume();
    await terminal.exited;
    const last = terminal.shown.split('\u001b[2K').at(-1) ?? '';
    expect(last).not.toMatch(WAITING);
  });

  it('login --device waits for the issuer, and then for the person', async ({ lab }) => {
    const issuer = await LoopbackIssuer.start();
    let answer = (): void => {};
    const after = new Promise<void>((resolve) => {
      answer = resolve;
    });
    onTestFinished(() => issuer.close());
    issuer.always('usercode', {
      json: { device_auth_id: 'device-1', user_code: 'ABCD-1234', interval: '1' },
      after,
    });
    issuer.always('devicePoll', { status: 403, json: { error: 'authorization_pending' } });
    const terminal = onTerminal(['login', '--device', '--no-qr', '--home', lab.home], {
      env: { HOME: lab.folder, RC_ENGINE_ISSUER: issuer.origin },
    });
    await terminal.until((shown) => shown.includes('Starting the sign-in …'), 'first line');
    answer();
    await terminal.until((shown) => shown.includes('ABCD-1234'), 'code');
    await terminal.until((shown) => shown.includes('Waiting for the sign-in …'), 'second line');
    // The code stays readable above the line.
    expect(terminal.shown.lastIndexOf('ABCD-1234')).toBeLessThan(terminal.shown.lastIndexOf('Waiting for'));
    terminal.type('\u0003');
    expect(await terminal.exited).toBe(130);
    expect(terminal.plain).toContain('Cancelled. Nothing was changed.');
    expect(terminal.shown.split('\u001b[2K').at(-1)).not.toMatch(WAITING);
  });

  it('connect waits for a backend that does not answer, until Ctrl-C', async ({ lab }) => {
    const silent = net.createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as net.AddressInfo;
    const terminal = onTerminal(['connect', '--base-url', `http://127.0.0.1:${port}/backend-api`], {
      env: { HOME: lab.folder, RC_ENGINE_PAIRING_CODE: 'ABCD-EFGH' },
    });
    await terminal.until((shown) => /Connecting … [1-9]\d* s/.test(shown), 'line');
    terminal.type('\u0003');
    expect(await terminal.exited).toBe(130);
    expect(terminal.plain).toContain('Cancelled. The pairing code may be used up');
    expect(terminal.shown.split('\u001b[2K').at(-1)).not.toMatch(WAITING);
  });

  it('service install waits for the service manager', async ({ lab }) => {
    const bin = join(lab.folder, 'bin');
    await mkdir(bin);
    const script = `#!/bin/sh\ncase "$*" in *daemon-reload*) while [ ! -e '${lab.folder}/go' ]; do sleep 0.1; done;; *show*) echo ActiveState=active;; esac\n`;
    for (const name of ['systemctl', 'loginctl', 'systemd-notify'])
      await writeFile(join(bin, name), script, { mode: 0o755 });
    const terminal = onTerminal(['service', 'install', '--home', lab.home, '--manager', 'systemd'], {
      env: {
        HOME: lab.folder,
        PATH: `${bin}:${process.env.PATH}`,
        XDG_CONFIG_HOME: join(lab.folder, 'config'),
      },
    });
    await terminal.until((shown) => /Installing the service … [1-9]\d* s/.test(shown), 'line');
    await writeFile(join(lab.folder, 'go'), '');
    expect(await terminal.exited).toBe(0);
    expect(terminal.plain).toContain('The service runs now');
    expect(terminal.shown.split('\u001b[2K').at(-1)).not.toMatch(WAITING);
  });

  it('nothing is shown with --json, and without a terminal', async ({ lab }) => {
    const { resume } = await stoppedEngine(lab);
    const json = onTerminal(['status', '--json', '--home', lab.home], { env: { HOME: lab.folder } });
    const piped = lab.run(['status', '--home', lab.home]);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    resume();
    await Promise.all([json.exited, piped.exited]);
    expect(json.shown).not.toMatch(WAITING);
    expect(piped.stderr).toBe('');
  });

  it('the QR code of pair holds the pairing code alone, as text, and a controller can claim it', async ({
    lab,
  }) => {
    await lab.connected();
    const terminal = onTerminal(['pair', '--home', lab.home], { rows: 60, env: { HOME: lab.folder } });
    expect(await terminal.exited).toBe(0);
    const rows = terminal.shown.split(/\r?\n/).filter((line) => line.includes('48;5;231m'));
    const code = decoded(modules(rows)) ?? '';
    // No address and no name: a camera that shows it opens nothing.
    expect(code).toMatch(/^[\w-]+$/);
    lab.mark([code]);
    const call = ['call', '--base-url', await lab.baseUrl(), 'engine/echo'];
    const claimed = await lab.cli(call, { RC_ENGINE_PAIRING_CODE: code });
    expect(claimed.code, claimed.stderr).toBe(0);
  });

  it('pair --wait says what it waits for, below the code', async ({ lab }) => {
    await lab.connected();
    const terminal = onTerminal(['pair', '--wait', '--no-qr', '--home', lab.home], {
      env: { HOME: lab.folder },
    });
    await terminal.until((shown) => shown.includes('Waiting for a device to claim the code …'), 'line');
    expect(terminal.shown).toContain('Enter this code on the other device');
  });
});
