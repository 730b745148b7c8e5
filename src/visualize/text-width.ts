/**
 * How wide text is, from a table: pictures come out the same on every host, whatever fonts it has. The table holds
 * the advance widths of Arial (and of Liberation Sans and Helvetica, which are made to the same measure) for the
 * printable ASCII characters, in hundredths of the font size.
 */
// biome-ignore format: a table
const REGULAR = [28,28,35,56,56,89,67,19,33,33,39,58,28,33,28,28,56,56,56,56,56,56,56,56,56,56,28,28,58,58,58,56,102,67,67,72,72,67,61,78,72,28,50,67,56,83,72,78,67,78,72,67,61,72,67,94,67,67,61,28,28,28,47,56,33,56,56,50,56,56,28,56,56,22,22,50,22,83,56,56,56,56,33,50,28,56,50,72,50,50,50,33,26,33,58];
// biome-ignore format: a table
const BOLD = [28,33,47,56,56,89,72,24,33,33,39,58,28,33,28,28,56,56,56,56,56,56,56,56,56,56,33,33,58,58,58,61,98,72,72,72,72,67,61,78,72,28,56,72,61,83,72,78,67,78,72,67,61,72,67,94,67,67,61,33,28,33,58,56,33,56,61,56,61,56,33,61,61,28,28,56,28,89,61,61,61,61,39,56,33,61,56,78,56,56,50,39,28,39,58];

/** Other fonts of the same family run a little wider. */
const SLACK = 1.04;

export function textWidth(text: string, size: number, bold = false): number {
  const table = bold ? BOLD : REGULAR;
  let hundredths = 0;
  // What is not in the table counts as a wide letter.
  for (const letter of text.replaceAll('\u00a0', ' '))
    hundredths += table[(letter.codePointAt(0) ?? 0) - 32] ?? 100;
  return (hundredths * size * SLACK) / 100;
}
