import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import { createActor } from 'xstate';
import { virtualClientMachine } from '../../machines/virtual-client.js';
import { openInspector } from '../../src/inspector/index.js';
import type { Recorder } from '../../src/inspector/recorder.js';
import type { SavedTimeline } from '../../src/inspector/timeline.js';
import { CLI, type CliProcess } from '../support/cli.js';
import { type Lab, it as labIt } from '../support/lab.js';
import { findLeaks, place } from '../support/leaks.js';
import { Chromium, noChromium, type Page } from './chromium.js';

const SLOW = 60_000;
/** Actors that end and are replaced while the page is open. */
const REPLACED = 2_000;

let chromium: Chromium;

async function linkOf(engine: CliProcess): Promise<string> {
  const { url } = await engine.line(({ type }) => type === 'inspector', 'link of the inspector');
  return String(url);
}

const ACTIVE = `[...document.getElementById('chart').shadowRoot.querySelectorAll('.active.leaf')].map((e) => e.getAttribute('data-state'))`;
const heading = `document.getElementById('heading').innerText`;

async function watched(lab: Lab): Promise<{ engine: CliProcess; page: Page }> {
  await lab.signIn();
  const engine = await lab.start(['--inspect', '--listen', 'ws://127.0.0.1:0']);
  const page = await chromium.page(await linkOf(engine));
  await page.until(`document.getElementById('status').textContent === 'live'`, 'live page');
  return { engine, page };
}

