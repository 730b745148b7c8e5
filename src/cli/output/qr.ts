import { encode } from 'uqr';

/** Modules of light around the code, as its standard asks for. */
const QUIET = 4;
/** True black and true white of the 256 colours: the themes of terminals change only the first sixteen. */
const DARK_ON_LIGHT = '\u001b[38;5;16;48;5;231m';
const PLAIN = '\u001b[0m';
/** Lines that follow it, the one of the cursor included. */
const BELOW = 4;
/** Indent that the rest of the text has. */
const INDENT = '  ';

export type QrTerminal = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>;

/**
 * A QR code of `text` for this terminal, a line each, two rows of modules in one line; undefined where it cannot be
 * shown so that a camera reads it. It brings its own colours: on a dark terminal it would be inverted otherwise.
 */
export function qrCode(
  text: string,
  terminal: QrTerminal,
  env: NodeJS.ProcessEnv,
): readonly string[] | undefined {
  if (terminal.isTTY !== true || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb') return undefined;
  // A locale that names another charset: the half blocks would come out as something else.
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  if (locale.includes('.') && !/\.utf-?8/i.test(locale)) return undefined;
  const { data, size } = encode(text, { ecc: 'L', border: QUIET });
  const height = Math.ceil(size / 2);
  // All of it must be in sight at once, with what is said below it.
  const { columns = 0, rows = 0 } = terminal;
  if (size + INDENT.length > columns || height + BELOW > rows) return undefined;
  const dark = (row: number, column: number): boolean => data[row]?.[column] === true;
  return Array.from({ length: height }, (_, line) => {
    let cells = '';
    for (let column = 0; column < size; column += 1) {
      const [upper, lower] = [dark(2 * line, column), dark(2 * line + 1, column)];
      cells += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' ';
    }
    return `${INDENT}${DARK_ON_LIGHT}${cells}${PLAIN}`;
  });
}
