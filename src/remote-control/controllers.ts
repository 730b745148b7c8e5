import type { AccountSource, Recovery } from '../protocol/account-source.js';
import { RPC } from '../protocol/jsonrpc.js';
import type {
  ControllersPage,
  ListControllersOutcome,
  RequestFailure,
  RevokeControllerOutcome,
  ServerToken,
} from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import { sendAuthorized } from '../session/authorized-request.js';
import { JsonRpcError } from '../session/methods.js';
import type { ControllerId, ListControllersQuery } from './link/controller-requests.js';
import type { BackendHttp } from './link/http.js';
import type { AccountCredentials } from './link/request-parts.js';

interface ControllersDeps {
  readonly env: Env;
  readonly timing: Timing;
  readonly http: () => Promise<BackendHttp>;
  readonly account: AccountSource;
  /** The server token in use. */
  readonly token: () => ServerToken | null;
  readonly onClaimed: (code: string) => void;
}

/** Whether a pairing code was claimed, and the controllers of an environment. Failures are thrown as JsonRpcError. RC-48, RC-49 */
export class Controllers {
  readonly #deps: ControllersDeps;

  constructor(deps: ControllersDeps) {
    this.#deps = deps;
  }

  async pairStatus(code: {
    readonly pairingCode: string | null;
    readonly manualPairingCode: string | null;
  }): Promise<boolean> {
    const token = this.#deps.token();
    if (token === null) {
      throw new JsonRpcError(RPC.invalidRequest, 'Pairing is unavailable until enrollment completes.', {
        reason: 'pairingUnavailable',
      });
    }
    const http = await this.#deps.http();
    const outcome = await http.pairStatus(
      {
        token: token.secret,
        pairingCode: code.pairingCode === null ? null : new Secret(code.pairingCode),
        manualPairingCode: code.manualPairingCode === null ? null : new Secret(code.manualPairingCode),
      },
      neverAborted,
    );
    if (outcome.kind !== 'known') throw jsonRpcErrorOf(outcome);
    if (outcome.claimed) this.#deps.onClaimed(code.pairingCode ?? code.manualPairingCode ?? '');
    return outcome.claimed;
  }

  async list(query: ListControllersQuery): Promise<ControllersPage> {
    const outcome = await this.#authorized<ListControllersOutcome>((http, who) =>
      http.listControllers({ ...who, ...query }, neverAborted),
    );
    if (outcome.kind !== 'listed') throw jsonRpcErrorOf(outcome);
    return outcome.page;
  }

  async revoke(controller: ControllerId): Promise<object> {
    const outcome = await this.#authorized<RevokeControllerOutcome>((http, who) =>
      http.revokeController({ ...who, ...controller }, neverAborted),
    );
    if (outcome.kind !== 'revoked') throw jsonRpcErrorOf(outcome);
    return {};
  }

  /** A request with the token of the account. The chart `authorizedRequest` decides when it is repeated. RC-49 */
  async #authorized<T extends { readonly kind: string }>(
    request: (http: BackendHttp, who: AccountCredentials) => Promise<T>,
  ): Promise<T> {
    const { account, env, timing } = this.#deps;
    const http = await this.#deps.http();
    let used: AccountCredentials | undefined;
    let recovery: Recovery | undefined;
    const outcome = await sendAuthorized<T>({
      env,
      timing,
      repeats: 'newToken',
      recovery: () => {
        recovery = account.recovery();
        return recovery;
      },
      send: async () => {
        used = await this.#credentials();
        return request(http, used);
      },
      isRefused: ({ kind }) => kind === 'unauthorized',
      hasNewToken: async () => {
        const { accessToken } = await this.#credentials();
        return used === undefined || !accessToken.equals(used.accessToken);
      },
    });
    if (recovery === undefined) account.succeeded();
    return outcome;
  }

  async #credentials(): Promise<AccountCredentials> {
    const { account } = this.#deps;
    const loaded = await account.load();
    const accessToken = account.accessToken();
    if (loaded.kind === 'usable' && accessToken !== undefined) {
      return { account: loaded.account, accessToken };
    }
    const failure = loaded.kind === 'usable' ? null : loaded.failure;
    throw new JsonRpcError(RPC.invalidRequest, failure?.message ?? 'Nobody is signed in with ChatGPT.', {
      reason: failure?.reason ?? 'authMissing',
    });
  }
}

/** Requests of local clients have no abort: their own time limit ends them. */
const neverAborted = new AbortController().signal;

/** 400 is invalid params, 401 and 403 are denied, 404 is not found; other failures come from the backend. RC-49 */
function jsonRpcErrorOf({ kind, failure }: RequestFailure): JsonRpcError {
  const isInvalid = failure.httpStatus === 400;
  let prefix = '';
  if (kind === 'unauthorized') prefix = 'Denied: ';
  else if (kind === 'notFound') prefix = 'Not found: ';
  else if (isInvalid) prefix = 'Invalid params: ';
  return new JsonRpcError(isInvalid ? RPC.invalidParams : RPC.invalidRequest, `${prefix}${failure.message}`, {
    reason: failure.reason,
  });
}
