/** Small things of a picture that stand for no state of their own. */
import type { Arrow, Box } from './picture.js';

const MARK = { title: '', state: null, folded: false, region: false, lines: [] } as const;

export function initialMark(parent: string): Box {
  return { ...MARK, id: `${parent} initial`, parent, kind: 'initial', tooltip: 'begins here' };
}

export function anywhereMark(parent: string, target: string, name: string): Box {
  const tooltip = `from any state in ${name}`;
  return { ...MARK, id: `${parent} any ${target}`, parent, kind: 'anywhere', tooltip };
}

export function plainArrow(source: string, target: string): Arrow {
  return { id: `${source} > ${target}`, source, target, ink: 'plain', lines: [], edges: [], tooltip: '' };
}
