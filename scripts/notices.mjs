// The licences of the packages whose code is copied into dist/: they ask to be kept with every copy.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const LICENCE = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;

/** @param inputs paths of the files that a bundle was made of, as esbuild's metafile names them */
export async function noticesOf(inputs) {
  const folders = new Set();
  for (const path of inputs) {
    const [, folder] = PACKAGE.exec(path) ?? [];
    if (folder !== undefined) folders.add(folder);
  }
  const found = await Promise.all([...folders].map(notice));
  return [
    'Code of these packages is part of the files in this folder.',
    ...found.sort((a, b) => (a < b ? -1 : 1)),
  ].join(`\n\n${'-'.repeat(80)}\n\n`);
}

async function notice(folder) {
  const { name, version, license, author } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const files = (await readdir(folder)).filter((file) => LICENCE.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  const who = typeof author === 'string' ? author : author?.name;
  // A package without the text of its licence says its name, and whose it is.
  const text =
    texts.length > 0 ? texts.map((one) => one.trim()).join('\n\n') : `${license}${who ? `, ${who}` : ''}`;
  return `${name} ${version}\n\n${text}`;
}
