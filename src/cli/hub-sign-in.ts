/** `login --hub` and `logout --hub`, and what a start takes from them. HUB-40 to HUB-42 */
import * as v from 'valibot';
import type { AccountOptions } from '../account/options.js';
import {
  HubAccount,
  HubKey,
  type HubSignIn,
  hubSignInOf,
  hubsFile,
  removeHubSignIn,
  saveHubSignIn,
} from '../home/hub-sign-ins.js';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';
import { usageError } from './errors.js';

const REQUEST_TIMEOUT = 30_000;
const MAX_KEY_LENGTH = 4_096;
const AccountResponse = v.object({ account: HubAccount });

/** What an engine takes from the sign-in at its base URL: the key as its token, and the host as an allowed one. */
export interface HubAccess {
  readonly accessToken: NonNullable<AccountOptions['accessToken']>;
  readonly allowHost: string;
}

/** Undefined: this home is not signed in there. @throws EngineError `storeUnavailable` */
export function hubAccessOf(homeDir: string, baseUrl: string | undefined): HubAccess | undefined {
  if (baseUrl === undefined || baseUrl === 'embedded') return undefined;
  const signIn = hubSignInOf(hubsFile(homeDir), baseUrl);
  if (signIn === undefined) return undefined;
  const { account, key } = signIn;
  return {
    accessToken: { token: key, accountId: account, origin: 'hub' },
    allowHost: hostOf(new URL(signIn.baseUrl)),
  };
}

/** With its port, so that no other service of that host gets the key. */
const hostOf = (url: URL): string =>
  `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`;

/**
 * The base URL of a hub in the form that is stored.
 * @throws EngineError `usage`
 */
export async function hubBaseUrl(text: string): Promise<string> {
  const { parseTarget } = await import('../net/target.js');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const target = parseTarget(text, { allowHosts: url === undefined ? [] : [hostOf(url)] });
  if (target.ok) return target.target.baseUrl;
  const problem = /is refused: (.*?)\. Allowed are/.exec(target.message)?.[1] ?? 'it is not the URL of a hub';
  throw usageError(
    `The URL of --hub cannot be used: ${problem}.`,
    'Use https://HOST, as rc-engine hub shows it; http is for this machine only.',
  );
}

interface HubRequest {
  readonly homeDir: string;
  readonly baseUrl: string;
  readonly caCert: string | undefined;
}

/** Asks the hub whose key it is, and stores it. Nothing is stored when the hub refuses it. @throws EngineError */
export async function signInAtHub({ homeDir, baseUrl, caCert }: HubRequest, key: Secret): Promise<HubSignIn> {
  const { createDialer } = await import('../net/dialer.js');
  const { readCaCert } = await import('../net/ca-certificates.js');
  const dialer = createDialer({
    env: process.env,
    ...(caCert === undefined ? {} : { caCertPem: readCaCert(caCert) }),
  });
  try {
    const { jsonOf, sendRequest } = await import('../net/http-request.js');
    const { shownUrl } = await import('../net/target.js');
    const hub = shownUrl(baseUrl);
    const done = await sendRequest(
      { dialer, env: Date, userAgent: 'rc-engine' },
      {
        ...{ what: 'sign-in', method: 'GET' as const, url: new URL('/hub/account', baseUrl).href },
        ...{ headers: { authorization: `Bearer ${key.reveal()}` }, secrets: [key], timeout: REQUEST_TIMEOUT },
      },
      new AbortController().signal,
    );
    if (done.kind === 'failed') {
      throw new EngineError(
        done.problem === 'timeout' ? 'backendTimeout' : 'networkUnreachable',
        `The hub at ${hub} cannot be reached.`,
        { cause: new Error(done.failure.message) },
      );
    }
    const { status } = done.response;
    if (status === 401 || status === 403) {
      throw new EngineError('loginFailed', `The hub at ${hub} refuses this key. Nothing was changed.`, {
        remediation: 'The owner of the hub makes a new key with rc-engine hub key create.',
      });
    }
    if (status === 503 || status === 429) {
      throw new EngineError('loginFailed', `The hub at ${hub} cannot check the key now (HTTP ${status}).`, {
        remediation: 'Wait a minute, then run this command again.',
      });
    }
    const parsed = v.safeParse(AccountResponse, status === 200 ? jsonOf(done.response) : undefined);
    if (!parsed.success) {
      throw new EngineError('loginFailed', `What answers at ${hub} is not a hub (HTTP ${status}).`, {
        remediation: 'Check the URL: it is the one that rc-engine hub shows.',
      });
    }
    const signIn = { baseUrl, account: parsed.output.account, key };
    await saveHubSignIn(hubsFile(homeDir), signIn);
    return signIn;
  } finally {
    dialer.close();
  }
}

/** @throws EngineError `usage`: this home has no key for that hub */
export async function signOutOfHub(homeDir: string, baseUrl: string): Promise<void> {
  if (await removeHubSignIn(hubsFile(homeDir), baseUrl)) return;
  throw usageError(`This home is not signed in at ${baseUrl}.`, 'Check the URL and --home.');
}

/** By a prompt that does not show it, or else from stdin. @throws EngineError `usage` */
export async function readHubKey(): Promise<Secret> {
  let text = '';
  if (process.stdin.isTTY === true) {
    const { readHidden } = await import('./hidden-input.js');
    text = await readHidden('Key of the hub (it is not shown; press Enter at its end): ', MAX_KEY_LENGTH);
  } else {
    for await (const part of process.stdin.setEncoding('utf8')) {
      text += String(part);
      if (text.length > MAX_KEY_LENGTH) break;
    }
  }
  const key = text.trim();
  if (v.is(HubKey, key)) return new Secret(key);
  throw usageError(
    'stdin does not hold a key: it is empty or too long, or holds spaces or characters outside of ASCII.',
    'Pass the key alone, as rc-engine hub key create shows it.',
  );
}
