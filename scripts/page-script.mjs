// Bundles the script of the page of all charts into a source file, so that the package and the tests need no bundler for it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './import-source.mjs';

export const PAGE_SCRIPT_FILE = 'src/visualize/page-script.ts';

/** Returns whether the file differed. With check it is not written. */
export async function updatePageScript(check) {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'src/visualize/page/main.ts')],
    bundle: true,
    format: 'esm',
    target: ['chrome109', 'firefox115', 'safari16'],
    minify: true,
    // A page may be served in any encoding.
    charset: 'ascii',
    write: false,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const script = outputFiles[0].text.trim().replaceAll('</', '<\\/');
  const text = `/** The script of the page of all charts. Made by \`npm run charts\` from src/visualize/page. */
// biome-ignore format: it is made
// biome-ignore lint/suspicious/noTemplateCurlyInString: the templates are those of the script
export const PAGE_SCRIPT = ${JSON.stringify(script)};
`;
  const file = join(ROOT, PAGE_SCRIPT_FILE);
  const differs = (await readFile(file, 'utf8').catch(() => '')) !== text;
  if (differs && !check) await writeFile(file, text);
  return differs;
}
