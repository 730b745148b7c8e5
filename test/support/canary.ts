/** A string that would act on a terminal: a title, a cleared screen, a colour, a reversed word and a line of its own. */
export const CANARY =
  'MARK\u001b]0;PWNED\u0007\u001b[2J\u009b31m\u202egnol\u2066\u200f\u061c\r\u0008\u007f\n12:00:00.000 error FORGED LINE';

/** What must not reach a terminal raw; a line break is judged by the line that it begins. */
export const UNSAFE = /(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029]/u;

/** The value with the canary in each string of it; member names stay. */
export function poisoned(value: unknown): unknown {
  if (typeof value === 'string') return `${value}${CANARY}`;
  if (Array.isArray(value)) return value.map(poisoned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, poisoned(member)]));
}

/** Why this output is not safe to read; empty when it is. */
export function unsafeParts(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => UNSAFE.test(line) || line.startsWith('12:00:00.000 error FORGED'))
    .map((line) => JSON.stringify(line));
}
