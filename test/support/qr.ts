/** Reads the QR codes that the command line paints. */
import jsqr from 'jsqr';

const ESC = '\u001b';
/** What a terminal paints for a cell: the upper half, the lower half; true is the foreground. */
const HALVES: Readonly<Record<string, readonly [boolean, boolean]>> = {
  '█': [true, true],
  '▀': [true, false],
  '▄': [false, true],
  ' ': [false, false],
};

/** Rows of modules, true for black, as they are seen whatever the colours of the terminal are. */
export function modules(lines: readonly string[]): boolean[][] {
  return lines.flatMap((line) => {
    // Black on white, both of the fixed part of the palette, and plain again at the end.
    const cells = new RegExp(`^ {2}${ESC}\\[38;5;16;48;5;231m([█▀▄ ]+)${ESC}\\[0m$`).exec(line)?.[1];
    if (cells === undefined) throw new Error(`a line of another form: ${JSON.stringify(line)}`);
    const halves = [...cells].map((cell) => HALVES[cell] ?? [false, false]);
    return [halves.map(([upper]) => upper), halves.map(([, lower]) => lower)];
  });
}

/** What a camera reads off it that does not know of inverted codes. */
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
