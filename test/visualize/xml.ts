/** A small strict reader of XML, for tests: elements, attributes and text. It throws where the text is not well-formed. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
}

const NAME = '[\\p{L}_][\\p{L}\\p{N}._:-]*';
const PIECE = new RegExp(
  `<\\?xml [^?]*\\?>|<!--(?:(?!--)[\\s\\S])*-->|</(${NAME})\\s*>|<(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>|[^<]+`,
  'uy',
);
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

export function parseXml(text: string): Element {
  const top: Element[] = [];
  const open: { element: Element; children: Element[] }[] = [];
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < text.length) {
    const at = PIECE.lastIndex;
    const found = PIECE.exec(text);
    if (found === null) throw new Error(`not well-formed at ${text.slice(at, at + 60)}`);
    const [piece, end, start, attributes = '', empty] = found;
    if (end !== undefined) {
      const closed = open.pop();
      if (closed?.element.name !== end) throw new Error(`</${end}> closes ${closed?.element.name}`);
    } else if (start !== undefined) {
      const children: Element[] = [];
      const element = { name: start, attributes: readAttributes(attributes), children };
      (open.at(-1)?.children ?? top).push(element);
      if (empty === '') open.push({ element, children });
    } else if (!piece.startsWith('<')) {
      decode(piece);
      if (open.length === 0 && piece.trim() !== '') throw new Error(`text outside of the root: ${piece}`);
    }
  }
  const [root, ...more] = top;
  if (root === undefined || more.length > 0 || open.length > 0) throw new Error('not exactly one root');
  return root;
}

export const all = (element: Element): Element[] => [element, ...element.children.flatMap(all)];

function readAttributes(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(new RegExp(`(${NAME})="([^"]*)"`, 'gu'))) {
    if (name in found) throw new Error(`${name} twice`);
    found[name] = decode(value);
  }
  return found;
}

function decode(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no such characters
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    throw new Error('a control character');
  return text.replace(/&([^;]*);?/g, (whole, name: string) => {
    if (/^#\d+$/.test(name)) return String.fromCodePoint(Number(name.slice(1)));
    const character = ENTITIES[name];
    if (character === undefined || !whole.endsWith(';')) throw new Error(`entity ${whole}`);
    return character;
  });
}
