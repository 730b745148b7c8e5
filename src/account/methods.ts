import * as v from 'valibot';
import { RPC } from '../protocol/jsonrpc.js';
import type { Reason } from '../protocol/reasons.js';
import { JsonRpcError, type MethodTable, Reply } from '../session/methods.js';
import type { ClientSession } from '../session/session.js';
import type { AccountService } from './service.js';
import { type AccountChange, AccountRefusal, type AccountView } from './types.js';

const flag = v.nullish(v.boolean(), false);

const loginSchema = v.variant('type', [
  v.object({ type: v.literal('apiKey'), apiKey: v.string() }),
  v.object({
    type: v.literal('chatgpt'),
    codexStreamlinedLogin: v.optional(v.boolean(), false),
    useHostedLoginSuccessPage: v.optional(v.boolean(), false),
    appBrand: v.nullish(v.picklist(['codex', 'chatgpt']), null),
  }),
  v.object({ type: v.literal('chatgptDeviceCode') }),
  v.object({
    type: v.literal('chatgptAuthTokens'),
    accessToken: v.string(),
    chatgptAccountId: v.string(),
    chatgptPlanType: v.nullish(v.string()),
  }),
]);
type Login = v.InferOutput<typeof loginSchema>;

const REQUIRED = { paramsRequired: true };
/** In the forms that the reference reads: plain, without hyphens, in braces, as a URN. */
const UUID = /^(?:urn:uuid:)?[0-9a-f]{8}(-?)(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}$/i;

/** `account/*` and `getAuthStatus`, for every origin. account.md sections 2 to 11 */
export function addAccountMethods(
  methods: MethodTable,
  account: AccountService,
  workspaces: readonly string[] | null,
): void {
  methods.add(
    'account/read',
    v.looseObject({ refreshToken: v.optional(v.boolean(), false) }),
    async (params) => shownAccount(await account.read(params.refreshToken)),
    REQUIRED,
  );

  methods.add(
    'getAuthStatus',
    v.looseObject({ includeToken: flag, refreshToken: flag }),
    async (params) => {
      const { mode } = await account.read(params.refreshToken).catch(told);
      const token = params.includeToken ? account.authToken() : undefined;
      return { authMethod: mode, authToken: token?.reveal() ?? null, requiresOpenaiAuth: true };
    },
    REQUIRED,
  );

  methods.add(
    'account/login/start',
    loginSchema,
    (params, session) => login(params, session).catch(told),
    REQUIRED,
  );

  methods.add(
    'account/login/cancel',
    v.looseObject({ loginId: v.string() }),
    ({ loginId }) => {
      const id = uuidIn(loginId);
      if (id === undefined) {
        throw new JsonRpcError(RPC.invalidRequest, `invalid login id: ${loginId.slice(0, 100)}`);
      }
      const { result, after } = account.changes.cancel(id);
      return new Reply({ status: result }, after);
    },
    REQUIRED,
  );

  methods.add('engine/account/read', v.looseObject({}), () => account.readSummary());

  methods.add('account/logout', v.strictObject({ all: flag }), (params) =>
    account.changes.logout(params.all).then(
      ({ after }) => new Reply({}, after),
      (error: unknown) => {
        if (!(error instanceof AccountRefusal)) throw error;
        throw faultOf(RPC.internalError, `logout failed: ${error.message}`, error.failure.reason);
      },
    ),
  );

  async function login(params: Login, session: ClientSession): Promise<Reply> {
    const { type } = params;
    switch (type) {
      case 'apiKey':
        return replyTo({ type }, account.changes.loginApiKey(params.apiKey), refusalOf(params));
      case 'chatgptAuthTokens': {
        // Whoever speaks over the control socket is this same program. ACC-9
        if (!session.experimental && session.client.origin !== 'control') {
          throw new JsonRpcError(
            RPC.invalidRequest,
            `account/login/start.${type} requires experimentalApi capability`,
          );
        }
        const wish = {
          accessToken: params.accessToken,
          accountId: params.chatgptAccountId,
          plan: params.chatgptPlanType,
        };
        return replyTo({ type }, account.changes.loginExternal(wish, session), refusalOf(params));
      }
      case 'chatgpt': {
        const wish = {
          originator: session.clientName ?? 'rc-engine',
          streamlined: params.codexStreamlinedLogin,
          hostedSuccessPage: params.useHostedLoginSuccessPage,
          appBrand: params.appBrand,
        };
        const shown = account.changes.loginBrowser(wish);
        return replyTo({ type }, shown, refusalOf(params), ({ loginId, url }) => ({ loginId, authUrl: url }));
      }
      case 'chatgptDeviceCode': {
        const shown = account.changes.loginDevice({
          originator: session.clientName ?? 'rc-engine',
          streamlined: false,
          hostedSuccessPage: false,
          appBrand: null,
        });
        return replyTo({ type }, shown, refusalOf(params), ({ loginId, url, userCode, completeUrl }) => ({
          loginId,
          verificationUrl: url,
          userCode,
          // A key that the reference does not have: only where there is something to say.
          ...(completeUrl === null ? {} : { verificationUrlComplete: completeUrl }),
        }));
      }
    }
  }

  /** The words of a refusal. Those of account.md section 12 that are called exact are so. */
  function refusalOf(params: Login): (refusal: AccountRefusal) => JsonRpcError {
    return ({ failure, refused }) => {
      const { reason, message } = failure;
      if (refused) return new JsonRpcError(codeOf(reason), wordsOf(reason, params), { reason });
      const lead = params.type === 'chatgpt' ? 'failed to start login server: ' : '';
      const code =
        reason === 'deviceLoginUnavailable' || reason === 'authMethodForbidden'
          ? RPC.invalidRequest
          : RPC.internalError;
      return faultOf(code, `${lead}${message}`, reason);
    };
  }

  function wordsOf(reason: Reason, params: Login): string {
    switch (reason) {
      case 'externalAuthActive':
        return 'External auth is active. Use account/login/start (chatgptAuthTokens) to update it or account/logout to clear it.';
      case 'authMethodForbidden':
        if (params.type === 'apiKey') return 'API key login is disabled. Use ChatGPT login instead.';
        return params.type === 'chatgptAuthTokens'
          ? 'External ChatGPT auth is disabled. Use API key login instead.'
          : 'ChatGPT login is disabled. Use API key login instead.';
      case 'authWrongWorkspace': {
        const received = params.type === 'chatgptAuthTokens' ? params.chatgptAccountId : '';
        const allowed = (workspaces ?? []).map((id) => JSON.stringify(id)).join(', ');
        return `External auth must use one of workspace(s) [${allowed}], but received ${JSON.stringify(received)}.`;
      }
      case 'authTokenUnreadable':
        return 'failed to set external auth: the access token is no JWT';
      default:
        return reason;
    }
  }
}

