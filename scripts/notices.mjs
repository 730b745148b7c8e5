// Collects the licences of the packages whose code is copied into dist/. The licences require it for every copy.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const LICENCE = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;

/** @param inputs paths of the source files of a bundle, from the metafile of esbuild */
export async function noticesOf(inputs) {
  const directories = new Set();
  for (const path of inputs) {
    const [, directory] = PACKAGE.exec(path) ?? [];
    if (directory !== undefined) directories.add(directory);
  }
  const found = await Promise.all([...directories].map(notice));
  return [
    'Code of these packages is part of the files in this directory.',
    ...found.sort((a, b) => (a < b ? -1 : 1)),
  ].join(`\n\n${'-'.repeat(80)}\n\n`);
}

async function notice(directory) {
  const { name, version, license, author } = JSON.parse(
    await readFile(join(directory, 'package.json'), 'utf8'),
  );
  const files = (await readdir(directory)).filter((file) => LICENCE.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
  const who = typeof author === 'string' ? author : author?.name;
  // For a package without a licence file: the name of the licence and the author.
  const text =
    texts.length > 0 ? texts.map((one) => one.trim()).join('\n\n') : `${license}${who ? `, ${who}` : ''}`;
  return `${name} ${version}\n\n${text}`;
}
