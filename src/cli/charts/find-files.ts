/** The files that words of the command line name: paths, directories and patterns, which Windows and npm scripts do not expand. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { EngineError } from '../../protocol/errors.js';
import { errnoText } from '../../system/errno.js';
import { usageError } from '../errors.js';

export interface ChartFile {
  readonly path: string;
  /** As it is shown: relative to the working directory, or to its place in another version, with slashes. */
  readonly shown: string;
  /** The command line names it, so it must hold a chart. A file that a pattern or a directory led to need not. */
  readonly isNamed: boolean;
}

/** What a directory is searched for. */
const MACHINE_FILE = /\.machine\.(?:[cm]?[jt]s|[jt]sx)$/;
const LOADABLE = /\.(?:[cm]?[jt]s|[jt]sx|json)$/;
const NOT_SEARCHED: ReadonlySet<string> = new Set(['node_modules', '.git']);
const NEXT_STEP = 'Name a file, a directory or a pattern such as "src/**/*.machine.ts".';

/** Whether a word names files rather than one of the engine's own charts, whose names are plain words. */
export function namesFiles(word: string): boolean {
  return /[./\\*?{]/.test(word) || statSync(word, { throwIfNoEntry: false }) !== undefined;
}

/** Every file once, in the order of the command line. @throws EngineError `usage` */
export function findFiles(words: readonly string[]): ChartFile[] {
  return merged(words.map((word) => filesOf(word, path.resolve())));
}

/** The same words in another version of the working directory, where some of the files need not exist. */
export function findFilesIn(directory: string, words: readonly string[]): ChartFile[] {
  const lists = words.map((word) => {
    try {
      return filesOf(path.isAbsolute(word) ? path.relative('', word) : word, directory);
    } catch (error) {
      if (error instanceof EngineError) return [];
      throw error;
    }
  });
  return merged(lists).map((file) => ({ ...file, isNamed: false }));
}

function merged(lists: readonly (readonly ChartFile[])[]): ChartFile[] {
  const found = new Map<string, ChartFile>();
  for (const file of lists.flat()) {
    const known = found.get(file.path);
    if (known === undefined || !known.isNamed) found.set(file.path, file);
  }
  return [...found.values()];
}

function filesOf(word: string, base: string): ChartFile[] {
  const whole = path.resolve(base, word);
  const chartFile = (file: string, isNamed: boolean): ChartFile => {
    return { path: file, shown: path.relative(base, file).split(path.sep).join('/'), isNamed };
  };
  const info = statSync(whole, { throwIfNoEntry: false });
  if (info?.isFile() === true) {
    if (LOADABLE.test(word)) return [chartFile(whole, true)];
    throw usageError(
      `${word} is neither TypeScript, JavaScript nor JSON.`,
      'Name a file that exports a machine, for example checkout.machine.ts.',
    );
  }
  if (info?.isDirectory() === true) {
    const files = filesBelow(whole).filter((file) => MACHINE_FILE.test(file));
    if (files.length === 0) {
      throw usageError(
        `The directory ${word} has no file with a name such as checkout.machine.ts.`,
        `If the charts have other names, use a pattern: "${word.replace(/[\\/]$/, '')}/**/*.ts".`,
      );
    }
    return files.map((file) => chartFile(file, false));
  }
  if (!/[*?{]/.test(word)) throw usageError(`There is no file or directory ${word}.`, NEXT_STEP);
  const files = matching(word, base).filter((file) => LOADABLE.test(file));
  if (files.length === 0) throw usageError(`No file matches ${word}.`, NEXT_STEP);
  return files.map((file) => chartFile(file, false));
}

/** `**` is any directories, `*` and `?` are characters of one name, `{a,b}` is either. */
function matching(pattern: string, directory: string): string[] {
  const parts = pattern.replaceAll('\\', '/').split('/');
  const wild = parts.findIndex((part) => /[*?{]/.test(part));
  const base = path.resolve(
    directory,
    parts.slice(0, wild).join('/') || (pattern.startsWith('/') ? '/' : '.'),
  );
  const rest = new RegExp(`^${expressionOf(parts.slice(wild).join('/'))}$`);
  if (statSync(base, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return filesBelow(base).filter((file) => rest.test(path.relative(base, file).split(path.sep).join('/')));
}

const WILD = /\*\*\/|\*\*|\*|\?|\{[^}]*\}|[\\^$.|+()[\]{}]/g;

function expressionOf(pattern: string): string {
  return pattern.replace(WILD, (part) => {
    switch (part) {
      case '**/':
        return '(?:[^/]+/)*';
      case '**':
        return '.*';
      case '*':
        return '[^/]*';
      case '?':
        return '[^/]';
      default:
        return part.startsWith('{') && part.endsWith('}') && part.length > 2
          ? `(?:${part.slice(1, -1).split(',').map(expressionOf).join('|')})`
          : `\\${part}`;
    }
  });
}

function filesBelow(directory: string): string[] {
  let entries: import('node:fs').Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    throw usageError(
      `The directory ${directory} cannot be read: ${errnoText(error)}.`,
      'Name the files instead.',
      error,
    );
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = path.join(directory, entry.name);
      if (entry.isDirectory()) return NOT_SEARCHED.has(entry.name) ? [] : filesBelow(file);
      return entry.isFile() && !entry.name.endsWith('.d.ts') ? [file] : [];
    });
}
