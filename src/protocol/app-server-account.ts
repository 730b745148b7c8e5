/** The account of the engine at the app server behind it. None of these types contains a secret. */
import type { Failure } from './outcomes.js';

/** Who is signed in at the app server. ACC-103 */
export type ConnectAccountOutcome =
  /** Nobody, or the account of the engine. */
  | { readonly kind: 'unclaimed' }
  /** Another account. */
  | { readonly kind: 'keepsOwn' }
  /** It does not speak the account methods, or could not be reached. */
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Whether the app server accepted the account. */
export type HandOverOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'failed'; readonly failure: Failure };
