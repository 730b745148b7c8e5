/** The files of the repository, and what people read in its TypeScript: comments and chart descriptions. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const ROOT = path.resolve(import.meta.dirname, '../..');
const TEXT = /\.(?:ts|mjs|js|md|html|css|txt|sh)$/;

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Remark {
  readonly line: number;
  /** Without the signs of the comment. */
  readonly text: string;
}

/** The text files in these directories, and these files. */
export function readFiles(...places: readonly string[]): readonly SourceFile[] {
  return places.flatMap((place) => {
    const found = place.includes('.') ? [place] : filesIn(place);
    return found.map((file) => ({ path: file, text: readFileSync(path.join(ROOT, file), 'utf8') }));
  });
}

function filesIn(directory: string): readonly string[] {
  return readdirSync(path.join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => TEXT.test(name))
    .map((name) => path.posix.join(directory, name.split(path.sep).join('/')))
    .sort();
}

/** The comments of a file; `//` lines that follow each other are one. */
export function commentsIn({ path: name, text }: SourceFile): readonly Remark[] {
  const source = parse(name, text);
  const ranges = new Map<number, ts.CommentRange>();
  const collect = (node: ts.Node): void => {
    // Text in JSDoc has no trivia of its own.
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(source);
    for (const child of children) collect(child);
    // Every comment stands before or behind a token.
    if (children.length > 0) return;
    for (const range of ts.getLeadingCommentRanges(text, node.pos) ?? []) ranges.set(range.pos, range);
    for (const range of ts.getTrailingCommentRanges(text, node.end) ?? []) ranges.set(range.pos, range);
  };
  collect(source);

  const remarks: Remark[] = [];
  let before: ts.CommentRange | undefined;
  for (const range of [...ranges.values()].sort((a, b) => a.pos - b.pos)) {
    const words = wordsOf(text.slice(range.pos, range.end));
    const last = remarks.at(-1);
    const continues =
      before?.kind === ts.SyntaxKind.SingleLineCommentTrivia &&
      range.kind === ts.SyntaxKind.SingleLineCommentTrivia &&
      /^[ \t]*\r?\n[ \t]*$/.test(text.slice(before.end, range.pos));
    if (continues && last !== undefined)
      remarks[remarks.length - 1] = { ...last, text: `${last.text} ${words}` };
    else remarks.push({ line: lineAt(source, range.pos), text: words });
    before = range;
  }
  return remarks;
}

/** What every `description` in a file says. */
export function descriptionsIn({ path: name, text }: SourceFile): readonly Remark[] {
  const source = parse(name, text);
  const found: Remark[] = [];
  const visit = (node: ts.Node): void => {
    if (
      ts.isPropertyAssignment(node) &&
      ts.isIdentifier(node.name) &&
      node.name.text === 'description' &&
      ts.isStringLiteralLike(node.initializer)
    ) {
      found.push({ line: lineAt(source, node.getStart(source)), text: node.initializer.text });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const parse = (name: string, text: string): ts.SourceFile =>
  ts.createSourceFile(name, text, ts.ScriptTarget.Latest);

const lineAt = (source: ts.SourceFile, position: number): number =>
  source.getLineAndCharacterOfPosition(position).line + 1;

const wordsOf = (comment: string): string =>
  comment
    .replace(/^\/\*+|\*+\/$|^\/\/+/g, '')
    .replace(/^[ \t]*\*(?!\/)/gm, '')
    .trim();
