/** `rc-engine inspect --attach`: the page of an engine that was started without one. RC-191, RC-192 */
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import type { CliProcess } from '../support/cli.js';
import { type Lab, it as labIt } from '../support/lab.js';
import { findLeaks, place } from '../support/leaks.js';
import { Chromium, noChromium, type Page } from './chromium.js';

const SLOW = 60_000;
const ACTIVE = `[...document.getElementById('chart').shadowRoot.querySelectorAll('.active.leaf')].map((e) => e.getAttribute('data-state'))`;
const STATUS = `document.getElementById('status').textContent`;
const ROWS = `[...document.querySelectorAll('#list-rows .entry')].map((e) => e.innerText)`;

let chromium: Chromium;

function attach(lab: Lab, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): CliProcess {
  return lab.run(['inspect', '--attach', '--json', '--home', lab.home, ...args], env);
}

async function linkOf(command: CliProcess): Promise<URL> {
  const { url } = await command.line(({ type }) => type === 'inspector', 'link of the inspector');
  return new URL(String(url));
}

async function live(url: string): Promise<Page> {
  const page = await chromium.page(url);
  await page.until(`${STATUS} === 'live'`, 'live page');
  return page;
}

function isOpen(port: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(Number(port), '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A browser that only notes its arguments, in `args.txt`. */
async function fakeBrowser(lab: Lab): Promise<{ env: NodeJS.ProcessEnv; args(): Promise<string> }> {
  const script = join(lab.folder, 'browser.sh');
  const noted = join(lab.folder, 'args.txt');
  await writeFile(script, `#!/bin/sh\necho "$@" > ${noted}.new && mv ${noted}.new ${noted}\n`);
  await chmod(script, 0o755);
  return {
    env: { BROWSER: script },
    args: async () => {
      await until(() => stat(noted).then(Boolean, () => false), 'started browser');
      return (await readFile(noted, 'utf8')).trim();
    },
  };
}

describe.skipIf(noChromium)(
  `rc-engine inspect --attach${noChromium ? ` (skipped: ${noChromium})` : ''}`,
  () => {
    const it = labIt;
    beforeAll(async () => {
      chromium = await Chromium.open();
    }, SLOW);
    afterEach(() => chromium.closePages());
    afterAll(() => chromium.close(), SLOW);

    it('RC-191: shows what runs already and what happens from then on, and ends with the command', {
      timeout: SLOW,
    }, async ({ lab }) => {
      const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0']);
      const listening = await engine.line(({ type }) => type === 'listening', 'connect URL');
      const client = new WebSocket(String(listening.connectUrl));
      await new Promise((resolve) => client.once('open', resolve));
      const command = attach(lab);
      const link = await linkOf(command);
      const page = await live(link.href);
      await page.until(`${ACTIVE}.includes('remoteControl.active.connected')`, 'connected chart');
      const tree = `document.getElementById('tree').innerText`;
      for (const actor of ['remoteControl', 'account', 'listener-1']) {
        await page.until(`${tree}.includes(${JSON.stringify(actor)})`, `actor ${actor}`);
      }
      expect(await page.eval(`document.getElementById('note').textContent`)).toContain('attached');

      const backend = await lab.backend();
      backend.fault({ action: 'answer', fault: { route: 'socket', answer: 'status', status: 503 } });
      backend.fault({ action: 'dropSockets', side: 'server' });
      await page.until(`${ROWS}.some((row) => row.includes('backingOff'))`, 'steps from then on');
      client.close();
      await page.until(
        `${ROWS}.some((row) => row.includes('listener-1') && row.includes('closed'))`,
        'end of a client',
      );

      expect((await command.stop()).code).toBe(0);
      expect(await isOpen(link.port)).toBe(false);
      await page.until(`${STATUS}.includes('inspect --attach')`, 'end of the page');
      expect(findLeaks(lab.secrets, [place('frames', page.frames.join('\n'))])).toEqual([]);
      expect(page.errors).toEqual([]);
      // The engine is as it was, and can be watched again.
      const again = attach(lab);
      await live((await linkOf(again)).href);
      expect((await again.stop()).code).toBe(0);
      await engine.stop();
    });

    it('RC-191: a command that is killed leaves no port open, and two share the page', {
      timeout: SLOW,
    }, async ({ lab }) => {
      await lab.connected();
      const [one, two] = [attach(lab), attach(lab)];
      const [first, second] = [await linkOf(one), await linkOf(two)];
      expect(second.port).toBe(first.port);
      const page = await live(first.href);
      one.child.kill('SIGKILL');
      const other = await live(second.href);
      expect(await page.eval(STATUS)).toBe('live');
      two.child.kill('SIGKILL');
      await until(async () => !(await isOpen(first.port)), 'closed port');
      await other.until(`${STATUS}.includes('inspect --attach')`, 'end of the page');
    });

    it('RC-191: when the engine stops, the page shows its end and the command ends', {
      timeout: SLOW,
    }, async ({ lab }) => {
      const engine = await lab.connected();
      const command = attach(lab);
      const page = await live((await linkOf(command)).href);
      await engine.stop();
      await page.until(`${STATUS} === 'The engine has stopped.'`, 'end of the engine');
      await page.until(
        `${ROWS}.some((row) => row.includes('engine') && row.includes('stopping'))`,
        'last step',
      );
      const { code, stderr } = await command.exited;
      expect([code, stderr]).toEqual([0, expect.stringContaining('The engine has stopped')]);
    });

    it('RC-192: --open starts the browser with a private file, not with the link; the file goes after its use', {
      timeout: SLOW,
    }, async ({ lab }) => {
      await lab.connected();
      const browser = await fakeBrowser(lab);
      const command = attach(lab, ['--open'], browser.env);
      const link = await linkOf(command);
      const args = await browser.args();
      expect(args).toMatch(/^file:\/\/\S+\.html$/);
      expect(args).not.toContain(link.searchParams.get('token'));
      const file = fileURLToPath(args);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const content = await readFile(file, 'utf8');
      const [, leadsTo = ''] = /url=(\S+?)"/.exec(content) ?? [];
      expect(leadsTo).not.toBe(link.href);
      expect(args).not.toContain(new URL(leadsTo).searchParams.get('token'));

      // Another site that knows the link neither gets the page nor uses the link up.
      const elsewhere = await chromium.page('data:text/html,x');
      const fetched = `fetch(${JSON.stringify(leadsTo)}, { mode: 'no-cors' }).then(() => 'answered', () => 'failed')`;
      await elsewhere.eval(fetched);
      const page = await live(args);
      expect(await page.eval('location.href')).not.toContain('token');
      await until(
        async () => !(await readdir(lab.home)).some((name) => name.startsWith('open-')),
        'deleted file',
      );
      // The printed link still works, the other one has been used.
      expect((await fetch(leadsTo)).status).toBe(403);
      await live(link.href);
      await command.stop();
    });

    it('RC-192: the file of a browser that does not come goes with the command; a replay and url --inspector open it, too', {
      timeout: SLOW,
    }, async ({ lab }) => {
      const engine = await lab.connected(['--inspect']);
      const browser = await fakeBrowser(lab);
      const printed = lab.run(['url', '--inspector', '--open', '--home', lab.home], browser.env);
      const page = await live(await browser.args());
      const { code, stdout } = await printed.exited;
      expect([code, stdout]).toEqual([
        0,
        expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\?token=\S+\n$/),
      ]);
      await page.click('#save');
      await until(
        () =>
          readdir(page.downloads).then(
            (names) => names.some((name) => name.endsWith('.json')),
            () => false,
          ),
        'saved timeline',
      );
      const [saved = ''] = await readdir(page.downloads);
      await engine.stop();
      const other = await fakeBrowser(await Promise.resolve(lab));
      await writeFile(join(lab.folder, 'args.txt'), '');
      const replay = lab.run(['inspect', join(page.downloads, saved), '--open', '--json'], other.env);
      await linkOf(replay);
      let args = '';
      await until(async () => {
        args = (await readFile(join(lab.folder, 'args.txt'), 'utf8')).trim();
        return args !== '';
      }, 'started browser');
      expect((await stat(fileURLToPath(args))).mode & 0o777).toBe(0o600);
      await replay.stop();
      expect(await stat(fileURLToPath(args)).catch(() => 'gone')).toBe('gone');
    });

    it('an engine with --inspect keeps its page; without an engine the exit code is 5', {
      timeout: SLOW,
    }, async ({ lab }) => {
      const none = await lab.cli(['inspect', '--attach', '--home', lab.home]);
      expect(none.code).toBe(5);
      await lab.connected(['--inspect']);
      const { code, stdout } = await lab.cli(['inspect', '--attach', '--home', lab.home]);
      expect([code, stdout]).toEqual([0, expect.stringContaining('its page stays')]);
      await live(/http:\S+/.exec(stdout)?.[0] ?? '');
    });
  },
);
