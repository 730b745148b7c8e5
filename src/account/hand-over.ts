import type { Plan } from '../protocol/account.js';
import type { Secret } from '../protocol/secret.js';

/** The account in use, as `account/login/start` of an app server needs it. Never a refresh token. ACC-103 */
export type HandOver =
  | { readonly kind: 'apiKey'; readonly key: Secret }
  | {
      readonly kind: 'chatgptAuthTokens';
      readonly accessToken: Secret;
      readonly accountId: string;
      readonly plan: Plan;
      readonly email: string | null;
      readonly userId: string | null;
    };

/** What follows the account: the app server behind the engine. ACC-101 */
export interface AccountFollower {
  /** Another account, or the same with new tokens. Resolves when the follower has it, or cannot get it. */
  changed(): Promise<void>;
  /** The account was signed out. Resolves when nothing behind the engine runs with it any more. ACC-102 */
  signedOut(): Promise<void>;
  /** Whether clients must sign in at the engine before they can use it. True when it does not say. ACC-15 */
  needsAccount(): Promise<boolean>;
  /** Clients have the response and the notifications of a change. */
  notified(): void;
}

/** Whether both are the same account, whatever their tokens are. */
export function isSameAccount(one: HandOver | null, other: HandOver | null): boolean {
  if (one === null || other === null) return one === other;
  if (one.kind === 'apiKey') return other.kind === 'apiKey' && one.key.equals(other.key);
  return (
    other.kind === 'chatgptAuthTokens' && one.accountId === other.accountId && one.userId === other.userId
  );
}

/** Params of `account/login/start`. An access token, never the refresh token. ACC-103 */
export function loginParams(account: HandOver): object {
  return account.kind === 'apiKey'
    ? { type: 'apiKey', apiKey: account.key.reveal() }
    : {
        type: 'chatgptAuthTokens',
        accessToken: account.accessToken.reveal(),
        chatgptAccountId: account.accountId,
        chatgptPlanType: account.plan,
      };
}
