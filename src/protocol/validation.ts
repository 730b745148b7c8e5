import type { BaseIssue } from 'valibot';

/**
 * The first thing wrong, as `missing field clientInfo` or `limit: expected >=1`. Never quotes what was received:
 * it may be a secret in the wrong place.
 */
export function firstIssue(issues: readonly BaseIssue<unknown>[]): string {
  const issue = issues[0];
  if (issue === undefined) return 'invalid';
  const path = issue.path?.map((step) => String(step.key)).join('.') ?? '';
  if (path !== '' && issue.input === undefined && issue.kind === 'schema') return `missing field ${path}`;
  const wrong = issue.expected === null ? issue.message : `expected ${issue.expected}`;
  return path === '' ? wrong : `${path}: ${wrong}`;
}
