import type { AccountSource } from '../protocol/account-source.js';
import { RPC } from '../protocol/jsonrpc.js';
import type {
  ControllersPage,
  ListControllersOutcome,
  RequestFailure,
  RevokeControllerOutcome,
  ServerToken,
} from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import { JsonRpcError } from '../session/methods.js';
import type { ControllerId, ListControllersQuery } from './link/controller-requests.js';
import type { BackendHttp } from './link/http.js';
import type { AccountCredentials } from './link/request-parts.js';

interface ControllersDeps {
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
    const outcome = await this.#withRecovery<ListControllersOutcome>((http, who) =>
      http.listControllers({ ...who, ...query }, neverAborted),
    );
    if (outcome.kind !== 'listed') throw jsonRpcErrorOf(outcome);
    return outcome.page;
  }

  async revoke(controller: ControllerId): Promise<object> {
    const outcome = await this.#withRecovery<RevokeControllerOutcome>((http, who) =>
      http.revokeController({ ...who, ...controller }, neverAborted),
    );
    if (outcome.kind !== 'revoked') throw jsonRpcErrorOf(outcome);
    return {};
  }

  /** Repeats a refused request once, with another token, after as many recovery steps as that takes. RC-49 */
  async #withRecovery<T extends { readonly kind: string }>(
    request: (http: BackendHttp, who: AccountCredentials) => Promise<T>,
  ): Promise<T> {
    const { account } = this.#deps;
    const http = await this.#deps.http();
    const first = await this.#credentials();
    const outcome = await request(http, first);
    if (outcome.kind !== 'unauthorized') {
      account.succeeded();
      return outcome;
    }
    const recovery = account.recovery();
    try {
      for (;;) {
        const step = await recovery.next(neverAborted);
        if (step.kind !== 'recovered') return outcome;
        const renewed = await this.#credentials();
        // The same token would be refused again.
        if (!renewed.accessToken.equals(first.accessToken)) return await request(http, renewed);
      }
    } finally {
      recovery.stop();
    }
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
