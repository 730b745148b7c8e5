/** Claims a pairing code, which makes this process a controller of the paired machine. */
import * as v from 'valibot';
import { createDialer, type Dialer } from '../net/dialer.js';
import { jsonOf, sendRequest } from '../net/http-request.js';
import { isRedirect } from '../net/request-failure.js';
import { shownUrl } from '../net/target.js';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';

/** The backend of a controller. */
export interface ControllerRoute {
  /** Base URL that `parseTarget` has accepted: the token is sent there. */
  readonly baseUrl: string;
  /** Limit of a request or handshake, ms. Default 30,000. */
  readonly timeout?: number;
}

/** The result of a claim. The token authenticates this controller from then on. */
export interface ClaimedController {
  readonly clientId: string;
  readonly token: Secret;
  readonly environmentId: string;
  readonly serverName: string;
}

export interface ClaimCode {
  /** `manual` is the short code that people type. */
  readonly kind: 'pairing' | 'manual';
  readonly code: Secret;
}

/** Longest name of an environment, UTF-16 units. */
const MAX_NAME_CHARS = 200;
export const DEFAULT_CONTROLLER_TIMEOUT = 30_000;

/** It becomes a member of frames and a part of paths, and people see it. */
export const ControllerId = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,256}$/));
/** It becomes a header. */
export const ControllerToken = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,4096}$/));
const ClaimResponse = v.object({
  client_id: ControllerId,
  controller_token: ControllerToken,
  environment_id: ControllerId,
  server_name: v.string(),
});

/** An address below the base URL, which may lack its trailing slash. RC-1 */
export function controllerUrl(baseUrl: string, path: 'client' | 'client/claim'): URL {
  return new URL(`wham/remote/control/${path}`, baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
}

/**
 * Claims a pairing code of an embedded backend.
 * @throws EngineError `remoteRefused` (wrong or used code, too many attempts), `networkUnreachable`, `backendTimeout`,
 * `backendBadAnswer`
 */
export async function claim(
  route: ControllerRoute,
  { kind, code }: ClaimCode,
  options: {
    readonly displayName?: string;
    /** Id or name of the environment that the code must be for. Another one is refused, and its code is not used up. */
    readonly environment?: string | undefined;
    readonly signal?: AbortSignal;
    /** Default: a direct connection. */
    readonly dialer?: Dialer;
  } = {},
): Promise<ClaimedController> {
  const url = controllerUrl(route.baseUrl, 'client/claim').href;
  const done = await sendRequest(
    { dialer: options.dialer ?? createDialer({ env: {} }), env: Date, userAgent: 'rc-engine' },
    {
      what: 'claim',
      method: 'POST',
      url,
      body: {
        json: {
          [kind === 'manual' ? 'manual_pairing_code' : 'pairing_code']: code.reveal(),
          ...(options.displayName === undefined ? {} : { display_name: options.displayName }),
          ...(options.environment === undefined ? {} : { expected_environment: options.environment }),
        },
      },
      secrets: [code],
      timeout: route.timeout ?? DEFAULT_CONTROLLER_TIMEOUT,
    },
    options.signal ?? new AbortController().signal,
  );
  if (done.kind === 'failed') {
    const cause = new Error(done.failure.message);
    if (done.problem === 'timeout') {
      throw new EngineError('backendTimeout', `${shownUrl(url)} did not answer in time`, { cause });
    }
    throw new EngineError('networkUnreachable', `${shownUrl(url)} cannot be reached`, { cause });
  }
  const { status, header } = done.response;
  if (isRedirect(status)) {
    throw new EngineError('networkUnreachable', `${shownUrl(url)} cannot be reached`, {
      cause: new Error(`it redirects with HTTP ${status}, which is not followed`),
    });
  }
  if (status === 404) {
    throw new EngineError('remoteRefused', 'the backend does not know this pairing code', {
      remediation: 'Make a new code with rc-engine pair. A code can be used once, within ten minutes.',
    });
  }
  if (status === 412 && options.environment !== undefined) {
    throw new EngineError(
      'remoteRefused',
      `the pairing code is not for an environment called ${JSON.stringify(options.environment)}`,
      { remediation: 'The code was not used up: correct ENVIRONMENT, or leave it out.' },
    );
  }
  if (status === 429) {
    const seconds = /^\d{1,6}$/.exec(header('retry-after') ?? '')?.[0] ?? '60';
    throw new EngineError('remoteRefused', 'too many wrong pairing codes were tried', {
      remediation: `Wait ${seconds} seconds, make a new code with rc-engine pair, and try again.`,
    });
  }
  if (status !== 200) {
    throw new EngineError('remoteRefused', `${shownUrl(url)} refused the pairing code with HTTP ${status}`);
  }
  const parsed = v.safeParse(ClaimResponse, jsonOf(done.response));
  if (!parsed.success) {
    throw new EngineError('backendBadAnswer', `${shownUrl(url)} sent an invalid response to the claim`);
  }
  const { client_id, controller_token, environment_id, server_name } = parsed.output;
  return {
    clientId: client_id,
    token: new Secret(controller_token),
    environmentId: environment_id,
    serverName: server_name.slice(0, MAX_NAME_CHARS),
  };
}
