import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterEach, describe, expect } from 'vitest';
import { CLI, type CliProcess, cleanEnv } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';

/** `    0.3 s  connecting enrolling.requesting  (enabled)` */
const STATE = /^ +\d+\.\d s {2}(?:connecting|connected|errored|disabled) +\S+/;
const ESCAPE = '\u001b';
const SCRIPT = '/usr/bin/script';
const noTerminal = process.platform !== 'linux' || !existsSync(SCRIPT);

async function embedded(lab: Lab, args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<CliProcess> {
  const engine = lab.run(['start', '--base-url', 'embedded', ...args], { NO_COLOR: undefined, ...env });
  await engine.until(() => engine.stdout.includes('Press Ctrl-C to stop'), 'banner');
  return engine;
}

const shown = (engine: CliProcess, name: string): string =>
  new RegExp(`^${name} +(.+)$`, 'm').exec(engine.stdout)?.[1] ?? '';
/** The command that the first screen proposes. */
const pasted = (engine: CliProcess): string => /^ +(.* call --base-url .*)$/m.exec(engine.stdout)?.[1] ?? '';
const environmentOf = (engine: CliProcess): string => /\benv_\w+/.exec(engine.stdout)?.[0] ?? '';

async function shell(command: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn('sh', ['-c', command], { env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += String(data);
  });
  child.stderr.on('data', (data) => {
    stderr += String(data);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

describe('rc-engine start --base-url embedded, as npm start runs it', () => {
  it('RC-132: without a terminal, prints one block: what runs, and a command to run', async ({ lab }) => {
    const engine = await embedded(lab);
    expect(engine.stdout).toMatch(/^rc-engine \S+ runs on \S+\. Press Ctrl-C to stop it\.$/m);
    expect(shown(engine, 'status')).toMatch(/^connected as environment env_\w+$/);
    expect(shown(engine, 'app server')).toMatch(/^built in: /);
    expect(engine.stdout).toMatch(/^ {4}ws:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/m);
    // States of the charts are for --verbose.
    expect(engine.stdout).not.toMatch(/loadingAuth|enrolling|awaiting/);
    expect(engine.stdout).not.toContain(ESCAPE);
    expect(engine.stdout).not.toContain('\r');
    expect(engine.stderr).toBe('');
  });

  it('--verbose prints a line for each state', async ({ lab }) => {
    const engine = await embedded(lab, ['--verbose']);
    const states = engine.stdout.split('\n').filter((line) => STATE.test(line));
    expect(states.length).toBeGreaterThanOrEqual(4);
    expect(new Set(states).size).toBe(states.length);
    expect(states[0]).toContain('loadingAuth');
  });

  it('--pair prints a code that a device can claim, and says when it was claimed', async ({ lab }) => {
    const engine = await embedded(lab, ['--pair']);
    const code = await engine.until(
      () => /^pairing code +([A-Z0-9-]+) +works once/m.exec(engine.stdout)?.[1],
      'code',
    );
    expect(pasted(engine)).toContain(`RC_ENGINE_PAIRING_CODE=${code}`);
    expect(await shell(pasted(engine))).toMatchObject({ code: 0 });
    await engine.until(() => engine.stdout.includes('it is paired now'), 'the claim');
    await engine.until(() => /rc-engine\S* connected by remote control\./.test(engine.stdout), 'the client');
  });

  it('the printed command works, and shows the same environment', async ({ lab }) => {
    const engine = await embedded(lab);
    const { code, stdout, stderr } = await shell(pasted(engine));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const status = JSON.parse(stdout);
    expect(status.remoteControl).toMatchObject({
      status: 'connected',
      environmentId: environmentOf(engine),
    });
    // A controller learns nothing of the installation and of other clients.
    expect(Object.keys(status).sort()).toEqual(['appServer', 'remoteControl', 'version']);
    const again = await shell(pasted(engine));
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/does not know this pairing code/);
  });

  it('the other printed commands work, for that home', async ({ lab }) => {
    const engine = await embedded(lab);
    const commands = [...engine.stdout.matchAll(/((?:node \S+|rc-engine) (?:pair|status)(?: --home \S+)?)/g)];
    expect(commands.length).toBeGreaterThan(0);
    for (const [, command = ''] of commands) {
      expect(await shell(command)).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it('RC-46: Ctrl-C stops it with exit code 0 and removes the temporary home and the backend', async ({
    lab,
  }) => {
    const engine = await embedded(lab);
    const home = shown(engine, 'home');
    expect(existsSync(home)).toBe(true);
    const before = performance.now();
    const { code, stderr } = await engine.stop('SIGINT');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(existsSync(home)).toBe(false);
    await expect(fetch(shown(engine, 'backend'))).rejects.toThrow('fetch failed');
  });

  it('keeps a named home, and uses it again at the next start', async ({ lab }) => {
    const first = await embedded(lab, ['--home', lab.home]);
    await first.stop();
    expect(existsSync(lab.home)).toBe(true);
    const second = await embedded(lab, [], { RC_ENGINE_HOME: lab.home });
    expect([shown(first, 'home'), shown(second, 'home')]).toEqual([lab.home, lab.home]);
  });

  it('prints the next commands with another backend, too', async ({ lab }) => {
    await lab.signIn();
    const engine = await lab.start([], {}, false);
    await engine.until(() => engine.stdout.includes('Press Ctrl-C to stop'), 'banner');
    const pair = /^ +(\S.* pair .*)$/m.exec(engine.stdout)?.[1] ?? '';
    const { code, stdout } = await shell(pair);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Enter this code on the other device: [A-Z0-9-]+/);
  });

  it('shows a failure with its reason and the time of the next attempt', async ({ lab }) => {
    await lab.signIn();
    const backend = await lab.backend();
    backend.fault({ action: 'answer', fault: { route: 'enroll', answer: 'status', status: 503 } });
    const engine = await lab.start([], {}, false);
    await engine.until(
      () => /^status +not connected: The backend answered with a server error/m.test(engine.stdout),
      'failure',
    );
    expect(engine.stdout).toMatch(/^ +Next attempt at \d\d:\d\d:\d\d\.$/m);
  });
});

/** Runs the command line on a pseudo terminal. */
class Terminal {
  static readonly #open = new Set<Terminal>();
  readonly child: ChildProcess;
  output = '';
  readonly closed: Promise<unknown[]>;

  constructor(command: string, env: NodeJS.ProcessEnv) {
    this.child = spawn(SCRIPT, ['-qec', command, '/dev/null'], {
      env: { ...cleanEnv(), TERM: 'xterm', NO_COLOR: undefined, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    Terminal.#open.add(this);
    this.closed = once(this.child, 'close').finally(() => Terminal.#open.delete(this));
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
  }

  static async endAll(): Promise<void> {
    for (const terminal of Terminal.#open) {
      terminal.child.kill('SIGKILL');
      await terminal.closed;
    }
  }

  async until(text: string): Promise<void> {
    const limit = AbortSignal.timeout(10_000);
    while (!this.output.includes(text)) {
      await once(this.child.stdout ?? this.child, 'data', { signal: limit });
    }
  }

  async interrupt(): Promise<unknown> {
    this.child.stdin?.write('\u0003');
    const [code] = await this.closed;
    return code;
  }
}

describe.skipIf(noTerminal)('rc-engine start on a terminal', () => {
  afterEach(() => Terminal.endAll());

  const command = `exec ${process.execPath} ${CLI} start --base-url embedded --listen off`;

  it('updates one block, in colour, and stops on Ctrl-C with exit code 0', async () => {
    const terminal = new Terminal(command, {});
    await terminal.until('Press Ctrl-C to stop');
    await terminal.until('try it');
    const rows = `${ESCAPE}[`;
    // The block is erased and written again; the title is not.
    expect(terminal.output.split(`A\r${rows}J`).length).toBeGreaterThan(1);
    expect(terminal.output.split('Press Ctrl-C to stop')).toHaveLength(2);
    expect(terminal.output).toContain(`${rows}32mconnected`);
    expect(await terminal.interrupt()).toBe(0);
  });

  it('NO_COLOR removes the colours and still updates the block', async () => {
    const terminal = new Terminal(command, { NO_COLOR: '1' });
    await terminal.until('try it');
    expect(terminal.output).toContain(`${ESCAPE}[J`);
    expect(terminal.output).not.toMatch(new RegExp(`${ESCAPE}\\[[\\d;]*m`));
    expect(await terminal.interrupt()).toBe(0);
  });

  it('prints plain lines on a dumb terminal', async () => {
    const terminal = new Terminal(command, { TERM: 'dumb' });
    await terminal.until('Press Ctrl-C to stop');
    expect(terminal.output).not.toContain(ESCAPE);
    expect(await terminal.interrupt()).toBe(0);
  });
});
