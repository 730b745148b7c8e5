/** `npm run docs`: the command line as a page, and the site. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
const docs = (...args: readonly string[]) =>
  run(process.execPath, ['scripts/docs.mjs', ...args], { cwd: ROOT, encoding: 'utf8' });

describe('npm run docs', { timeout: 60_000 }, () => {
  it('--check: docs/cli.md matches the table of commands, and each link of the site leads to a section', async () => {
    expect(await docs('--check')).toEqual({ stdout: '', stderr: '' });
  });

  it('writes pages that need no script and no other host, with every picture and page that they refer to', async () => {
    const out = await mkdtemp(path.join(tmpdir(), 'rc-site-'));
    try {
      await docs('--out', out);
      const names = await readdir(out, { recursive: true });
      // The exported charts of visualizations/ are pages of their own.
      const pages = names.filter(
        (name) => name.endsWith('.html') && !/^visualizations[\\/][\w.]*(?<!README)\.html$/.test(name),
      );
      expect(pages).toContain('index.html');
      for (const page of pages) {
        const html = await readFile(path.join(out, page), 'utf8');
        expect(html, page).not.toMatch(/<script|(?:src|<link[^>]+href)="(?:https?:)?\/\//);
        const addresses = [...html.matchAll(/ (?:src|href)="([^"]*)"/g)].map(([, address = '']) => address);
        const missing = addresses.filter((address) => {
          if (/^[a-z]+:|^#/.test(address)) return false;
          const target = path.normalize(path.join(path.dirname(page), address.replace(/#.*/, '')));
          return !names.includes(target);
        });
        expect(missing, page).toEqual([]);
      }
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });
});