async function until<T>(find: () => Promise<T | undefined>, what: string): Promise<T> {
  const limit = performance.now() + 10_000;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (performance.now() > limit) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Clicks Save and returns the file. */
async function saved(page: Page): Promise<{ text: string; timeline: SavedTimeline }> {
  await page.click('#save');
  const name = await until(async () => {
    const names = await readdir(page.downloads).catch(() => []);
    return names.find((one) => one.endsWith('.json'));
  }, 'saved file');
  const path = join(page.downloads, name);
  // The browser may still be writing it.
  const text = await until(async () => {
    const found = await readFile(path, 'utf8');
    return found.endsWith('}') ? found : undefined;
  }, 'complete file');
  await rm(path);
  return { text, timeline: JSON.parse(text) as SavedTimeline };
}

/** Goes back to the moment of the recovery: chart, tree and reason belong to that moment. */
async function showRecovery(page: Page): Promise<void> {
  await pick(page, 'remoteControl', 'recoveringAuth');
  await page.until(`${ACTIVE}.includes('remoteControl.active.recoveringAuth')`, 'chart of that moment');
  // The row of that moment stays visible when the filter changes.
  await page.until(
    `(() => { const row = document.querySelector('.entry.moment')?.getBoundingClientRect(); const list = document.getElementById('list').getBoundingClientRect(); return row && row.top >= list.top && row.bottom <= list.bottom; })()`,
    'visible row of that moment',
  );
  await page.screenshot('scrolled-back');
  // Each part of the page updates at its own rate.
  await page.until(`${heading}.includes('recoveringAuth')`, 'text of that moment');
  await page.until(
    `document.getElementById('status').textContent === 'viewing the past'`,
    'status of the past',
  );
  await page.until(
    `document.querySelector('#heading .failure')?.textContent.startsWith('HTTP 401 · request ')`,
    'failure of that moment',
  );
  // The transition is an arrow, or else text in the state that was left.
  const lit = `[...document.getElementById('chart').shadowRoot.querySelectorAll('.left, .taken')].map((e) => e.getAttribute('data-state') ?? e.getAttribute('data-edges')).join()`;
  await page.until(`${lit}.includes('remoteControl.active.refreshing')`, 'transition from refreshing');
  // What a step causes comes after it.
  await page.click('#forward');
  await page.until(
    `document.getElementById('tree').innerText.includes('recoverAuth')`,
    'tree of the next moment',
  );
  // Not each transition has an arrow in each picture; the next one has.
  await pick(page, 'remoteControl', 'backingOff.recovered.pausing');
  const taken = `[...document.getElementById('chart').shadowRoot.querySelectorAll('.taken')].map((e) => e.getAttribute('data-edges')).join()`;
  await page.until(
    `${taken}.includes('remoteControl.active.recoveringAuth')`,
    'arrow of the last transition',
  );
}

/** Replays a saved timeline without an engine, to its end. */
async function replaySaved(lab: Lab, text: string): Promise<Page> {
  const file = join(lab.folder, 'saved.json');
  await writeFile(file, text);
  const replay = lab.run(['inspect', file, '--json']);
  const replayPage = await chromium.page(await linkOf(replay));
  await replayPage.until(
    `document.getElementById('status').textContent === 'replay of saved.json'`,
    'replay',
  );
  await replayPage.until(`${ACTIVE}.includes('remoteControl.active.connected')`, 'chart of the end');
  await pick(replayPage, 'remoteControl', 'recoveringAuth');
  await replayPage.until(`${ACTIVE}.includes('remoteControl.active.recoveringAuth')`, 'chart of that moment');
  await replayPage.screenshot('replay');
  for (let click = 0; click < 3; click += 1) await replayPage.click('#speed');
  await replayPage.click('#pause');
  await replayPage.until(
    `${ACTIVE}.includes('remoteControl.active.connected')`,
    'chart of the end after the replay',
  );
  expect((await replay.stop()).code).toBe(0);
  return replayPage;
}

describe.skipIf(noChromium)(
  `the inspector page in a real browser${noChromium ? ` (skipped: ${noChromium})` : ''}`,
  () => {
    const it = labIt;
    beforeAll(async () => {
      chromium = await Chromium.open();
    }, SLOW);
    afterEach(() => chromium.closePages());
    afterAll(() => chromium.close(), SLOW);

    it('shows the recovery from a 401; then scrolls back, saves and replays it', { timeout: SLOW }, async ({
      lab,
    }) => {
      const { engine, page } = await watched(lab);
      await page.until(`${ACTIVE}.includes('remoteControl.active.connected')`, 'connected chart');
      await page.screenshot('connected');
      await page.until(`${heading}.includes('connected')`, 'text of the state');

      // The account token is refused once: the engine has to recover.
      const backend = await lab.backend();
      backend.fault({ action: 'answer', fault: { route: 'refresh', answer: 'status', status: 401 } });
      backend.fault({ action: 'answer', fault: { route: 'socket', answer: 'status', status: 401 } });
      backend.fault({ action: 'dropSockets', side: 'server' });
      await page.until(
        `[...document.querySelectorAll('.entry .event')].some((e) => e.textContent.startsWith('recoverAuth'))`,
        'recovery in the timeline',
      );
      await page.until(`${ACTIVE}.includes('remoteControl.active.connected')`, 'connected chart again');
      await page.screenshot('recovered');
      await page.dark(true);
      await page.screenshot('recovered-dark');
      await page.dark(false);

      await showRecovery(page);
      const { text, timeline } = await saved(page);
      expect(
        timeline.entries.some(({ active }) => active.includes('remoteControl.active.recoveringAuth')),
      ).toBe(true);
      await page.click('#pause');
      await page.until(`document.getElementById('status').textContent === 'live'`, 'present');

      await page.eval(
        `(() => { const f = document.getElementById('filter'); f.value = 'recovering'; f.dispatchEvent(new Event('input')); })()`,
      );
      const listed = `[...document.querySelectorAll('#list-rows .entry')].map((e) => e.innerText.toLowerCase())`;
      await page.until(
        `${listed}.length > 0 && ${listed}.every((row) => row.includes('recover'))`,
        'list with matching rows only',
      );
      await engine.stop();
      await page.until(`document.getElementById('status').textContent === 'The engine has stopped.'`, 'end');

      const replayPage = await replaySaved(lab, text);

      const frames = [...page.frames, ...replayPage.frames, text].join('\n');
      expect(findLeaks(lab.secrets, [place('frames and file', frames)])).toEqual([]);
      expect([...page.errors, ...replayPage.errors]).toEqual([]);
      // The page is one file and loads nothing from anywhere else.
      const external = [...page.requests, ...replayPage.requests].filter(
        (url) => !/^(?:http|ws):\/\/127\.0\.0\.1:\d+\/|^data:|^blob:|^about:/.test(url),
      );
      expect(external).toEqual([]);
    });

    it('another site cannot open its socket, and the link works only once', {
      timeout: SLOW,
    }, async ({ lab }) => {
      const { engine, page } = await watched(lab);
      const { url } = engine.lines.find(({ type }) => type === 'inspector') as { url: string };
      const other = await chromium.page(url);
      expect(await other.eval('document.body.innerText')).toContain('This link has been used');
      // The browser that used the link may reload the page.
      const address = await page.eval<string>('location.href');
      expect(address).not.toContain('token');
      await page.go(address);
      await page.until(`document.getElementById('status').textContent === 'live'`, 'live page');

      const foreign = await lab.backend();
      const site = new URL(foreign.url);
      await page.go(`http://localhost:${site.port}/`);
      const socket = await page.eval<string>(
        `new Promise((r) => { const s = new WebSocket(${JSON.stringify(`${new URL(url).origin.replace('http', 'ws')}/timeline`)}); s.onopen = () => r('open'); s.onerror = () => r('refused'); })`,
      );
      expect(socket).toBe('refused');
    });

    it('shows the path of an upgrade through its chart, although the listener runs no chart', {
      timeout: SLOW,
    }, async ({ lab }) => {
      const { engine, page } = await watched(lab);
      const listening = await engine.line(({ type }) => type === 'listening', 'connect URL');
      const wrongClient = new WebSocket(`${new URL(String(listening.connectUrl)).origin}/?token=wrong`);
      wrongClient.on('error', () => {});
      await pick(page, 'upgrades', 'rejected');
      await page.until(`${ACTIVE}.includes('websocketAuth.rejected')`, 'refused upgrade');
      const taken = `[...document.getElementById('chart').shadowRoot.querySelectorAll('.taken')].map((e) => e.getAttribute('data-edges')).join()`;
      for (const edge of ['originCheck always 1', 'admission always 0', 'credential.mode always 0']) {
        await page.until(`${taken}.includes('websocketAuth.${edge}')`, `arrow of ${edge}`);
      }
      const path = await page.eval<string>(`document.querySelector('.path-row').innerText`);
      expect(path).toMatch(/originCheck → requestCheck.* › .*queryTokenEnforced → rejected: always/);
      await page.screenshot('upgrade');
      await engine.stop();
      expect(page.errors).toEqual([]);
    });

    it('1,000 actors that are replaced one after the other are shown, and no entry is lost', {
      timeout: SLOW,
    }, async () => {
      const inspector = await openInspector({
        port: 0,
        pageFile: pathToFileURL(join(dirname(CLI), 'inspector.html.br')),
        engine: '0.0.0',
        charts: {},
      });
      const machine = virtualClientMachine.provide({
        actions: { closeSession: () => {} },
      });
      const env = { now: () => Date.now(), monotonic: () => performance.now(), random: () => 0.5 };
      let events = 0;
      const start = (i: number) => {
        const ids = { clientId: `client-${i}`, streamId: 's' };
        const actor = createActor(machine, {
          id: `virtualClient:client-${i}/s`,
          input: { env, ...ids },
          inspect: ({ type }) => {
            if (type === '@xstate.event') events += 1;
          },
        });
        inspector.watcher.actor(actor);
        actor.subscribe(() => {});
        return actor.start();
      };
      const page = await chromium.page(inspector.link.reveal());
      const recorder = inspector.watcher as Recorder;
      const { timeline } = recorder;
      const actors = Array.from({ length: 1_000 }, (_, i) => start(i));
      await page.until(`document.getElementById('tree-count').textContent === '1000'`, 'thousand actors');
      const [eventsBefore, before] = [events, timeline.next];
      for (let created = actors.length; created < actors.length + REPLACED; created += 1) {
        // An actor that ends and one that starts create two events.
        actors[created % actors.length]?.send({ type: 'CLOSE', reason: 'clientClosed' });
        actors[created % actors.length] = start(created);
        // The page draws while they come.
        if (created % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(events - eventsBefore).toBeGreaterThanOrEqual(2 * REPLACED);
      // No entry was merged or lost.
      expect(timeline.next - before).toBeGreaterThanOrEqual(2 * REPLACED);
      const { next } = timeline;
      await page.until(`Number(document.getElementById('scrub').max) === ${next - 1}`, 'last entry');
      await page.until(`document.getElementById('tree-count').textContent === '1000'`, 'all actors');
      await page.click('.row.group');
      await page.until(`document.querySelectorAll('.row.machine').length > 30`, 'some of the actors');
      await page.click('.row.machine');
      await page.until(`${ACTIVE}.includes('virtualClient.open')`, 'chart of one of them');
      await page.screenshot('thousand');
      await page.dark(true);
      await page.screenshot('thousand-dark');
      expect(recorder.internalErrors).toBe(0);
      for (const actor of actors) actor.stop();
      await inspector.close();
      expect(page.errors).toEqual([]);
    });
  },
);

/** Filters for this actor in this state, clicks the first matching row, and clears the filter. */
async function pick(page: Page, actor: string, state: string): Promise<void> {
  const filter = (text: string) =>
    page.eval(
      `(() => { const f = document.getElementById('filter'); f.value = ${JSON.stringify(text)}; f.dispatchEvent(new Event('input')); })()`,
    );
  const row = `[...document.querySelectorAll('#list-rows .entry')].find((e) => e.querySelector('.actor').textContent === '${actor}' && e.querySelector('.transition').textContent.endsWith('${state}'))`;
  await filter(`${actor} ${state}`);
  // Found and clicked in one step, because the list may be rendered again in between.
  await page.until(`(${row}?.click(), ${row} !== undefined)`, `row of ${actor} in ${state}`);
  await filter('');
}
