import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundle } from './bundle.js';
import { type Code, compile } from './compile.js';
import { PLANTED } from './planted/index.js';
import { runSeed } from './run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('the planted faults', () => {
  // A patch of code that was changed meanwhile would plant nothing.
  it.each(PLANTED.map(({ name, patches }) => [name, patches] as const))('%s is in the code', (_, patches) => {
    for (const { file, find } of patches) expect(readFileSync(join(ROOT, file), 'utf8')).toContain(find);
  });

  it('have names of their own', () => {
    const names = PLANTED.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the simulation', () => {
  let code: Code;
  beforeAll(async () => {
    code = compile(await bundle(ROOT));
  });

  it('finds nothing in these seeds', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const { failure, trace } = await runSeed({ seed, code });
      expect(failure, trace.slice(-2_000)).toBeNull();
    }
  });

  it('a seed gives the same trace each time', async () => {
    const first = await runSeed({ seed: 45, code });
    const again = await runSeed({ seed: 45, code });
    expect(again.trace).toBe(first.trace);
    expect(first.trace).toMatch(/^ +\d+\.\d+ {2}fault /m);
  });
});
