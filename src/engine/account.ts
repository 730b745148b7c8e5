import { addAccountMethods } from '../account/methods.js';
import { type AccountDeps, type AccountOptions, loginPolicy } from '../account/options.js';
import { type AccountService, createAccount } from '../account/service.js';
import type { MethodTable } from '../session/methods.js';
import type { ClientSession } from '../session/session.js';

interface AccountWiringDeps extends Omit<AccountDeps, 'broadcast'> {
  readonly methods: MethodTable;
  /** The sessions that receive the notifications of the account. */
  readonly sessions: ReadonlySet<ClientSession>;
}

/**
 * Creates the account, with its JSON-RPC methods in `deps.methods`.
 * @throws EngineError `usage` when the issuer is not an address that secrets may be sent to.
 */
export function wireAccount(options: AccountOptions, deps: AccountWiringDeps): AccountService {
  const account = createAccount(options, {
    ...deps,
    broadcast: (method, params) => {
      for (const session of deps.sessions) session.notify(method, params);
    },
  });
  addAccountMethods(deps.methods, account, loginPolicy(options).workspaces);
  return account;
}
