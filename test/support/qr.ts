/** Reads the QR codes that the command line prints. */
import jsqr from 'jsqr';

const ESC = '\u001b';
/** What a terminal shows for a cell: upper half and lower half; true is the foreground. */
const HALVES: Readonly<Record<string, readonly [boolean, boolean]>> = {
  '█': [true, true],
  '▀': [true, false],
  '▄': [false, true],
  ' ': [false, false],
};

/** Rows of modules, true for black, independent of the colours of the terminal. */
export function modules(lines: readonly string[]): boolean[][] {
  return lines.flatMap((line) => {
    // Black on white from the fixed part of the palette, reset at the end.
    const cells = new RegExp(`^ {2}${ESC}\\[38;5;16;48;5;231m([█▀▄ ]+)${ESC}\\[0m$`).exec(line)?.[1];
    if (cells === undefined) throw new Error(`a line of another form: ${JSON.stringify(line)}`);
    const halves = [...cells].map((cell) => HALVES[cell] ?? [false, false]);
    return [halves.map(([upper]) => upper), halves.map(([, lower]) => lower)];
  });
}

/** The content as read by a camera that does not support inverted codes. */
export function decoded(rows: readonly (readonly boolean[])[]): string | undefined {
  const scale = 4;
  const [width, height] = [(rows[0]?.length ?? 0) * scale, rows.length * scale];
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const black = rows[Math.floor(y / scale)]?.[Math.floor(x / scale)] === true;
      pixels.fill(black ? 0 : 255, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return jsqr.default(pixels, width, height, { inversionAttempts: 'dontInvert' })?.data;
}
