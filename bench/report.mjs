/** The results as a table or as JSON: lines with figure, baseline, ratio and goal. */
import { arch, cpus, platform, release, totalmem } from 'node:os';

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** A goal is a ratio to the baseline, or a figure when there is no baseline. */
export const atMost = (limit, aim) => ({ op: '≤', limit, aim });
export const atLeast = (limit) => ({ op: '≥', limit });

/**
 * One line of the table.
 * @param baseline `{name, values}`; values null: not measured
 * @param goal for the ratio; with `goal.absolute` for the figure itself
 */
export function line({ row, what, unit, values, baseline, goal, note }) {
  const value = median(values);
  const base = baseline?.values == null ? null : median(baseline.values);
  const ratio = base === null ? null : value / base;
  const judged = goal?.absolute ? value : ratio;
  return {
    row,
    what,
    unit,
    value,
    samples: values,
    baseline: baseline === undefined ? null : { name: baseline.name, value: base, samples: baseline.values },
    ratio,
    goal: goal ?? null,
    met: goal === undefined || judged === null ? null : holds(goal, judged),
    note: note ?? null,
  };
}

const holds = ({ op, limit }, value) => (op === '≤' ? value <= limit : value >= limit);

export function machineFacts() {
  const processors = cpus();
  return {
    node: process.version,
    platform: `${platform()} ${arch()} ${release().split('-')[0]}`,
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

const MAGNITUDES = [
  [100, 0],
  [10, 1],
  [1, 2],
];

export function number(value) {
  if (value === null || value === undefined) return '';
  const [, digits] = MAGNITUDES.find(([from]) => Math.abs(value) >= from) ?? [0, 3];
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function goalText({ goal }) {
  if (goal === null) return '';
  const unit = goal.absolute ? ` ${goal.unit}` : '×';
  return `${goal.op} ${goal.limit}${unit}${goal.aim === undefined ? '' : ` (aim ${goal.aim}×)`}`;
}

function cells(entry) {
  const { what, unit, value, baseline, ratio, met } = entry;
  return [
    what,
    `${number(value)} ${unit}`,
    baseline === null ? '' : baseline.value === null ? 'not measured' : `${number(baseline.value)} ${unit}`,
    baseline?.name ?? '',
    ratio === null ? '' : `${number(ratio)}×`,
    goalText(entry),
    met === null ? '' : met ? 'met' : 'NOT MET',
  ];
}

const HEAD = ['', 'rc-engine', 'baseline', 'which', 'ratio', 'goal', ''];
const RIGHT = new Set([1, 2, 4]);

export function printTable(lines, out) {
  const rows = [HEAD, ...lines.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const print = (row) =>
    out(
      row
        .map((cell, i) => (RIGHT.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    );
  print(HEAD);
  out(widths.map((width) => '-'.repeat(width)).join('  '));
  let group = '';
  lines.forEach((entry, i) => {
    if (group !== '' && entry.row !== group) out('');
    group = entry.row;
    print(rows[i + 1]);
    if (entry.note !== null) out(`    ${entry.note}`);
  });
}
