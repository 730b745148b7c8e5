/** What Mermaid accepts as an id and as text. */

/** Keywords of Mermaid that are not valid as ids. */
export const RESERVED = [
  'class',
  'classDef',
  'click',
  'default',
  'direction',
  'end',
  'note',
  'scale',
  'state',
  'style',
];
/** Mermaid ends a label at a colon or semicolon, and starts an entity at a number sign. */
const UNSAFE = /[^\p{L}\p{N} .,'()[\]/_·–→=-]/gu;

/** The text without what would end it. */
export const sanitized = (text: string): string => text.replace(UNSAFE, ' ').trim();
