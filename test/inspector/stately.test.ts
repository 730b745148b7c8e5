import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { readPageFile } from '../../src/inspector/page-file.js';
import { CLI } from '../support/cli.js';
import { it } from '../support/lab.js';
import { findLeaks, place } from '../support/leaks.js';
import { Chromium, noChromium } from './chromium.js';
import { FakeStately } from './fake-stately.js';

const SLOW = 60_000;

let stately: FakeStately;
let chromium: Chromium;

async function until(condition: () => boolean, what: string): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Checks the received events: the definition of a chart without its context, and names only in events and snapshots. */
function expectNamesOnly(received: readonly StatelyInspectionEvent[]): void {
  const actors = received.filter((event) => event.type === '@xstate.actor');
  const root = actors.find(({ name }) => name === 'remoteControl');
  const definition = JSON.parse(root?.definition ?? '{}') as { id: string; states: object };
  expect(definition.id).toBe('remoteControl');
  expect(Object.keys(definition.states)).toContain('active');
  expect(definition).not.toHaveProperty('context');
  const link = actors.find(({ name }) => name === 'link');
  expect(link?.parentId).toBe(root?.sessionId);
  for (const event of received) {
    expect(event).toMatchObject({ _version: expect.any(String), sessionId: expect.any(String) });
    expect(JSON.parse(JSON.stringify(event))).toEqual(event);
  }
  // Names only: the reason of a context; the name of an event and the details in the timeline.
  const keys = new Set(received.flatMap((event) => ('snapshot' in event ? Object.keys(event.snapshot) : [])));
  expect([...keys].sort()).toEqual(['context', 'status', 'value']);
  const contexts = received.flatMap((event) =>
    'snapshot' in event && 'context' in event.snapshot ? Object.keys(event.snapshot.context as object) : [],
  );
  expect([...new Set(contexts)]).toEqual(['reason']);
}

describe.skipIf(noChromium)(
  `start --inspect=stately in a real browser${noChromium ? ` (skipped: ${noChromium})` : ''}`,
  () => {
    beforeEach(async () => {
      stately = await FakeStately.start();
      chromium = await Chromium.open(stately.arguments);
    }, SLOW);
    afterEach(async () => {
      await chromium.close();
      await stately.close();
    }, SLOW);

    it('actors, events and snapshots reach the frame of stately.ai in the protocol of the library, without a secret', {
      timeout: SLOW,
    }, async ({ lab }) => {
      await lab.signIn();
      const engine = await lab.start(['--inspect=stately', '--listen', 'ws://127.0.0.1:0']);
      const line = await engine.line(({ type }) => type === 'inspector', 'link of the inspector');
      expect(line).toEqual({
        type: 'inspector',
        view: 'stately',
        url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/stately\?token=[\w-]{43}$/),
      });
      await engine.connected();
      const page = await chromium.page(String(line.url));
      expect(await page.eval('location.pathname + location.search')).toMatch(/^\/stately\?page=[\w-]{43}$/);

      // Only the frame itself can connect.
      await page.until(`document.getElementById('version').textContent !== ''`, 'connected page');
      await page.eval(`postMessage({ type: '@statelyai.connected' }, '*')`);
      await until(() => stately.requests.includes('stately.ai /opened'), 'page of the fake');
      expect(await page.eval(`document.getElementById('status').textContent`)).toContain('waiting');
      stately.open();
      await page.until(`document.getElementById('status').textContent === 'live'`, 'live page');

      const { received } = stately;
      const state = (value: unknown) => (event: object) =>
        'snapshot' in event &&
        JSON.stringify((event.snapshot as { value?: unknown }).value) === JSON.stringify(value);
      await until(() => received.some(state({ active: 'connected' })), 'connected chart');

      // Later events are sent as they happen.
      const backend = await lab.backend();
      backend.fault({ action: 'answer', fault: { route: 'refresh', answer: 'status', status: 401 } });
      backend.fault({ action: 'answer', fault: { route: 'socket', answer: 'status', status: 401 } });
      const before = received.length;
      backend.fault({ action: 'dropSockets', side: 'server' });
      await until(() => received.slice(before).some(state({ active: 'recoveringAuth' })), 'recovery');
      await until(() => received.slice(before).some(({ type }) => type === '@xstate.event'), 'new event');
      await until(
        () => received.slice(received.length - 200).some(state({ active: 'connected' })),
        'connection',
      );

      expectNamesOnly(received);

      // The frame cannot navigate to another site, and no message is sent there.
      stately.navigate('https://elsewhere.example/inspect');
      await until(
        () => page.errors.some((fault) => fault.includes('frame-src')),
        'refused navigation of the frame',
      );
      expect(stately.requests.filter((request) => !request.startsWith('stately.ai '))).toEqual([]);

      await engine.stop();
      await page.until(
        `document.getElementById('status').textContent === 'The engine has stopped.'`,
        'end of the engine',
      );
      const sentTexts = [...page.frames, ...stately.messages].join('\n');
      const token = new URL(String(line.url)).searchParams.get('token') ?? '';
      expect(findLeaks([...lab.secrets, token], [place('frames and messages', sentTexts)])).toEqual([]);
      await page.screenshot('stately');
    });
  },
);

