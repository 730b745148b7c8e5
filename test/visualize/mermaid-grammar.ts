/** The part of the grammar of Mermaid that our diagrams use. */
import { expect } from 'vitest';

const CLASSES = [
  'classDef any stroke-dasharray: 4 4',
  'classDef outside stroke-dasharray: 2 4',
  'classDef folded stroke-width: 3px',
];

/** What a diagram says. */
export interface Diagram {
  /** Titles by node id. */
  readonly nodes: ReadonlyMap<string, string>;
  /** The node around each node; undefined at the top. */
  readonly parents: ReadonlyMap<string, string | undefined>;
  readonly arrows: readonly { readonly from: string; readonly to: string; readonly label: string }[];
  /** The text in each node, its lines joined. */
  readonly texts: ReadonlyMap<string, string>;
}

/** Reads a diagram. Each line must be one that Mermaid accepts, and each id is declared once, before it is used. */
export function expectGrammar(text: string): Diagram {
  const nodes = new Map<string, string>();
  const parents = new Map<string, string | undefined>();
  const texts = new Map<string, string>();
  const arrows: { from: string; to: string; label: string }[] = [];
  const open: string[] = [];
  const [first, ...lines] = text.trimEnd().split('\n');
  expect(first).toBe('stateDiagram-v2');
  for (const line of lines.map((one) => one.trim())) {
    const state = /^state "([\w .()]+)" as (\w+)( \{)?$/.exec(line);
    const arrow = /^(\w+|\[\*\]) --> (\w+|\[\*\])(?: : ([^:;#"{}]+))?$/.exec(line);
    const row = /^(\w+) : ([^:;#"{}]+)$/.exec(line);
    const style = /^class (\w+) (?:any|outside|folded)$/.exec(line);
    if (state?.[2] !== undefined) {
      expect(nodes.has(state[2]), `${state[2]} is declared once`).toBe(false);
      nodes.set(state[2], state[1] ?? '');
      parents.set(state[2], open.at(-1));
      if (state[3] !== undefined) open.push(state[2]);
    } else if (line === '}') open.pop();
    else if (arrow?.[1] !== undefined && arrow[2] !== undefined) {
      arrows.push({ from: arrow[1], to: arrow[2], label: arrow[3] ?? '' });
      // An initial mark names a later state; every other arrow follows all states.
      const ends = arrow[1] === '[*]' ? [] : [arrow[1], arrow[2]].filter((end) => end !== '[*]');
      for (const end of ends) expect([...nodes.keys()]).toContain(end);
    } else if (row?.[1] !== undefined) {
      expect([...nodes.keys()]).toContain(row[1]);
      texts.set(row[1], `${texts.get(row[1]) ?? ''} ${row[2]}`);
    } else if (style?.[1] !== undefined) expect([...nodes.keys()]).toContain(style[1]);
    else expect(CLASSES).toContain(line);
  }
  expect(open).toEqual([]);
  return { nodes, parents, arrows, texts };
}
