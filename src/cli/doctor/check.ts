/** The checks of `rc-engine doctor`: what a check is, and in which order and under which condition each one runs. */
import { EngineError } from '../../protocol/errors.js';

/** `skipped`: it does not apply here, or what it depends on has failed. */
export type CheckState = 'ok' | 'warning' | 'failed' | 'skipped';

/** What a check has found. */
export interface Finding {
  readonly state: CheckState;
  /** One line, without a full stop at its end. It holds no secret. */
  readonly message: string;
  /** What to do about it. Only for a warning or a failure. */
  readonly remedy?: string;
}

export interface Check {
  /** Unique, for `needs` and for programs: `backend.tls`. */
  readonly id: string;
  /** The heading that it stands under. */
  readonly group: string;
  /** First column of its row. */
  readonly title: string;
  /** Ids of earlier checks. When one of them has failed, this one is skipped. */
  readonly needs?: readonly string[];
  run(signal: AbortSignal): Promise<Finding>;
}

/** The row of a check. */
export interface CheckRow extends Finding {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  /** The earlier check whose failure made this one pointless; null: it ran. */
  readonly skippedBecause: string | null;
}

export const ok = (message: string): Finding => ({ state: 'ok', message });
export const notNeeded = (message: string): Finding => ({ state: 'skipped', message });
export const warning = (message: string, remedy: string): Finding => ({ state: 'warning', message, remedy });
export const failed = (message: string, remedy: string): Finding => ({ state: 'failed', message, remedy });

/**
 * Runs the checks in their order and yields a row for each. A check whose prerequisite has failed, or was skipped for
 * such a failure, does not run: its row would only repeat the cause.
 */
export async function* runChecks(
  checks: readonly Check[],
  signal: AbortSignal,
  onBegin: (check: Check) => void = () => {},
): AsyncGenerator<CheckRow> {
  /** Each check that has no result of its own, or a bad one, with the check that caused that. */
  const broken = new Map<string, string>();
  const titles = new Map(checks.map(({ id, group, title }) => [id, `${group}, ${title}`]));
  for (const check of checks) {
    const { id, group, title, needs = [] } = check;
    signal.throwIfAborted();
    const cause = needs.map((need) => broken.get(need)).find((found) => found !== undefined);
    if (cause !== undefined) {
      broken.set(id, cause);
      const message = `not checked, because this failed: ${titles.get(cause) ?? cause}`;
      yield { id, group, title, state: 'skipped', message, skippedBecause: cause };
      continue;
    }
    onBegin(check);
    const finding = await check.run(signal).catch(findingOf);
    signal.throwIfAborted();
    if (finding.state === 'failed') broken.set(id, id);
    yield { id, group, title, ...withRemedy(finding), skippedBecause: null };
  }
}

/** Nothing that is wrong stands without a next step. */
function withRemedy(finding: Finding): Finding {
  const { state, remedy } = finding;
  if ((state !== 'warning' && state !== 'failed') || (remedy ?? '') !== '') return finding;
  return { ...finding, remedy: 'The log says what came before it: rc-engine logs -n 50' };
}

/** An error of ours names its own next step. Any other one must not hide the results of the other checks. */
export function findingOf(error: unknown): Finding {
  if (error instanceof EngineError) return failed(error.message.replace(/\.$/, ''), error.remediation);
  const message = error instanceof Error ? error.message : String(error);
  return failed(`this check failed unexpectedly: ${message.split('\n', 1).join()}`, 'Report it as a bug.');
}

export interface CheckSummary {
  readonly ok: number;
  readonly warnings: number;
  readonly failed: number;
  readonly skipped: number;
}

export function summaryOf(rows: readonly CheckRow[]): CheckSummary {
  const count = (state: CheckState): number => rows.filter((row) => row.state === state).length;
  return {
    ok: count('ok'),
    warnings: count('warning'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
}
