import * as v from 'valibot';
import type { Requester } from '../net/backend-request.js';
import type { HttpAnswered } from '../net/http-request.js';
import type { ChatgptAccount, Workspace, WorkspaceOutcome } from '../protocol/account.js';
import type { Recovery } from '../protocol/account-source.js';
import { type Failure, failure, type RequestFailure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import type { Env } from '../protocol/timing.js';
import { sendAuthorized } from '../session/authorized-request.js';

/** Limit of one lookup, ms. ACC-60 */
export const WORKSPACE_TIMEOUT = 15_000;

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

interface WorkspaceLookup {
  /** Ends with a slash; null: there is no backend. */
  readonly baseUrl: string | null;
  readonly requester: () => Promise<Requester>;
  /** The account in use now, with its token. */
  readonly current: () => { readonly accountId: string; readonly accessToken: Secret } | null;
  readonly recovery: () => Recovery;
  readonly env: Env;
}

/** Finds the backend of the account's workspace, with recovery after a 401. ACC-60, ACC-61, ACC-62 */
export async function lookUpWorkspace(
  lookup: WorkspaceLookup,
  account: ChatgptAccount | null,
  signal: AbortSignal,
): Promise<WorkspaceOutcome> {
  const failed = (message: string, httpStatus?: number): WorkspaceOutcome => ({
    kind: 'failed',
    failure: workspaceFailure(message, lookup.env.now(), httpStatus),
  });
  const accountId = account?.accountId ?? '';
  if (accountId === '') return failed('workspace routing discovery failed: the account id is empty');
  if (lookup.baseUrl === null) return failed('workspace routing discovery failed: no backend');
  const { baseUrl, env } = lookup;
  const requester = await lookup.requester();
  const done = await sendAuthorized<Answer>(
    {
      env,
      timing: { requestTimeout: WORKSPACE_TIMEOUT },
      repeats: 'eachStep',
      recovery: lookup.recovery,
      send: async (sending) => {
        const current = lookup.current();
        if (current === null || current.accountId !== accountId) return 'accountChanged';
        return requester.ask(
          {
            what: 'workspace lookup',
            method: 'GET',
            url: `${baseUrl}wham/accounts/check`,
            bearer: current.accessToken,
            headers: { 'chatgpt-account-id': current.accountId },
          },
          schema,
          sending,
        );
      },
      isRefused,
      hasNewToken: async () => true,
    },
    signal,
  );
  if (done === 'accountChanged') return failed('account changed during workspace routing discovery');
  if (done.kind === 'answered') return workspaceIn(done.value, accountId, { baseUrl, now: env.now });
  if (isRefused(done)) return failed('workspace routing discovery unauthorized (401)', 401);
  if (done.failure.reason === 'backendTimeout') return failed('workspace routing discovery timed out');
  return failed('workspace routing discovery failed', done.failure.httpStatus);
}

type Answer =
  | 'accountChanged'
  | RequestFailure
  | (HttpAnswered & { readonly value: v.InferOutput<typeof schema> });

const isRefused = (answer: Answer): boolean =>
  answer !== 'accountChanged' && answer.kind !== 'answered' && answer.failure.httpStatus === 401;

function workspaceIn(
  response: v.InferOutput<typeof schema>,
  accountId: string,
  { baseUrl, now }: Pick<WorkspaceLookup, 'baseUrl'> & Pick<Env, 'now'>,
): WorkspaceOutcome {
  const failed = (message: string): WorkspaceOutcome => ({
    kind: 'failed',
    failure: workspaceFailure(message, now()),
  });
  const entries = response.accounts.filter((entry) => entry.id === accountId);
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

/** An https origin without path, query, fragment and user; undefined: it is something else. ACC-61 */
function originOf(text: string, baseUrl: string): string | undefined {
  const sameAsBackend = text === 'NO_CONSTRAINT';
  const from = sameAsBackend ? baseUrl : text;
  if (!URL.canParse(from)) return undefined;
  const { protocol, origin, pathname, search, hash, username, password } = new URL(from);
  if (protocol !== 'https:') return undefined;
  if (sameAsBackend) return origin;
  const bare = pathname === '/' && `${search}${hash}${username}${password}` === '';
  // An empty query or fragment leaves no trace in the parsed URL.
  return bare && !text.includes('?') && !text.includes('#') ? origin : undefined;
}

function workspaceFailure(message: string, at: number, httpStatus?: number): Failure {
  return failure('workspaceUnknown', message, at, httpStatus === undefined ? {} : { httpStatus });
}
