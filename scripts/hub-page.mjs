// Builds the page of a hub: one file that holds its script and its style.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './import-source.mjs';

const PAGE = join(ROOT, 'src/hub/page');

/** Returns `{ name, text, inputs }`: `inputs` are the source files of its script. */
export async function hubPage() {
  const [template, style, script] = await Promise.all([
    readFile(join(PAGE, 'index.html'), 'utf8'),
    bundled('style.css'),
    bundled('main.ts'),
  ]);
  const parts = { '/* STYLE */': style.text, '/* SCRIPT */': script.text };
  const text = template.replace(/\/\* (?:STYLE|SCRIPT) \*\//g, (part) => parts[part]);
  return { name: 'hub.html', text, inputs: script.inputs };
}

async function bundled(entry) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(PAGE, entry)],
    bundle: true,
    format: 'esm',
    target: ['chrome109', 'firefox115', 'safari16'],
    minify: true,
    write: false,
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  return { text: outputFiles[0].text, inputs: Object.keys(metafile.inputs) };
}
