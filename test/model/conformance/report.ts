/** A comparison as text. */
import type { Comparison, Difference } from './compare.js';
import type { Seen } from './driver.js';

export type Format = 'text' | 'markdown' | 'json';

export function reportOf(comparison: Comparison, format: Format): string {
  if (format === 'json') return `${JSON.stringify(comparison, null, 2)}\n`;
  return format === 'markdown' ? markdown(comparison) : text(comparison);
}

/** Differences that are not intended. */
export const unexplained = ({ differences }: Comparison): readonly Difference[] =>
  differences.filter(({ intended }) => intended === null);

function figures({ paths, transitions, differences }: Comparison): string[] {
  const { total, same, differs, notReached, notPlayed } = transitions;
  const open = differences.filter(({ intended }) => intended === null).length;
  return [
    `${paths.length} paths played: ${paths.filter(({ outcome }) => outcome === 'same').length} to their end`,
    `${total} transitions: ${same.length} same, ${differs.length} with a difference, ` +
      `${notReached.length} not reached, ${notPlayed.length} that cannot be played from outside`,
    `${differences.length} differences: ${differences.length - open} intended, ${open} not explained`,
  ];
}

function text(comparison: Comparison): string {
  const { against, chart, unplayable, transitions } = comparison;
  const intended = comparison.differences.filter(({ intended }) => intended !== null);
  return [
    `remoteControl (chart ${chart}) against ${against}`,
    ...figures(comparison).map((line) => `  ${line}`),
    ...chapter('Differences that are not explained', unexplained(comparison).flatMap(differenceText)),
    ...chapter('Intended differences', intended.flatMap(differenceText)),
    ...chapter(
      'Could not be played',
      unplayable.map(({ state, event, why }) => `${state} on ${event}: ${why}`),
    ),
    ...chapter('Not reached, because they are behind a difference', transitions.notReached),
    ...chapter('Cannot be played from outside', reasonsOf(comparison)),
    '',
  ].join('\n');
}

const chapter = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];

function differenceText({ state, event, to, expected, seen, intended, times, story }: Difference): string[] {
  return [
    `${state} on ${event} → ${to}${times > 1 ? ` (${times} times)` : ''}`,
    `  expected ${seenWords(expected)}`,
    `  seen     ${seenWords(seen)}`,
    intended === null
      ? `  after    ${story.slice(-4, -1).join('; ') || 'the start'}`
      : `  intended: ${intended}`,
  ];
}

function seenWords(seen: Seen | null): string {
  if (seen === null) return 'nothing observable';
  const requests = seen.requests === '' ? 'no request' : `request ${seen.requests}`;
  return `${requests}, ${seen.connected ? 'connected' : 'not connected'}, status ${seen.status}`;
}

function reasonsOf({ transitions }: Comparison): string[] {
  const count = new Map<string, number>();
  for (const { why } of transitions.notPlayed) count.set(why, (count.get(why) ?? 0) + 1);
  return [...count].map(([why, times]) => `${times}: ${why}`);
}

function markdown(comparison: Comparison): string {
  const { against, chart, differences, transitions, unplayable } = comparison;
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    `# remoteControl against ${against}`,
    '',
    `Chart ${chart}.`,
    '',
    ...figures(comparison).map((line) => `- ${line}`),
    '',
    ...(differences.length === 0
      ? []
      : [
          row(['state', 'event', 'expected', 'seen', 'intended']),
          row(['---', '---', '---', '---', '---']),
          ...differences.map(({ state, event, expected, seen, intended }) =>
            row([state, event, seenWords(expected), seenWords(seen), intended ?? '**not explained**']),
          ),
          '',
        ]),
    ...list(
      'Could not be played',
      unplayable.map(({ state, event, why }) => `${state} on ${event}: ${why}`),
    ),
    ...list(
      'Not reached, because they are behind a difference',
      transitions.notReached.map((id) => `\`${id}\``),
    ),
    ...list('Cannot be played from outside', reasonsOf(comparison)),
  ].join('\n');
}

const list = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`## ${title}`, '', ...lines.map((line) => `- ${line}`), ''];
