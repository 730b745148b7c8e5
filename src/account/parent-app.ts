import * as v from 'valibot';
import { maskTokens, oneLine } from '../observe/body-preview.js';
import { type ExternalTokensOutcome, type LoginPolicy, workspaceAllowed } from '../protocol/account.js';
import { failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Credentials } from './credentials.js';

const MESSAGE_CHARS = 500;

const replySchema = v.object({
  accessToken: v.string(),
  chatgptAccountId: v.pipe(v.string(), v.minLength(1)),
  chatgptPlanType: v.nullish(v.string()),
});

/** Requests new tokens from the client that owns the external tokens, and puts them in use. ACC-41 … ACC-46 */
export async function requestExternalTokens(
  credentials: Credentials,
  policy: LoginPolicy,
  now: () => number,
  limitMs: number,
): Promise<ExternalTokensOutcome> {
  const { external } = credentials;
  const failed = (reason: Reason, message: string): ExternalTokensOutcome => ({
    kind: 'failed',
    failure: failure(reason, message, now()),
  });
  if (external === undefined) return failed('parentGone', 'No parent app owns the tokens any more.');
  const { owner, account, accessToken } = external;
  const response = await owner.sendRequest(
    'account/chatgptAuthTokens/refresh',
    { reason: 'unauthorized', previousAccountId: account.accountId },
    limitMs,
  );
  switch (response.kind) {
    case 'gone':
      return failed('parentGone', 'The client that signed in with these tokens has disconnected.');
    case 'timeout':
      return failed('parentSilent', `auth refresh request timed out after ${Math.round(limitMs / 1000)}s`);
    case 'error': {
      // The message of the parent app helps people; a token in it must not be shown. ACC-47
      const words = oneLine(maskTokens(response.message, [accessToken])).slice(0, MESSAGE_CHARS);
      return failed(
        'parentRefused',
        `auth refresh request failed: code=${response.code ?? 'none'}: ${words}`,
      );
    }
    case 'result':
  }
  const parsed = v.safeParse(replySchema, response.value);
  if (!parsed.success) return failed('parentBadAnswer', 'invalid auth refresh response');
  const { accessToken: token, chatgptAccountId: accountId, chatgptPlanType: plan } = parsed.output;
  if (!workspaceAllowed(policy, accountId)) {
    const allowed = policy.workspaces?.join(', ') ?? '';
    return failed('parentWrongWorkspace', `Login is restricted to workspace id(s) ${allowed}.`);
  }
  // A sign-in or sign-out meanwhile: these tokens come too late.
  if (credentials.external !== external) return failed('parentGone', 'The account has changed meanwhile.');
  const renewed = credentials.readExternal({ accessToken: token, accountId, plan });
  if (renewed === null) {
    return failed('parentBadAnswer', 'invalid auth refresh response: the token is not a JWT');
  }
  credentials.setExternal(renewed, token, owner);
  return { kind: 'replaced', account: renewed };
}
