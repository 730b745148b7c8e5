import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { chartHash, toChart } from '../../src/visualize/chart.js';
import { toPage } from '../../src/visualize/page.js';
import { pageChart, requirementsOf } from '../../src/visualize/page-data.js';
import { svgsOf } from '../../src/visualize/svg.js';
import { Chromium, noChromium, type Page } from '../inspector/chromium.js';
import { tmpFolder } from '../support/tmp.js';

const odd = createMachine({
  id: 'odd <b>',
  description: '</script><script>window.harm = 1</script>',
  initial: 'a',
  states: { a: { description: '<img src=x onerror="window.harm = 1">', on: { '<i>': 'b' } }, b: {} },
});
const MACHINES = { link: CHARTS.link, account: CHARTS.account, '<odd>': odd };
const SCENARIOS = `# link: 1 scenario

## 1. an open socket: from up.liveness.open | up.life.young to closed

1. CLOSE → **closing**
2. SOCKET.CLOSED (clean: true) → **closed**
`;
const SPECIFICATION = `## Link

- RC-41 The peer gets a ping
  every 10 s.
- RC-42 Four statuses.

Other text.
`;

describe('requirementsOf', () => {
  it('reads each requirement with its continued lines', () => {
    expect(requirementsOf([SPECIFICATION])).toEqual({
      'RC-41': 'The peer gets a ping every 10 s.',
      'RC-42': 'Four statuses.',
    });
  });
});

describe('pageChart', () => {
  it('reads the steps of scenarios with the states that they lead to', () => {
    const { scenarios } = pageChart('link', toChart(CHARTS.link), SCENARIOS);
    expect(scenarios.map(({ steps }) => steps)).toEqual([
      [
        {
          text: 'begins in up.liveness.open | up.life.young',
          states: ['link.up.liveness.open', 'link.up.life.young'],
        },
        { text: 'CLOSE → closing', states: ['link.closing'] },
        { text: 'SOCKET.CLOSED (clean: true) → closed', states: ['link.closed'] },
      ],
    ]);
  });
});

