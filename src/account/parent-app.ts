import * as v from 'valibot';
import { hideKnown, maskTokens, oneLine } from '../observe/body-preview.js';
import { type ExternalTokensOutcome, type LoginPolicy, workspaceAllowed } from '../protocol/account.js';
import type { Reason } from '../protocol/reasons.js';
import type { Credentials } from './credentials.js';

/** How long the parent app may take, ms. ACC-45 */
export const PARENT_APP_TIMEOUT = 10_000;
const WORDS = 500;

const replySchema = v.object({
  accessToken: v.string(),
  chatgptAccountId: v.pipe(v.string(), v.minLength(1)),
  chatgptPlanType: v.nullish(v.string()),
});

/** Asks the client that owns the external tokens for new ones, and takes them. ACC-41 … ACC-46 */
export async function requestExternalTokens(
  credentials: Credentials,
  policy: LoginPolicy,
  now: () => number,
  limitMs: number,
): Promise<ExternalTokensOutcome> {
  const { external } = credentials;
  const failed = (reason: Reason, message: string): ExternalTokensOutcome => ({
    kind: 'failed',
    failure: { reason, message, at: now() },
  });
  if (external === undefined) return failed('parentGone', 'Nobody owns the tokens any more.');
  const { owner, account, accessToken } = external;
  const answer = await owner.ask(
    'account/chatgptAuthTokens/refresh',
    { reason: 'unauthorized', previousAccountId: account.accountId },
    limitMs,
  );
  switch (answer.kind) {
    case 'gone':
      return failed('parentGone', 'The client that signed in with these tokens has disconnected.');
    case 'timeout':
      return failed('parentSilent', `auth refresh request timed out after ${Math.round(limitMs / 1000)}s`);
    case 'error': {
      // What the parent app says helps; what it holds does not belong here.
      const words = oneLine(maskTokens(hideKnown(answer.message, [accessToken]))).slice(0, WORDS);
      return failed('parentRefused', `auth refresh request failed: code=${answer.code ?? 'none'}: ${words}`);
    }
    case 'result':
  }
  const parsed = v.safeParse(replySchema, answer.value);
  if (!parsed.success) return failed('parentBadAnswer', 'invalid auth refresh response');
  const { accessToken: token, chatgptAccountId: accountId, chatgptPlanType: plan } = parsed.output;
  if (!workspaceAllowed(policy, accountId)) {
    const allowed = policy.workspaces?.join(', ') ?? '';
    return failed('parentWrongWorkspace', `Login is restricted to workspace id(s) ${allowed}.`);
  }
  // Meanwhile somebody may have signed in or out: then these tokens come too late.
  if (credentials.external !== external) return failed('parentGone', 'The account has changed meanwhile.');
  const renewed = credentials.readExternal({ accessToken: token, accountId, plan });
  if (renewed === null) return failed('parentBadAnswer', 'invalid auth refresh response: the token is none');
  credentials.setExternal(renewed, token, owner);
  return { kind: 'replaced', account: renewed };
}
