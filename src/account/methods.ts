/** `account/*`, `getAuthStatus` and `engine/account/read`, for clients of every origin. ACC-84 */
import * as v from 'valibot';
import { RPC } from '../protocol/jsonrpc.js';
import type { Reason } from '../protocol/reasons.js';
import { covers } from '../session/authority-table.js';
import { JsonRpcError, type MethodTable, Reply } from '../session/methods.js';
import { addLoginMethod } from './login-method.js';
import { AccountRequestError } from './requests.js';
import type { AccountService } from './service.js';
import type { AccountView } from './view.js';

const flag = v.nullish(v.boolean(), false);
const REQUIRED = { paramsRequired: true };

/** @param workspaces The forced workspaces, for the message of a refusal; null: any. */
export function addAccountMethods(
  methods: MethodTable,
  account: AccountService,
  workspaces: readonly string[] | null,
): void {
  methods.add(
    'account/read',
    v.looseObject({ refreshToken: v.optional(v.boolean(), false) }),
    async ({ refreshToken }, { authority }) => {
      const owner = covers(authority, 'listener');
      const view = await account.read(refreshToken && owner);
      const result = accountResult(view, await needsAccount(account, view));
      return owner ? result : { ...result, userId: null, workspaceRouting: null };
    },
    REQUIRED,
  );

  methods.add(
    'getAuthStatus',
    v.looseObject({ includeToken: flag, refreshToken: flag }),
    async (params, { authority }) => {
      const refreshToken = params.refreshToken && covers(authority, 'listener');
      const view = await account.read(refreshToken).catch(rethrow);
      const token = params.includeToken ? account.authToken() : undefined;
      const requiresOpenaiAuth = await needsAccount(account, view);
      return { authMethod: view.mode, authToken: token?.reveal() ?? null, requiresOpenaiAuth };
    },
    REQUIRED,
  );

  addLoginMethod(methods, account, workspaces);

  methods.add(
    'account/login/cancel',
    v.looseObject({ loginId: v.string() }),
    ({ loginId }) => {
      const id = uuidIn(loginId);
      if (id === undefined) {
        throw new JsonRpcError(RPC.invalidRequest, `invalid login id: ${loginId.slice(0, 100)}`);
      }
      const { result, responseSent } = account.operations.cancel(id);
      return new Reply({ status: result }, responseSent);
    },
    REQUIRED,
  );

  methods.add('account/logout', v.strictObject({ all: flag }), async ({ all }) => {
    const { responseSent } = await account.operations
      .logout(all)
      .catch((error: unknown) => rethrow(error, 'logout failed: '));
    return new Reply({}, responseSent);
  });

  methods.add('engine/account/read', v.looseObject({}), () => account.readSummary());
}

/** True for everybody who is signed in: the app server has the account, so it need not be asked. ACC-15 */
const needsAccount = async (account: AccountService, { mode }: AccountView): Promise<boolean> =>
  mode !== null || (await account.needsAccount());

/** The result of `account/read`. ACC-13 */
function accountResult(
  { mode, chatgpt, stored, workspace, workspaceFailure }: AccountView,
  requiresOpenaiAuth: boolean,
): object {
  const nobody = { account: null, userId: null, requiresOpenaiAuth, workspaceRouting: null };
  if (chatgpt !== null) {
    if (workspaceFailure !== null) throw errorOf(workspaceFailure);
    return {
      account: {
        type: 'chatgpt',
        email: chatgpt.email,
        planType: chatgpt.plan,
        workspaceName: workspace?.name ?? null,
      },
      userId: chatgpt.userId,
      requiresOpenaiAuth,
      workspaceRouting:
        workspace === null
          ? null
          : {
              chatgptAccountId: workspace.chatgptAccountId,
              backendOrigin: workspace.backendOrigin,
              accountRoutingOverride: workspace.accountRoutingOverride,
            },
    };
  }
  if (mode === 'apikey') return { ...nobody, account: { type: 'apiKey' } };
  if (mode === null && stored.kind === 'incomplete') {
    throw new JsonRpcError(RPC.invalidRequest, 'plan type is required for chatgpt authentication');
  }
  return nobody;
}

/** Plain, without hyphens, in braces, or as a URN. */
const UUID = /^(?:urn:uuid:)?[0-9a-f]{8}(-?)(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}$/i;

/** The UUID in the form of login ids; undefined: the string is not a UUID. ACC-82 */
function uuidIn(text: string): string | undefined {
  if (!UUID.test(text.replace(/^\{(.*)\}$/, '$1'))) return undefined;
  const hex = text
    .replace(/^urn:uuid:/i, '')
    .replace(/[{}-]/g, '')
    .toLowerCase();
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function errorOf({ reason, message }: { readonly reason: Reason; readonly message: string }): JsonRpcError {
  return new JsonRpcError(RPC.internalError, message, { reason });
}

/** Turns a failed request into a JSON-RPC error; other errors are thrown on. */
function rethrow(error: unknown, lead = ''): never {
  if (!(error instanceof AccountRequestError)) throw error;
  throw errorOf({ reason: error.failure.reason, message: `${lead}${error.message}` });
}
