import type { Agent } from 'node:http';
import * as v from 'valibot';
import type { Dialer } from '../net/dialer.js';
import { shownUrl } from '../net/target.js';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';

/** How a controller reaches its backend. */
export interface ControllerRoute {
  /** Base URL as `parseTarget` has accepted it: a token goes there. */
  readonly baseUrl: string;
  /** Default: a direct connection. */
  readonly dialer?: Pick<Dialer, 'agentFor'>;
  /** Limit of a request or handshake, ms. Default 30,000. */
  readonly timeout?: number;
}

/** What a claimed pairing code gives. The token stands for this controller from then on. */
export interface ClaimedController {
  readonly clientId: string;
  readonly token: Secret;
  readonly environmentId: string;
  readonly serverName: string;
}

export interface ClaimCode {
  /** `manual` is the short one that people type. */
  readonly kind: 'pairing' | 'manual';
  readonly code: Secret;
}

const MAX_ANSWER_BYTES = 64 * 1024;
export const DEFAULT_CONTROLLER_TIMEOUT = 30_000;

const Id = v.pipe(v.string(), v.nonEmpty());
const ClaimAnswer = v.object({
  client_id: Id,
  controller_token: Id,
  environment_id: Id,
  server_name: v.string(),
});

/** An address below the base URL, which may lack its trailing slash. RC-1 */
export function controllerUrl(baseUrl: string, path: 'client' | 'client/claim'): URL {
  return new URL(`wham/remote/control/${path}`, baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
}

/**
 * Claims a pairing code of an embedded backend. Throws EngineError: `remoteRefused` (wrong or used code, too many
 * tries), `networkUnreachable`, `backendTimeout`, `backendBadAnswer`.
 */
export async function claim(
  route: ControllerRoute,
  { kind, code }: ClaimCode,
  options: { readonly displayName?: string; readonly signal?: AbortSignal } = {},
): Promise<ClaimedController> {
  const url = controllerUrl(route.baseUrl, 'client/claim').href;
  const limit = AbortSignal.timeout(route.timeout ?? DEFAULT_CONTROLLER_TIMEOUT);
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
  const { default: fetch } = await import('node-fetch');
  let status: number;
  let text: string;
  let retryAfter: string | null;
  try {
    const agent: Agent | undefined = await route.dialer?.agentFor(url, signal);
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        [kind === 'manual' ? 'manual_pairing_code' : 'pairing_code']: code.reveal(),
        ...(options.displayName === undefined ? {} : { display_name: options.displayName }),
      }),
      redirect: 'error',
      size: MAX_ANSWER_BYTES,
      signal,
      ...(agent === undefined ? {} : { agent }),
    });
    status = response.status;
    retryAfter = response.headers.get('retry-after');
    text = await response.text();
  } catch (cause) {
    if (limit.aborted) {
      throw new EngineError('backendTimeout', `${shownUrl(url)} did not answer in time`, { cause });
    }
    throw new EngineError('networkUnreachable', `${shownUrl(url)} cannot be reached`, { cause });
  }
  if (status === 404) {
    throw new EngineError('remoteRefused', 'the backend does not know this pairing code', {
      remediation: 'Ask for a new code with rc-engine pair; each can be used once, within ten minutes.',
    });
  }
  if (status === 429) {
    throw new EngineError('remoteRefused', 'too many wrong pairing codes were tried', {
      remediation: `Wait ${retryAfter ?? '60'} seconds and try again.`,
    });
  }
  if (status !== 200) {
    throw new EngineError('remoteRefused', `${shownUrl(url)} refused the pairing code with HTTP ${status}`);
  }
  const answer = readAnswer(text);
  if (answer === undefined) {
    throw new EngineError('backendBadAnswer', `${shownUrl(url)} answered something that is no claim`);
  }
  return {
    clientId: answer.client_id,
    token: new Secret(answer.controller_token),
    environmentId: answer.environment_id,
    serverName: answer.server_name,
  };
}

function readAnswer(text: string): v.InferOutput<typeof ClaimAnswer> | undefined {
  try {
    const result = v.safeParse(ClaimAnswer, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
