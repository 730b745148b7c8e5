import { EngineError } from '../../protocol/errors.js';
import { isReason, REASONS } from '../../protocol/reasons.js';

/** 0 clean, 1 failed, 2 usage, 3 authentication needed, 4 already running, 5 no engine running, 70 internal. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  authRequired: 3,
  alreadyRunning: 4,
  notRunning: 5,
  internal: 70,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof EngineError)) return EXIT.internal;
  switch (error.code) {
    case 'usage':
    case 'configInvalid':
    case 'targetRefused':
      return EXIT.usage;
    case 'authRequired':
      return EXIT.authRequired;
    case 'alreadyRunning':
      return EXIT.alreadyRunning;
    case 'notRunning':
      return EXIT.notRunning;
    case 'internal':
      return EXIT.internal;
    default:
      return EXIT.failed;
  }
}

/** One JSON object a line on stdout. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Whether errors go to stdout as JSON, too. Settled once the settings of the command are known. */
export const errorOutput = { json: false };

/** Tells a person, or a program with `--json`, what was wrong and what to do. No stack trace for a user's mistake. */
export function printError(error: unknown): void {
  const known = error instanceof EngineError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (errorOutput.json) {
    printJson({ type: 'error', code: known?.code ?? 'internal', message, hint: known?.remediation ?? '' });
  }
  const lines = [`rc-engine: ${message}`];
  if (known === undefined && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  if (known !== undefined && known.remediation !== '') lines.push(`  ${known.remediation}`);
  if (known !== undefined && known.code !== 'usage') lines.push(`  More: rc-engine explain ${known.code}`);
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** Colours only for a terminal that wants them. */
export function paint(stream: NodeJS.WriteStream): (code: number, text: string) => string {
  const wanted = stream.isTTY === true && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb';
  return (code, text) => (wanted ? `\u001b[${code}m${text}\u001b[0m` : text);
}

/** `2 min`, `45 s`, `3 h`: a duration as a person says it. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7_200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} days`;
}

/** The sentence behind a reason, for lines that a person reads. */
export const means = (reason: string): string => (isReason(reason) ? REASONS[reason].means : reason);
export const todo = (reason: string): string => (isReason(reason) ? REASONS[reason].todo : '');
