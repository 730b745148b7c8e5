/** The method `account/login/start`. ACC-23 */
import * as v from 'valibot';
import { RPC } from '../protocol/jsonrpc.js';
import type { Reason } from '../protocol/reasons.js';
import { JsonRpcError, type MethodTable, Reply } from '../session/methods.js';
import type { ClientSession } from '../session/session.js';
import type { OperationResult } from './operations.js';
import { AccountRequestError } from './requests.js';
import type { AccountService } from './service.js';

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
type LoginParams = v.InferOutput<typeof loginSchema>;

/** @param workspaces The forced workspaces, for the message of a refusal; null: any. */
export function addLoginMethod(
  methods: MethodTable,
  account: AccountService,
  workspaces: readonly string[] | null,
): void {
  methods.add(
    'account/login/start',
    loginSchema,
    async (params, session) => {
      try {
        return await login(account, params, session);
      } catch (error) {
        throw error instanceof AccountRequestError ? refusalError(error, params, workspaces) : error;
      }
    },
    { paramsRequired: true },
  );
}

async function login(account: AccountService, params: LoginParams, session: ClientSession): Promise<Reply> {
  const { type } = params;
  const { operations } = account;
  const originator = session.clientName ?? 'rc-engine';
  switch (type) {
    case 'apiKey':
      return replyTo(await operations.loginApiKey(params.apiKey), () => ({ type }));
    case 'chatgptAuthTokens': {
      // Clients of the control socket are rc-engine itself and need no capability. ACC-9
      if (!session.experimental && session.client.origin !== 'control') {
        throw new JsonRpcError(
          RPC.invalidRequest,
          `account/login/start.${type} requires experimentalApi capability`,
        );
      }
      const { accessToken, chatgptAccountId: accountId, chatgptPlanType: plan } = params;
      const done = await operations.loginExternal({ accessToken, accountId, plan }, session);
      return replyTo(done, () => ({ type }));
    }
    case 'chatgpt': {
      const done = await operations.loginBrowser({
        originator,
        streamlined: params.codexStreamlinedLogin,
        hostedSuccessPage: params.useHostedLoginSuccessPage,
        appBrand: params.appBrand,
      });
      endWithCommand(account, session, done.result.loginId);
      return replyTo(done, ({ loginId, url }) => ({ type, loginId, authUrl: url }));
    }
    case 'chatgptDeviceCode': {
      const done = await operations.loginDevice({
        originator,
        streamlined: false,
        hostedSuccessPage: false,
        appBrand: null,
      });
      endWithCommand(account, session, done.result.loginId);
      return replyTo(done, ({ loginId, url, userCode, completeUrl }) => ({
        type,
        loginId,
        verificationUrl: url,
        userCode,
        // Beyond Codex CLI, and only when the issuer names such a URL. ACC-79
        ...(completeUrl === null ? {} : { verificationUrlComplete: completeUrl }),
      }));
    }
  }
}

/** A client of the control socket is `rc-engine login`, which may be killed while it waits. RC-106 */
function endWithCommand({ operations }: AccountService, session: ClientSession, loginId: string): void {
  if (session.client.origin === 'control') operations.endWith(session, loginId);
}

const replyTo = <T>({ result, responseSent }: OperationResult<T>, body: (result: T) => object): Reply =>
  new Reply(body(result), responseSent);

/** The error for a refusal, or for a request that failed. Codes and texts of section 12 of docs/spec/account.md. */
function refusalError(
  { failure, refused }: AccountRequestError,
  params: LoginParams,
  workspaces: readonly string[] | null,
): JsonRpcError {
  const { reason, message } = failure;
  if (refused) {
    const code = reason === 'authTokenUnreadable' ? RPC.internalError : RPC.invalidRequest;
    return new JsonRpcError(code, refusalText(reason, params, workspaces), { reason });
  }
  const code =
    reason === 'deviceLoginUnavailable' || reason === 'authMethodForbidden'
      ? RPC.invalidRequest
      : RPC.internalError;
  const lead = params.type === 'chatgpt' ? 'failed to start login server: ' : '';
  return new JsonRpcError(code, `${lead}${message}`, { reason });
}

function refusalText(reason: Reason, params: LoginParams, workspaces: readonly string[] | null): string {
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
      return 'failed to set external auth: the access token is not a JWT';
    default:
      return reason;
  }
}
