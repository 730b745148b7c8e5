/** The check of `npm run lint` that decisions are in the charts. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Finding {
  readonly kind: string;
  readonly line: number;
  readonly what: string;
}
interface Checker {
  findDecisions(path: string, text: string): Finding[];
  checkFiles(
    files: readonly { readonly path: string; readonly text: string }[],
    lists: { readonly others: object; readonly allowed: object },
  ): string[];
}

const scripts = join(import.meta.dirname, '../../scripts');
const { findDecisions, checkFiles } = (await import(
  pathToFileURL(join(scripts, 'decisions-outside-charts.mjs')).href
)) as Checker;

const kinds = (text: string): string[] => findDecisions('sample.ts', text).map(({ kind }) => kind);

const SAMPLE = `
import { setTimeout as sleep } from 'node:timers/promises';
export class Poller {
  #phase: 'idle' | 'polling' = 'idle';
  async poll(ask: () => Promise<boolean>): Promise<void> {
    const signal = AbortSignal.timeout(1_000);
    while (!(await ask())) await sleep(100, undefined, { signal });
  }
}
`;

describe('decisions outside the charts', () => {
  it('finds each of the four kinds, with its line', () => {
    expect(findDecisions('sample.ts', SAMPLE).map(({ kind, line }) => [kind, line])).toEqual([
      ['state', 4],
      ['deadline', 6],
      ['loop', 7],
      ['timer', 7],
    ]);
  });

  it.each([
    ['for (;;) await f();', ['loop']],
    ['for (const a of b) { if (a) { await a(); } }', ['loop']],
    ['for await (const a of b) g(a);', ['loop']],
    ['do { await f(); } while (x);', ['loop']],
    ['for (const a of b) void (async () => { await a(); })();', []],
    ['for (const a of b) f(a);', []],
    ['setInterval(f, 1);', ['timer']],
    ['globalThis.setTimeout(f, 1);', ['timer']],
    ["import { setInterval as every } from 'timers/promises'; every(1);", ['timer']],
    ['clock.setTimeout(f, 1);', []],
    ['const deadline = performance.now() + 5;', ['deadline']],
    ['const signal = AbortSignal.any([a]);', []],
    ['class A { #closed = false; }', ['state']],
    ['class A { private open: boolean; }', ['state']],
    ["class A { #how: 'a' | 'b' | undefined; }", ['state']],
    ['class A { #state: Snapshot; }', ['state']],
    ['class A { readonly #state: Snapshot; #count = 0; #name: string; }', []],
  ])('%s', (text, wanted) => {
    expect(kinds(text)).toEqual(wanted);
  });

  it('a finding needs a reason, and a reason needs a finding', () => {
    const files = [
      { path: 'src/a.ts', text: SAMPLE },
      { path: 'src/cli/b.ts', text: SAMPLE },
    ];
    const others = { 'src/cli/': 'commands' };
    const all = ['state', 'deadline', 'loop', 'timer'];
    expect(checkFiles(files, { others, allowed: { 'src/a.ts': [all, 'why'] } })).toEqual([]);
    expect(checkFiles(files, { others, allowed: { 'src/a.ts': [all.slice(1), 'why'] } })).toEqual([
      'src/a.ts:4: #phase (state): a decision outside a chart',
    ]);
    const needless = { 'src/a.ts': [all, 'why'], 'src/gone.ts': [['loop'], 'why'] };
    expect(checkFiles(files, { others: { ...others, 'src/old/': 'why' }, allowed: needless })).toEqual([
      'src/old/: no file is in this directory; remove the entry',
      'src/gone.ts: no loop is left in it; shorten the entry',
    ]);
  });

  it('holds for this repository', { timeout: 120_000 }, () => {
    execFileSync(process.execPath, [join(scripts, 'check-decisions.mjs')], { stdio: 'pipe' });
  });
});
