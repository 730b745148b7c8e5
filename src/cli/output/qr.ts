import { encode } from 'uqr';
import { joined, styled, type Text } from './terminal.js';

/** Light modules around the code, as the QR standard requires. */
const QUIET_ZONE = 4;
/** True black and white of the 256 colours: the themes of terminals change only the first sixteen. */
const BLACK_ON_WHITE = '38;5;16;48;5;231';
/** Lines that follow the code, including the line of the cursor. */
const LINES_BELOW = 4;
/** The indent of the text around it. */
const INDENT = '  ';

export type QrTerminal = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>;

/**
 * A QR code of `text` for this terminal, two rows of modules in each line. Returns undefined where a camera could not
 * read it: no terminal, no colours, another charset, or too little room. It sets both colours, because a dark terminal
 * would invert it.
 */
export function qrCode(
  text: string,
  terminal: QrTerminal,
  env: NodeJS.ProcessEnv,
): readonly Text[] | undefined {
  if (terminal.isTTY !== true || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb') return undefined;
  // In another charset the half blocks would show as other characters.
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  if (locale.includes('.') && !/\.utf-?8/i.test(locale)) return undefined;
  const { data, size } = encode(text, { ecc: 'L', border: QUIET_ZONE });
  const height = Math.ceil(size / 2);
  // All of it must be visible at once, with the text below it.
  const { columns = 0, rows = 0 } = terminal;
  if (size + INDENT.length > columns || height + LINES_BELOW > rows) return undefined;
  const dark = (row: number, column: number): boolean => data[row]?.[column] === true;
  return Array.from({ length: height }, (_, line) => {
    let cells = '';
    for (let column = 0; column < size; column += 1) {
      const [upper, lower] = [dark(2 * line, column), dark(2 * line + 1, column)];
      cells += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' ';
    }
    return joined([INDENT, styled(BLACK_ON_WHITE, cells)], '');
  });
}
