/** What the documents of the repository name exists: files, sections, settings. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { flagOf, variableOf } from '../../src/cli/settings/setting.js';
import { START_SETTINGS } from '../../src/cli/settings/start-settings.js';
import { readFiles } from '../spec/repository.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const DOCUMENTS = readFiles(
  ...['README.md', 'SECURITY.md', 'CHANGELOG.md', 'CONTRIBUTING.md'],
  ...['docs', 'machines', 'bench', 'visualizations'],
).filter((file) => file.path.endsWith('.md') && !file.path.endsWith('.scenarios.md'));

/** The anchors of the headings of a document, as GitHub makes them. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('links between documents', () => {
  it.each(DOCUMENTS.map((file) => [file.path, file.text]))(
    '%s: each leads to a file and a section',
    (name, text) => {
      const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
      const broken = links.filter((link) => {
        if (/^[a-z]+:/.test(link)) return false;
        const [file = '', anchor] = link.split('#');
        const target = path.join(ROOT, file === '' ? name : path.join(path.dirname(name), file));
        if (!existsSync(target)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
      });
      expect(broken).toEqual([]);
    },
  );
});

describe('the settings table of the README', () => {
  it('names the flag, the variable and the key of each setting in it', () => {
    const rows = readFileSync(path.join(ROOT, 'README.md'), 'utf8').match(/^\| `--.*$/gm) ?? [];
    const known = START_SETTINGS.map(({ name }) => [`--${flagOf(name)}`, variableOf(name), name].join(' '));
    known.push('--home RC_ENGINE_HOME ');
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      const [flag, variable, key] = row
        .replaceAll('\\|', '')
        .split('|')
        .slice(1)
        .map((cell) => /`([^`\s[=]+)/.exec(cell)?.[1] ?? '');
      expect(known).toContain([flag, variable, key].join(' '));
    }
  });

  it('and the pages that it leads to name every setting', () => {
    const pages = ['README.md', 'docs/listener.md', 'docs/account.md']
      .map((name) => readFileSync(path.join(ROOT, name), 'utf8'))
      .join('\n');
    const missing = START_SETTINGS.map(({ name }) => `--${flagOf(name)}`).filter(
      (flag) => !new RegExp(`\`(?:[^\`\n]* )?${flag}(?![\\w-])`).test(pages),
    );
    expect(missing).toEqual([]);
  });
});
