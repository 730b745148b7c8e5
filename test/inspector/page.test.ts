/** The page of the inspector over a replay: pictures, descriptions, keyboard, filter, sequence, comparison, small screens. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chartHashes } from '../../src/engine/charts.js';
import { openReplay } from '../../src/inspector/index.js';
import type { Entry, SavedTimeline } from '../../src/inspector/timeline.js';
import { CLI, cli } from '../support/cli.js';
import { Chromium, noChromium, type Page } from './chromium.js';
import { RECORDED_CHARTS, recordedPaths } from './recorded-paths.js';

const SLOW = 120_000;
const SHADOW = `document.getElementById('chart').shadowRoot`;
const FRAME = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))';
const focused = '(document.activeElement?.id ?? "")';

let chromium: Chromium;
let directory: string;
const replays: { close(): Promise<void> }[] = [];

async function saved(name: string, timeline: SavedTimeline): Promise<string> {
  const file = join(directory, `${name}.json`);
  await writeFile(file, JSON.stringify(timeline));
  return file;
}

async function replayOf(file: string): Promise<Page> {
  const replay = await openReplay(file, {
    port: 0,
    pageFile: pathToFileURL(join(dirname(CLI), 'inspector.html.br')),
    engine: '0.0.0',
    charts: chartHashes(),
  });
  replays.push(replay);
  const page = await chromium.page(replay.link.reveal());
  await page.until(`document.getElementById('status').textContent.startsWith('replay of')`, 'replay');
  // A replay opens at its end.
  await page.until(
    `(({ value, max }) => max !== '0' && value === max)(document.getElementById('scrub'))`,
    'end of the replay',
  );
  await page.eval(FRAME);
  return page;
}

/** The first recovery of remoteControl from a token that the backend refused. */
function session(): Promise<SavedTimeline> {
  recorded ??= recordedPaths('remoteControl', 30).then(withFailure);
  return recorded;
}

let recorded: Promise<SavedTimeline> | undefined;

/** The recorded paths have made-up failures; this one has everything that a failure can have. */
function withFailure(timeline: SavedTimeline): SavedTimeline {
  const failure = {
    text: 'dial: wss://backend.example answered HTTP 401 <b>bold</b>',
    httpStatus: 401,
    requestId: 'req-4711',
  };
  const at = timeline.entries.findIndex(({ active }) => active.some((id) => id.includes('tokenInvalid')));
  return {
    ...timeline,
    entries: timeline.entries.map((entry, index) => (index === at ? { ...entry, failure } : entry)),
  };
}

const filter = (page: Page, text: string): Promise<unknown> =>
  page.eval(
    `(() => { const f = document.getElementById('filter'); f.value = ${JSON.stringify(text)}; f.dispatchEvent(new Event('input')); })()`,
  );

/** Shows the first step that the filter finds. */
async function show(page: Page, text: string): Promise<void> {
  await filter(page, text);
  await page.until(
    `(document.querySelector('#list-rows .entry')?.click(), document.querySelector('.entry.moment') !== null)`,
    `step with ${text}`,
  );
  await filter(page, '');
  await page.eval(FRAME);
}

