import type { BaseIssue } from 'valibot';

/** The first thing wrong, as `params.clientInfo.name: Invalid type: Expected string but received undefined`. */
export function firstIssue(issues: readonly BaseIssue<unknown>[]): string {
  const issue = issues[0];
  if (issue === undefined) return 'invalid';
  const path = issue.path?.map((step) => String(step.key)).join('.');
  return path === undefined || path === '' ? issue.message : `${path}: ${issue.message}`;
}
