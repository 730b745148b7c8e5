import * as v from 'valibot';
import type { Requester } from '../net/backend-request.js';
import type { ChatgptAccount, Workspace, WorkspaceOutcome } from '../protocol/account.js';
import type { Recovery } from '../protocol/account-source.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';

/** How long one lookup may take, ms. ACC-60 */
export const WORKSPACE_LIMIT = 15_000;

const schema = v.object({
  accounts: v.array(
    v.object({
      id: v.string(),
      name: v.nullish(v.string(), null),
      workspace_backend_origin: v.nullish(v.string(), ''),
      account_routing_override: v.nullish(v.string(), ''),
    }),
  ),
});
const OVERRIDES = new Set(['NO_CONSTRAINT', 'us', 'us_cr']);

export interface WorkspaceLookup {
  /** With a slash at its end; null: the backend may not be talked to. */
  readonly baseUrl: string | null;
  readonly requester: () => Promise<Requester>;
  /** The account in effect now, with its token. */
  readonly current: () => { readonly accountId: string; readonly accessToken: Secret } | null;
  readonly recovery: () => Recovery;
  readonly now: () => number;
}

/** Finds the backend of the account's workspace, with recovery after a 401. ACC-60, ACC-61, ACC-62 */
export async function lookUpWorkspace(
  lookup: WorkspaceLookup,
  account: ChatgptAccount | null,
  signal: AbortSignal,
): Promise<WorkspaceOutcome> {
  const failed = (what: string, httpStatus?: number): WorkspaceOutcome => ({
    kind: 'failed',
    failure: failureOf(lookup.now(), what, httpStatus),
  });
  const accountId = account?.accountId ?? '';
  if (accountId === '') return failed('workspace routing discovery failed: the account id is empty');
  if (lookup.baseUrl === null) return failed('workspace routing discovery failed: no backend');
  const requester = await lookup.requester();
  const recovery = lookup.recovery();
  try {
    for (;;) {
      const current = lookup.current();
      if (current === null || current.accountId !== accountId) {
        return failed('account changed during workspace routing discovery');
      }
      const done = await requester.ask(
        {
          what: 'workspace lookup',
          method: 'GET',
          url: `${lookup.baseUrl}wham/accounts/check`,
          bearer: current.accessToken,
          headers: { 'chatgpt-account-id': current.accountId },
        },
        schema,
        signal,
      );
      if (done.kind === 'answered') return workspaceIn(done.value, accountId, lookup);
      if (done.failure.httpStatus !== 401) {
        if (done.failure.reason === 'backendTimeout') return failed('workspace routing discovery timed out');
        return failed('workspace routing discovery failed', done.failure.httpStatus);
      }
      const step = await recovery.next(signal);
      if (step.kind !== 'recovered') {
        return failed('workspace routing discovery unauthorized (401)', 401);
      }
    }
  } finally {
    recovery.stop();
  }
}

function workspaceIn(
  answer: v.InferOutput<typeof schema>,
  accountId: string,
  { baseUrl, now }: WorkspaceLookup,
): WorkspaceOutcome {
  const failed = (what: string): WorkspaceOutcome => ({ kind: 'failed', failure: failureOf(now(), what) });
  const entries = answer.accounts.filter((entry) => entry.id === accountId);
  const [entry] = entries;
  if (entry === undefined) return failed('workspace routing discovery failed: the workspace is missing');
  if (entries.length > 1) return failed('workspace routing discovery failed: the workspace is there twice');
  const origin = originOf(entry.workspace_backend_origin, baseUrl ?? '');
  if (origin === undefined) return failed('workspace routing discovery failed: bad backend origin');
  if (!OVERRIDES.has(entry.account_routing_override)) {
    return failed('workspace routing discovery failed: unknown routing override');
  }
  const workspace: Workspace = {
    chatgptAccountId: accountId,
    name: entry.name,
    backendOrigin: origin,
    accountRoutingOverride: entry.account_routing_override,
  };
  return { kind: 'found', workspace };
}

/** An https origin and nothing more. ACC-61 */
function originOf(text: string, baseUrl: string): string | undefined {
  const own = text === 'NO_CONSTRAINT';
  const from = own ? baseUrl : text;
  if (!URL.canParse(from)) return undefined;
  const url = new URL(from);
  if (url.protocol !== 'https:') return undefined;
  if (own) return url.origin;
  const bare =
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === '';
  return bare && !text.includes('?') && !text.includes('#') ? url.origin : undefined;
}

function failureOf(at: number, message: string, httpStatus?: number): Failure {
  return { reason: 'workspaceUnknown', message, at, ...(httpStatus === undefined ? {} : { httpStatus }) };
}