describe.skipIf(noChromium)(
  `the page of the inspector${noChromium ? ` (skipped: ${noChromium})` : ''}`,
  () => {
    beforeAll(async () => {
      chromium = await Chromium.open();
    }, SLOW);
    afterAll(() => chromium.close(), SLOW);
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'rc-engine-page-'));
    });
    afterEach(async () => {
      await chromium.closePages();
      for (const replay of replays.splice(0)) await replay.close();
      await rm(directory, { recursive: true });
    });

    it.each(RECORDED_CHARTS)('%s: each step lights something', { timeout: SLOW }, async (name) => {
      const timeline = await recordedPaths(name, 4);
      const page = await replayOf(await saved(name, timeline));
      // One of the actors that play the paths is no chart of the engine.
      await filter(page, '-actor:parent');
      await page.press('Home');
      const seen = await page.eval<{ steps: number; dark: string[] }>(`(async () => {
      const frame = () => ${FRAME};
      const dark = [];
      let steps = 0;
      for (let last = -1; steps < 80; steps += 1) {
        const position = () => Number(document.getElementById('scrub').value);
        for (let waited = 0; waited < 30 && position() === last; waited += 1) await frame();
        await frame();
        const seq = position();
        if (seq === last) break;
        last = seq;
        const shadow = ${SHADOW};
        const lit = shadow.querySelectorAll('.taken, .left, .working, .ignored').length;
        const rows = document.querySelectorAll('#heading .path-step').length;
        if (lit === 0 && rows === 0 && shadow.querySelectorAll('.active').length === 0) dark.push(seq + ' ' + (document.querySelector('.entry.moment')?.innerText ?? ''));
        if (document.querySelector('.entry.moment .transition')?.textContent.includes('→') && lit === 0) dark.push(seq + ' edge ' + document.querySelector('.entry.moment').innerText);
        document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }));
      }
      return { steps, dark };
    })()`);
      expect(seen.dark).toEqual([]);
      expect(seen.steps).toBeGreaterThan(1);
      expect(page.errors).toEqual([]);
    });

    it('the wheel zooms at the pointer, dragging moves the picture, and buttons and keys do the same', {
      timeout: SLOW,
    }, async () => {
      const page = await replayOf(await saved('session', await session()));
      await show(page, 'to:connected');
      const width = () => page.eval<number>(`${SHADOW}.querySelector('svg').getBoundingClientRect().width`);
      const first = await width();
      await page.wheel('#stage', -120);
      await page.until(`${SHADOW}.querySelector('svg').getBoundingClientRect().width > ${first}`, 'zoom in');
      await page.wheel('#stage', 240);
      await page.until(`${SHADOW}.querySelector('svg').getBoundingClientRect().width < ${first}`, 'zoom out');
      await page.click('#zoom-fit');
      await page.click('#zoom-in');
      expect(await width()).toBeGreaterThan(first);
      const at = () => page.eval<number>(`document.getElementById('stage').scrollTop`);
      await page.eval(`document.getElementById('stage').scrollTop = 400`);
      await page.drag('#stage', { x: 0, y: -150 });
      // The last movement arrives with a later frame.
      await page.until(`document.getElementById('stage').scrollTop >= 549`, 'the end of the drag');
      // The drag selected nothing.
      expect(await page.eval(`document.getElementById('details').hidden`)).toBe(true);
      await page.press('g');
      expect(await page.eval(focused)).toBe('stage');
      const before = await at();
      await page.press('ArrowUp');
      await page.until(`document.getElementById('stage').scrollTop < ${before}`, 'scroll up');
      const zoomed = await width();
      await page.press('+');
      expect(await width()).toBeGreaterThan(zoomed);
      await page.press('0');
      expect(await width()).toBeCloseTo(first, -1);
    });

    it('a click on a state, or Enter, shows its description, requirements, and ways in and out', {
      timeout: SLOW,
    }, async () => {
      const page = await replayOf(await saved('session', await session()));
      await show(page, 'to:connected');
      const box = (id: string) => `${SHADOW}.querySelector('[data-state="remoteControl.active.${id}"]')`;
      await page.eval(`${box('connected')}.scrollIntoView({ block: 'center' })`);
      const point = await page.eval<{ x: number; y: number }>(
        `(() => { const r = ${box('connected')}.getBoundingClientRect(); return { x: r.x + 30, y: r.y + 12 }; })()`,
      );
      await page.eval(
        `document.elementFromPoint(${point.x}, ${point.y}).shadowRoot.elementFromPoint(${point.x}, ${point.y}).dispatchEvent(new MouseEvent('click', { bubbles: true }))`,
      );
      const text = () => page.eval<string>(`document.getElementById('details').innerText`);
      expect(await text()).toMatch(/^active\.connected/);
      for (const part of ['Ways in (', 'Ways out (', 'Requirements', 'RC-', 'runs: link', 'linkProven']) {
        expect(await text()).toContain(part);
      }
      // The requirement is a text, not only its number.
      expect(await page.eval(`document.querySelector('.requirements p').innerText.length > 40`)).toBe(true);
      expect(await page.eval(`${box('connected')}.classList.contains('described')`)).toBe(true);
      await page.eval(`document.querySelector('#details [data-goto$=".connecting"]').click()`);
      expect(await text()).toMatch(/^active\.connecting/);
      await page.screenshot('details');
      await page.press('Escape');
      expect(await page.eval(`document.getElementById('details').hidden`)).toBe(true);

      await page.eval(`${box('refreshing')}.focus()`);
      await page.press('Enter');
      expect(await text()).toMatch(/^active\.refreshing/);
      await page.press('Escape');
      expect(await page.eval(`${SHADOW}.activeElement?.getAttribute('data-state')`)).toBe(
        'remoteControl.active.refreshing',
      );
    });

    it('the filter finds sources, targets, events, senders and reasons, and excludes', {
      timeout: SLOW,
    }, async () => {
      const page = await replayOf(await saved('session', await session()));
      const rows = async (text: string) => {
        await filter(page, text);
        await page.eval(FRAME);
        return page.eval<{ event: string; transition: string; reason: string; actor: string }[]>(
          `[...document.querySelectorAll('#list-rows .entry')].map((e) => ({ event: e.querySelector('.event').textContent, transition: e.querySelector('.transition').textContent, reason: e.querySelector('.reason').textContent, actor: e.querySelector('.actor').textContent }))`,
        );
      };
      const check = async (
        text: string,
        holds: (row: { event: string; transition: string; reason: string; actor: string }) => boolean,
      ) => {
        const found = await rows(text);
        expect(found.length, text).toBeGreaterThan(0);
        expect(
          found.filter((row) => !holds(row)),
          text,
        ).toEqual([]);
      };
      await check('from:connecting', ({ transition }) => transition.includes('connecting'));
      await check('to:tokenInvalid', ({ transition }) => transition.includes('tokenInvalid'));
      await check('event:dial', ({ event }) => event.includes('dial'));
      await check('sender:dial', ({ event }) => event.startsWith('dial'));
      await check('reason:tokenRejected', ({ reason }) => reason.startsWith('tokenRejected'));
      await check(
        'actor:remoteControl -reason:starting',
        ({ actor, reason }) => actor === 'remoteControl' && reason !== 'starting',
      );
      await check('req-4711', ({ reason }) => reason.includes('HTTP 401'));
      expect(await rows('from:nowhere')).toEqual([]);
      expect(await page.eval(`document.getElementById('list').innerText`)).toContain('No entries.');
    });

    it('shows HTTP status, request id and text of a failure, and nothing of it as markup', {
      timeout: SLOW,
    }, async () => {
      const page = await replayOf(await saved('session', await session()));
      await show(page, 'to:tokenInvalid 401');
      expect(await page.eval(`document.querySelector('#heading .failure').textContent`)).toBe(
        'HTTP 401 · request req-4711 · dial: wss://backend.example answered HTTP 401 <b>bold</b>',
      );
      expect(await page.eval(`document.querySelectorAll('#heading b, .entry b').length`)).toBe(0);
      expect(await page.eval(`document.querySelector('.entry.moment .reason').title`)).toContain(
        'request req-4711',
      );
      await page.screenshot('failure');
    });

    it('everything can be reached with the keyboard, and the help names each key', {
      timeout: SLOW,
    }, async () => {
      const page = await replayOf(await saved('session', await session()));
      const at = (condition: string) =>
        page.until(`((seq) => ${condition})(Number(document.getElementById('scrub').value))`, condition);
      const moment = () => page.eval<number>(`Number(document.getElementById('scrub').value)`);
      const last = await moment();
      await page.press('Home');
      await at('seq < 5');
      const first = await moment();
      await page.press('ArrowRight');
      await at(`seq > ${first}`);
      const second = await moment();
      await page.press('j');
      await at(`seq > ${second}`);
      await page.press('ArrowLeft');
      await at(`seq === ${second}`);
      await page.press('PageDown');
      await at(`seq >= ${second + 10}`);
      await page.press('End');
      await at(`seq === ${last}`);
      expect(await page.eval(`document.getElementById('list').getAttribute('aria-activedescendant')`)).toBe(
        `entry-${last}`,
      );

      await page.press('/');
      expect(await page.eval(focused)).toBe('filter');
      // Keys are text there.
      await page.press('s');
      expect(await page.eval(`document.getElementById('filter').value`)).toBe('s');
      await page.press('Escape');
      await page.press('Escape');
      expect(await page.eval(`document.getElementById('filter').value`)).toBe('');
      await page.press('a');
      expect(await page.eval(focused)).toBe('tree-search');
      await page.press('Escape');

      // The focus is visible, and stays on its row while the tree is rendered again.
      await page.press('Home');
      await page.press('ArrowRight');
      await page.press('ArrowRight');
      await page.until(`document.querySelector('#tree button') !== null`, 'row');
      await page.eval(`document.querySelector('#tree button').focus()`);
      await page.press('ArrowDown');
      await page.press('ArrowUp');
      expect(await page.eval(`document.activeElement.className.includes('row')`)).toBe(true);
      expect(await page.eval(`getComputedStyle(document.activeElement).outlineStyle`)).toBe('solid');

      await page.press('?');
      expect(await page.eval(`document.getElementById('help').open`)).toBe(true);
      const help = await page.eval<string>(`document.getElementById('help').innerText`);
      for (const word of [
        'Space',
        'previous step',
        'filter',
        'sequence',
        'compare',
        'zoom',
        'Esc',
        'Enter',
      ]) {
        expect(help).toContain(word);
      }
      await page.screenshot('help');
      await page.press('Escape');
      expect(await page.eval(`document.getElementById('help').open`)).toBe(false);
      await page.press('s');
      expect(await page.eval(`document.getElementById('sequence').hidden`)).toBe(false);
      await page.press('g');
      await page.press('c');
      expect(await page.eval(`document.getElementById('compare').open`)).toBe(true);
      await page.press('Escape');
      expect(page.errors).toEqual([]);
    });

    it('the sequence has a lifeline for each actor, and arrows from senders to receivers', {
      timeout: SLOW,
    }, async () => {
      const page = await replayOf(await saved('session', await session()));
      await show(page, 'to:connected');
      await page.click('#view-sequence');
      await page.until(`document.querySelectorAll('#sequence .step').length > 5`, 'steps');
      const heads = await page.eval<string[]>(
        `[...document.querySelectorAll('.lifeline')].map((e) => e.textContent)`,
      );
      expect(heads).toEqual(expect.arrayContaining(['remoteControl', 'dial']));
      const arrow = `[...document.querySelectorAll('#sequence .step')].find((e) => e.querySelector('.label')?.textContent === 'dial done')`;
      // From right to left or left to right: from the line of dial to that of remoteControl.
      const [from, to] = await page.eval<number[]>(
        `/M([\\d.]+) [\\d.]+H([\\d.]+)/.exec(${arrow}.querySelector('.arrow').getAttribute('d')).slice(1).map(Number)`,
      );
      const line = async (name: string) =>
        page.eval<number>(
          `parseFloat([...document.querySelectorAll('.lifeline')].find((e) => e.textContent === '${name}').style.left)`,
        );
      expect(from).toBe(await line('dial'));
      expect(Math.abs((to ?? 0) - (await line('remoteControl')))).toBeLessThan(5);
      await page.screenshot('sequence');
      const seq = await page.eval<number>(`Number(${arrow}.getAttribute('data-seq'))`);
      await page.eval(`${arrow}.dispatchEvent(new MouseEvent('click', { bubbles: true }))`);
      await page.until(`Number(document.getElementById('scrub').value) === ${seq}`, 'that moment');
      await filter(page, 'actor:dial');
      await page.until(`[...document.querySelectorAll('.lifeline')].length <= 2`, 'lifelines of the filter');
    });

    it('two saved timelines are compared: the first difference in words and side by side', {
      timeout: SLOW,
    }, async () => {
      const left = await session();
      const at = left.entries.findIndex(({ active }) => active.some((id) => id.endsWith('.connected')));
      const right: SavedTimeline = {
        ...left,
        entries: left.entries
          .slice(0, at + 1)
          .map((entry: Entry, index) =>
            index === at
              ? { ...entry, active: ['remoteControl.active.tokenInvalid.deciding'], reason: 'tokenRejected' }
              : entry,
          ),
      };
      const page = await replayOf(await saved('left', left));
      await page.click('#show-compare');
      await page.choose('#compare-right', [await saved('right', right)]);
      await page.until(`document.querySelector('#compare .verdict') !== null`, 'comparison');
      const words = await page.eval<string>(`document.querySelector('#compare .verdict').textContent`);
      expect(words).toMatch(
        /^First difference: remoteControl after \d+ equal steps?\. A: .*connected.*\. B: .*tokenInvalid\.deciding \(tokenRejected\).*\.$/,
      );
      expect(await page.eval(`document.querySelectorAll('#compare tr.differs').length`)).toBe(1);
      expect(await page.eval(`document.querySelector('#compare tr.differs').innerText`)).toContain(
        'tokenRejected',
      );
      await page.screenshot('compare');
      await page.choose('#compare-right', [await saved('same', left)]);
      await page.until(`document.querySelector('#compare .verdict.same') !== null`, 'no difference');
      await writeFile(join(directory, 'broken.json'), '{"format":"rc-engine-timeline","entr');
      await page.choose('#compare-right', [join(directory, 'broken.json')]);
      await page.until(
        `document.querySelector('#compare .failure')?.textContent.includes('truncated')`,
        'words about the file',
      );
      expect(page.errors).toEqual([]);

      const files = [await saved('left', left), await saved('right', right)];
      const one = await cli(['inspect', files[0] ?? '', '--compare', files[1] ?? '']);
      expect([one.code, one.stdout]).toEqual([1, expect.stringContaining('First difference: remoteControl')]);
      const two = await cli(['inspect', files[0] ?? '', '--compare', files[0] ?? '']);
      expect([two.code, two.stdout]).toEqual([0, expect.stringContaining('Both show the same')]);
    });

    it('is usable at 400 px: nothing is cut off, and each part has the screen', {
      timeout: SLOW,
    }, async () => {
      const page = await replayOf(await saved('session', await session()));
      await page.size(400, 800);
      await page.eval(FRAME);
      const fits = () =>
        page.eval<string[]>(
          `[...document.querySelectorAll('header, header *, #panes button, .bar, .bar *, #heading, #heading *')].filter((e) => e.getClientRects().length > 0 && !e.closest('#pictures')).filter((e) => e.getBoundingClientRect().right > 401 || e.getBoundingClientRect().left < -1).map((e) => e.outerHTML.slice(0, 100))`,
        );
      for (const [pane, part] of [
        ['actors', 'nav'],
        ['chart', '#chart-panel'],
        ['timeline', '#timeline'],
      ] as const) {
        await page.click(`#pane-${pane}`);
        await page.eval(FRAME);
        await page.screenshot(`narrow-${pane}`);
        const { width, height } = await page.eval<{ width: number; height: number }>(
          `(({ width, height }) => ({ width, height }))(document.querySelector('${part}').getBoundingClientRect())`,
        );
        expect(width).toBe(400);
        expect(height).toBeGreaterThan(500);
        expect(await fits(), pane).toEqual([]);
      }
      expect(await page.eval('document.documentElement.scrollWidth')).toBe(400);
      // A row shows its event, state and reason.
      await show(page, 'to:connected');
      await page.eval(FRAME);
      const cells = await page.eval<number[]>(
        `[...document.querySelector('.entry.moment').children].filter((e) => e.textContent !== '').map((e) => e.getBoundingClientRect().width)`,
      );
      expect(Math.min(...cells)).toBeGreaterThan(20);
      await page.click('#pane-chart');
      await page.until(`${SHADOW}.querySelector('[data-state].active.leaf') !== null`, 'active state');
      await page.eval(
        `${SHADOW}.querySelector('[data-state].active.leaf').dispatchEvent(new MouseEvent('click', { bubbles: true }))`,
      );
      await page.eval(FRAME);
      expect(await page.eval(`document.getElementById('details').getBoundingClientRect().width`)).toBe(400);
      await page.screenshot('narrow-details');
      await page.click('#details .close');
      await page.click('#view-sequence');
      await page.screenshot('narrow-sequence');
      await page.click('#show-compare');
      await page.screenshot('narrow-compare');
      expect(await page.eval(`document.getElementById('compare').getBoundingClientRect().right <= 400`)).toBe(
        true,
      );
      expect(page.errors).toEqual([]);
    });
  },
);