describe.skipIf(noChromium)('the page in a browser', { timeout: 60_000 }, () => {
  let chromium: Chromium;
  let page: Page;
  let address: string;
  beforeAll(async () => {
    const pictures = await Promise.all(
      Object.entries(MACHINES).map(async ([name, machine]) => {
        const [chart, hash] = [toChart(machine), chartHash(machine)];
        return { name, hash, chart, svgs: await svgsOf(chart, hash) };
      }),
    );
    const file = join(await tmpFolder(), 'index.html');
    await writeFile(
      file,
      toPage(pictures, { scenarios: new Map([['link', SCENARIOS]]), specification: [SPECIFICATION] }),
    );
    address = pathToFileURL(file).href;
    chromium = await Chromium.open();
    page = await chromium.page(address);
    await page.until(`document.body.classList.contains('scripted')`, 'running script');
  }, 60_000);
  afterAll(() => chromium?.close());

  const shown = `[...document.querySelectorAll('figure')].filter((f) => !f.hidden).map((f) => f.dataset.picture).join()`;
  const lit = `[...document.querySelectorAll('.lit[data-state]')].map((e) => e.dataset.state).join()`;
  const details = `document.getElementById('details').innerText`;
  const transform = `document.querySelector('figure:not([hidden])').style.transform`;
  const press = (key: string) =>
    page.eval(
      `document.dispatchEvent(new KeyboardEvent('keydown', { key: ${JSON.stringify(key)}, bubbles: true, cancelable: true }))`,
    );
  const type = (text: string) =>
    page.eval(
      `(() => { const f = document.getElementById('search'); f.value = ${JSON.stringify(text)}; f.dispatchEvent(new Event('input')); })()`,
    );
  const open = async (name: string) => {
    await page.eval(`location.hash = ${JSON.stringify(name)}`);
    await page.until(`${shown} === ${JSON.stringify(name)}`, name);
  };

  it('shows one picture at a time, zooms and moves it by keys and buttons', async () => {
    await open('link');
    const fitted = await page.eval(transform);
    await press('+');
    const larger = await page.eval(transform);
    expect(larger).not.toBe(fitted);
    await press('ArrowLeft');
    expect(await page.eval(transform)).not.toBe(larger);
    await page.click('#fit');
    expect(await page.eval(transform)).toBe(fitted);
  });

  it('finds states, events, reasons and requirements, and shows the place', async () => {
    await open('account');
    await type('silent');
    await page.click('#results button');
    await page.until(`${shown} === 'link' && ${lit} === 'link.up.liveness.silent'`, 'state that was found');
    await type('wakeProbeFailed');
    expect(await page.eval(`document.querySelector('#results').innerText`)).toContain('wakeProbeTimeout');
    await type('peer gets ping');
    expect(await page.eval(`document.querySelector('#results').innerText`)).toContain('link.up.liveness');
    await type('no such thing');
    expect(await page.eval(`document.querySelector('#results').innerText`)).toBe('Nothing found.');
    await type('');
  });

  it('shows a requirement at the pointer, and the ways in and out of a state that is chosen', async () => {
    await open('link');
    await page.eval(
      `document.querySelector('[data-state="link.up.liveness"]').dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))`,
    );
    expect(await page.eval(`document.getElementById('hint').innerText`)).toContain(
      'RC-41 The peer gets a ping every 10 s.',
    );
    await page.eval(
      `(() => { const s = document.querySelector('[data-state="link.closing"]'); s.focus(); s.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })); })()`,
    );
    expect(await page.eval(details)).toMatch(
      /link\.closing[\s\S]*Ways out[\s\S]*closeTimeout[\s\S]*Ways in[\s\S]*CLOSE/,
    );
  });

  it('opens the picture of a folded state', async () => {
    await open('account');
    await type('account.login');
    await page.eval(
      `[...document.querySelectorAll('#results button')].find((b) => b.innerText.startsWith('account.login –')).click()`,
    );
    await page.until(`${details}.includes('account.login')`, 'details');
    await open('account');
    await page.eval(
      `document.querySelector('figure:not([hidden]) [data-state="account.login"]').dispatchEvent(new MouseEvent('click', { bubbles: true }))`,
    );
    await page.eval(
      `[...document.querySelectorAll('#details button')].find((b) => b.innerText.startsWith('Open the picture'))?.click()`,
    );
    await page.until(`${shown} === 'account.login'`, 'the picture of the state');
  });

  it('steps through a scenario', async () => {
    await open('account');
    await open('link');
    await page.eval(
      `(() => { const s = document.getElementById('scenario'); s.value = '0'; s.dispatchEvent(new Event('change')); })()`,
    );
    expect(await page.eval(lit)).toBe('link.up.liveness.open,link.up.life.young');
    await press('n');
    expect(await page.eval(lit)).toBe('link.closing');
    expect(await page.eval(`document.querySelectorAll('.lit[data-edges]').length`)).toBe(1);
    await page.click('#next');
    expect(await page.eval(lit)).toBe('link.closed');
    await press('p');
    expect(await page.eval(`document.querySelector('[aria-current]').innerText`)).toBe('CLOSE → closing');
    await press('Escape');
    expect(await page.eval(lit)).toBe('');
  });

  it('writes names and descriptions as text', async () => {
    await type('img');
    await page.click('#results button');
    await page.until(`${details}.includes('<img src=x')`, 'description');
    await type('');
    expect(await page.eval('window.harm ?? 0')).toBe(0);
    expect(await page.eval(`document.querySelectorAll('img, b > script, i').length`)).toBe(0);
  });

  it('can be used at a width of 400 px, without a request to another host', async () => {
    const narrow = await Chromium.open(['--window-size=400,700']);
    try {
      const small = await narrow.page(`${address}#account`);
      await small.size(400, 700);
      await small.until(`document.body.classList.contains('scripted') && innerWidth === 400`, 'narrow page');
      // The address names the picture.
      expect(await small.eval(shown)).toBe('account');
      expect(await small.eval('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
      for (const id of ['search', 'fit', 'stage', 'details']) {
        const [left, right, height] = await small.eval<number[]>(
          `(({ left, right, height }) => [left, right, height])(document.getElementById('${id}').getBoundingClientRect())`,
        );
        expect(left, id).toBeGreaterThanOrEqual(0);
        expect(right, id).toBeLessThanOrEqual(400);
        expect(height, id).toBeGreaterThan(20);
      }
      expect(await small.eval(`performance.getEntriesByType('resource').length`)).toBe(0);
    } finally {
      await narrow.close();
    }
  });
});
