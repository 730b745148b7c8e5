import type { AccountSource } from '../protocol/account-source.js';
import { RPC } from '../protocol/jsonrpc.js';
import type { ControllersPage, RequestFailure, ServerToken } from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import { JsonRpcError } from '../session/methods.js';
import type { ListControllersQuery } from './link/controller-requests.js';
import type { BackendHttp } from './link/http.js';

export interface ControllersDeps {
  readonly http: () => Promise<BackendHttp>;
  readonly account: AccountSource;
  readonly token: () => ServerToken | null;
  readonly onClaimed: (code: string) => void;
}

/** RC-49: 400 is the caller's fault, 401/403 denied, 404 not found; the rest is the backend's. */
function faultOf(fault: RequestFailure): JsonRpcError {
  const { failure } = fault;
  const code = failure.httpStatus === 400 ? RPC.invalidParams : RPC.invalidRequest;
  const lead =
    fault.kind === 'unauthorized'
      ? 'Denied: '
      : fault.kind === 'notFound'
        ? 'Not found: '
        : failure.httpStatus === 400
          ? 'Invalid params: '
          : '';
  return new JsonRpcError(code, `${lead}${failure.message}`, { reason: failure.reason });
}

/** What is asked of the backend about pairing codes and the controllers of an environment. RC-48, RC-49 */
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
    if (outcome.kind !== 'known') throw faultOf(outcome);
    if (outcome.claimed) this.#deps.onClaimed(code.pairingCode ?? code.manualPairingCode ?? '');
    return outcome.claimed;
  }

  async list(query: ListControllersQuery): Promise<ControllersPage> {
    const outcome = await this.#withAccount((http, auth) =>
      http.listControllers({ ...auth, ...query }, neverAborted),
    );
    if (outcome.kind !== 'listed') throw faultOf(outcome);
    return outcome.page;
  }

  async revoke(params: { readonly environmentId: string; readonly clientId: string }): Promise<object> {
    const outcome = await this.#withAccount((http, auth) =>
      http.revokeController({ ...auth, ...params }, neverAborted),
    );
    if (outcome.kind !== 'revoked') throw faultOf(outcome);
    return {};
  }

  /** One 401 retry with other tokens, after as many steps of recovery as that takes. RC-49 */
  async #withAccount<T extends { readonly kind: string }>(
    call: (http: BackendHttp, auth: { account: { accountId: string }; accessToken: Secret }) => Promise<T>,
  ): Promise<T> {
    const { account } = this.#deps;
    const http = await this.#deps.http();
    const auth = async () => {
      const loaded = await account.load();
      const accessToken = account.accessToken();
      if (loaded.kind !== 'usable' || accessToken === undefined) {
        const failure = loaded.kind === 'unusable' ? loaded.failure : null;
        throw new JsonRpcError(RPC.invalidRequest, failure?.message ?? 'Nobody is signed in with ChatGPT.', {
          reason: failure?.reason ?? 'authMissing',
        });
      }
      return { account: loaded.account, accessToken };
    };
    const first = await auth();
    const outcome = await call(http, first);
    if (outcome.kind !== 'unauthorized') {
      account.succeeded();
      return outcome;
    }
    const recovery = account.recovery();
    try {
      for (;;) {
        const step = await recovery.next(neverAborted);
        if (step.kind !== 'recovered') return outcome;
        const renewed = await auth();
        // The same token would only be refused again.
        if (!renewed.accessToken.equals(first.accessToken)) return await call(http, renewed);
      }
    } finally {
      recovery.stop();
    }
  }
}

/** Requests of local clients end with their own time limit. */
const neverAborted = new AbortController().signal;
