// Finds what takes decisions outside the charts: loops around `await`, timers, deadlines, and fields that hold a state.
// `check-decisions.mjs` runs it over src/.
import ts from 'typescript';

/** The kinds of findings. */
export const KINDS = ['loop', 'timer', 'deadline', 'state'];

const TIMERS = new Set(['setTimeout', 'setInterval']);
const TIMER_MODULES = new Set(['node:timers', 'node:timers/promises', 'timers', 'timers/promises']);
const STATE_NAME = /^#?_?(state|status|phase|stage|step|mode)$|(State|Phase|Stage)$/;

/**
 * @param {string} path For the message.
 * @param {string} text TypeScript.
 * @returns {{ kind: string, line: number, what: string }[]}
 */
export function findDecisions(path, text) {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const timers = new Set(TIMERS);
  const add = (kind, node, what) =>
    found.push({ kind, line: file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1, what });

  const visit = (node) => {
    if (ts.isImportDeclaration(node) && TIMER_MODULES.has(node.moduleSpecifier.text)) {
      for (const name of namedImports(node)) {
        if (TIMERS.has((name.propertyName ?? name.name).text)) timers.add(name.name.text);
      }
    }
    if (isLoop(node) && (isForAwait(node) || awaits(node))) add('loop', node, 'a loop around await');
    if (ts.isCallExpression(node)) {
      const callee = node.expression;
      const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText(file);
      const isGlobal = ts.isIdentifier(callee) || callee.getText(file) === `globalThis.${name}`;
      if (isGlobal && timers.has(name)) add('timer', node, `${name}(…)`);
      if (callee.getText(file) === 'AbortSignal.timeout') add('deadline', node, 'AbortSignal.timeout(…)');
    }
    if (ts.isVariableDeclaration(node) && /^deadline$|Deadline$/.test(node.name.getText(file)))
      add('deadline', node, node.name.getText(file));
    if (ts.isPropertyDeclaration(node) && holdsState(node, file)) add('state', node, node.name.getText(file));
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const namedImports = ({ importClause }) => {
  const bindings = importClause?.namedBindings;
  return bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : [];
};

const isForAwait = (node) => ts.isForOfStatement(node) && node.awaitModifier !== undefined;
const isLoop = (node) =>
  ts.isForStatement(node) ||
  ts.isForOfStatement(node) ||
  ts.isForInStatement(node) ||
  ts.isWhileStatement(node) ||
  ts.isDoStatement(node);

/** Whether the loop itself awaits; a function in it does so on its own account. */
function awaits(loop) {
  let has = false;
  const visit = (node) => {
    if (ts.isAwaitExpression(node)) has = true;
    if (!has && !ts.isFunctionLike(node)) ts.forEachChild(node, visit);
  };
  ts.forEachChild(loop, visit);
  return has;
}

/** A field that changes and holds a flag, one of some words, or a state by its name. */
function holdsState(node, file) {
  const modifiers = node.modifiers?.map(({ kind }) => kind) ?? [];
  if (modifiers.includes(ts.SyntaxKind.ReadonlyKeyword) || modifiers.includes(ts.SyntaxKind.StaticKeyword))
    return false;
  const { initializer, type, name } = node;
  const isFlag =
    initializer?.kind === ts.SyntaxKind.FalseKeyword ||
    initializer?.kind === ts.SyntaxKind.TrueKeyword ||
    type?.kind === ts.SyntaxKind.BooleanKeyword;
  const words = type !== undefined && ts.isUnionTypeNode(type) ? type.types : [];
  const isWord =
    words.filter((one) => ts.isLiteralTypeNode(one) && ts.isStringLiteral(one.literal)).length > 1;
  return isFlag || isWord || STATE_NAME.test(name.getText(file));
}

/**
 * @param {readonly { path: string, text: string }[]} files
 * @param {{ others: Record<string, string>, allowed: Record<string, [kinds: string[], why: string]> }} lists `others`:
 * directories that are not read. `allowed`: files whose findings of these kinds have a reason.
 * @returns {string[]} A line for each finding without a reason, and for each reason without a finding.
 */
export function checkFiles(files, { others, allowed }) {
  const problems = [];
  const used = new Set();
  for (const { path, text } of files) {
    const other = Object.keys(others).find((directory) => path.startsWith(directory));
    if (other !== undefined) {
      used.add(other);
      continue;
    }
    const [kinds] = allowed[path] ?? [[]];
    for (const { kind, line, what } of findDecisions(path, text)) {
      if (kinds.includes(kind)) used.add(`${path} ${kind}`);
      else problems.push(`${path}:${line}: ${what} (${kind}): a decision outside a chart`);
    }
  }
  for (const directory of Object.keys(others)) {
    if (!used.has(directory)) problems.push(`${directory}: no file is in this directory; remove the entry`);
  }
  for (const [path, [kinds]] of Object.entries(allowed)) {
    for (const kind of kinds) {
      if (!used.has(`${path} ${kind}`)) problems.push(`${path}: no ${kind} is left in it; shorten the entry`);
    }
  }
  return problems;
}