/** The UUID as login ids are written. ACC-82 */
function uuidIn(text: string): string | undefined {
  if (!UUID.test(text.replace(/^\{(.*)\}$/, '$1'))) return undefined;
  const hex = text
    .replace(/^urn:uuid:/i, '')
    .replace(/[{}-]/g, '')
    .toLowerCase();
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const codeOf = (reason: Reason): number =>
  reason === 'authTokenUnreadable' ? RPC.internalError : RPC.invalidRequest;

const faultOf = (code: number, message: string, reason: Reason): JsonRpcError =>
  new JsonRpcError(code, message, { reason });

async function replyTo<T>(
  head: object,
  changed: Promise<AccountChange<T>>,
  refusal: (refusal: AccountRefusal) => JsonRpcError,
  body: (result: T) => object = () => ({}),
): Promise<Reply> {
  try {
    const { result, after } = await changed;
    return new Reply({ ...head, ...body(result) }, after);
  } catch (error) {
    throw error instanceof AccountRefusal ? refusal(error) : error;
  }
}

/** A fault of the account itself, told as one of the engine. */
function told(error: unknown): never {
  if (error instanceof AccountRefusal) throw faultOf(RPC.internalError, error.message, error.failure.reason);
  throw error;
}

/** What `account/read` answers. ACC-13 */
function shownAccount(view: AccountView): object {
  const { mode, chatgpt, stored, workspace, workspaceFailure } = view;
  const none = { account: null, userId: null, requiresOpenaiAuth: true, workspaceRouting: null };
  if (chatgpt !== null) {
    if (workspaceFailure !== null) {
      throw faultOf(RPC.internalError, workspaceFailure.message, workspaceFailure.reason);
    }
    return {
      account: {
        type: 'chatgpt',
        email: chatgpt.email,
        planType: chatgpt.plan,
        workspaceName: workspace?.name ?? null,
      },
      userId: chatgpt.userId,
      requiresOpenaiAuth: true,
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
  if (mode === 'apikey') return { ...none, account: { type: 'apiKey' } };
  if (mode === null && stored.kind === 'incomplete') {
    throw new JsonRpcError(RPC.invalidRequest, 'plan type is required for chatgpt authentication');
  }
  return none;
}
