import { execFile } from 'node:child_process';
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CHARTS } from '../../src/engine/charts.js';
import { EngineError, ERRORS } from '../../src/protocol/errors.js';
import { isReason, REASONS } from '../../src/protocol/reasons.js';
import { chartHash } from '../../src/visualize/chart.js';
import { documents } from '../../src/visualize/documents.js';
import { toMermaid } from '../../src/visualize/mermaid.js';
import { mermaidParts } from '../../src/visualize/mermaid-parts.js';
import { tmpFolder } from '../support/tmp.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/charts.mjs', import.meta.url));

/** Runs the script in a directory, and returns its exit code and output. */
function run(cwd: string, ...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...args], { cwd }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, output: stdout + stderr });
    });
  });
}

describe('the charts document', () => {
  const text = documents(CHARTS).get('visualizations/README.md') ?? '';

  it.each(Object.entries(CHARTS))('shows %s with its description, picture and hash', (name, machine) => {
    const section = text.split(/^## /m).find((part) => part.startsWith(`${name}\n`)) ?? '';
    expect(section).toContain(machine.root.description);
    expect(section).toContain(`Hash \`${chartHash(machine)}\``);
    const [outline, ...parts] = mermaidParts(machine);
    expect(section).toContain(`\`\`\`mermaid\n${outline?.text ?? toMermaid(machine)}\`\`\``);
    for (const part of parts) expect(section).toContain(`(${part.name}.mmd)`);
  });

  it('has a row for each state', () => {
    expect(text).toMatch(
      /^\| `active\.tokenInvalid\.pausing` \| Waits, then refreshes the token of the same identity\. RC-19 \|$/m,
    );
  });
});

describe('the errors document', () => {
  const text = documents(CHARTS).get('docs/errors.md') ?? '';
  const headings = [...text.matchAll(/^### (\w+)$/gm)].map(([, code]) => code ?? '');

  it('has one heading for each code, so that each anchor is unique', () => {
    expect(headings).toEqual([...Object.keys(ERRORS), ...Object.keys(REASONS)]);
    expect(new Set(headings.map((code) => code.toLowerCase())).size).toBe(headings.length);
  });

  it('is the target of the link in every EngineError', () => {
    for (const code of headings) {
      if (!isReason(code) && !Object.hasOwn(ERRORS, code)) throw new Error(`${code} is not a code`);
      const { docs } = new EngineError(code as keyof typeof ERRORS, 'x');
      expect(docs).toBe(`docs/errors.md#${code.toLowerCase()}`);
    }
  });

  it('contains the meaning of each code and what to do', () => {
    expect(text).toContain(
      `### alreadyRunning\n\n${ERRORS.alreadyRunning.means}\n\nWhat to do: ${ERRORS.alreadyRunning.todo}\n`,
    );
  });
});

// Each run draws every chart, which takes half a minute on a busy machine.
describe('npm run charts', { timeout: 300_000 }, () => {
  // One test, because each run draws every chart. CI runs --check on the unchanged sources.
  it('writes the documents; --check reports different, missing and obsolete files and writes nothing; other files stay', async () => {
    const cwd = await tmpFolder();
    const directory = join(cwd, 'visualizations');
    await mkdir(directory);
    await writeFile(join(directory, 'notes.txt'), 'notes');
    expect(await run(cwd)).toEqual({ code: 0, output: '' });
    for (const [path, text] of documents(CHARTS)) expect(await readFile(join(cwd, path), 'utf8')).toBe(text);
    const names = await readdir(directory);
    const link = await readFile(join(directory, 'link.mmd'), 'utf8');

    await appendFile(join(cwd, 'docs/errors.md'), 'by hand\n');
    await rm(join(directory, 'link.mmd'));
    await writeFile(join(directory, 'obsolete.mmd'), 'stateDiagram-v2\n');
    const { code, output } = await run(cwd, '--check');
    expect(code).toBe(1);
    const lines = output.trim().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^docs\/errors\.md does not match the sources; first at line \d+\.$/),
        'visualizations/link.mmd is missing.',
        'visualizations/obsolete.mmd belongs to no chart.',
        expect.stringContaining('npm run charts'),
      ]),
    );
    expect(await readdir(directory)).not.toContain('link.mmd');

    expect(await run(cwd)).toEqual({ code: 0, output: '' });
    expect(await readdir(directory)).toEqual(names);
    expect(await readFile(join(directory, 'link.mmd'), 'utf8')).toBe(link);
    expect(await readFile(join(directory, 'notes.txt'), 'utf8')).toBe('notes');
  });

  it('refuses an option that it does not know', async () => {
    const { code, output } = await run(await tmpFolder(), '--chek');
    expect([code, output]).toEqual([64, 'Usage: npm run charts [-- --check]\n']);
  });
});
