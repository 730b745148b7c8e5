/** The sign-ins of the world outside. */
import type { ChatgptAccount, StoredAccount } from '../../protocol/account.js';
import { failure } from '../charts/model.js';

/** Generations have their own alphabet, so that a key can rename them. */
export const FIRST_GENERATION = 1_000;
export const ANNA_ID = 'anna';

const ANNA: ChatgptAccount = {
  ...{ accountId: ANNA_ID, generation: FIRST_GENERATION, email: null, plan: 'plus', userId: null },
};

export const stored = (accountId: string, generation: number): StoredAccount => ({
  ...{ kind: 'chatgpt', source: 'file', ineligible: null },
  account: { ...ANNA, accountId, generation },
});

export const NOBODY: StoredAccount = { kind: 'none', failure: failure('authMissing') };