describe.skipIf(noChromium)(`without the internet${noChromium ? ` (skipped: ${noChromium})` : ''}`, () => {
  it('the page says that stately.ai cannot be reached, and leads to the local page', {
    timeout: SLOW,
  }, async ({ lab }) => {
    const offline = await Chromium.open(['--host-resolver-rules=MAP stately.ai ~NOTFOUND']);
    try {
      await lab.signIn();
      const engine = await lab.start(['--inspect=stately']);
      const { url } = await engine.line(({ type }) => type === 'inspector', 'link of the inspector');
      const page = await offline.page(String(url));
      await page.until(
        `document.getElementById('status').textContent === 'stately.ai cannot be reached'`,
        'words in the status',
        20_000,
      );
      const words = `document.getElementById('unreachable').innerText`;
      expect(await page.eval(words)).toMatch(/stately\.ai cannot be reached.*offline.*local page/s);
      await page.screenshot('stately-unreachable');
      await page.click('#retry');
      await page.until(`document.getElementById('unreachable').hidden`, 'second try');
      await page.until(`!document.getElementById('unreachable').hidden`, 'words again', 20_000);
      await page.click('#local-page');
      await page.until(`document.getElementById('status').textContent === 'live'`, 'local page');
    } finally {
      await offline.close();
    }
  });
});

describe('start --inspect=stately', () => {
  it('says what is sent to stately.ai; without the flag nothing is loaded or printed about it', async ({
    lab,
  }) => {
    await lab.signIn();
    const plain = await lab.start(['--inspect=stately:0'], {}, false);
    await plain.until(() => /Inspector +http:\S+\/stately\?token=\S{43}\n/.test(plain.stdout), 'link');
    expect(plain.stdout).toContain('stately.ai receives the names and times of');
    await plain.stop();
    const local = await lab.start(['--inspect'], {}, false);
    await local.until(() => /Inspector +http:\S+\/\?token=\S{43}\n/.test(local.stdout), 'link');
    expect(local.stdout).not.toContain('stately');
    await local.stop();
    // The library is only in that page, so it runs only in the browser.
    const builtFile = (name: string) => readPageFile(pathToFileURL(join(dirname(CLI), name)));
    for (const file of ['cli-script.cjs', 'index.js', 'inspector.html.br']) {
      const text = await builtFile(file);
      expect(text.includes('@statelyai'), file).toBe(false);
    }
    expect(await builtFile('stately.html.br')).toContain('@statelyai');
  });

  it.for([
    ['variable', { RC_ENGINE_INSPECT: 'stately' }, undefined],
    ['key', {}, { inspect: 'stately' }],
  ] as const)('can be set by a %s', async ([, variables, config], { lab }) => {
    await lab.signIn();
    if (config !== undefined)
      await writeFile(join(lab.home, 'config.json'), JSON.stringify(config), { mode: 0o600 });
    const engine = await lab.start([], variables);
    const line = await engine.line(({ type }) => type === 'inspector', 'link of the inspector');
    expect(line.view).toBe('stately');
  });
});
