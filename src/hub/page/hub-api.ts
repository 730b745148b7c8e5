/** HTTP requests to the hub that served the page. */
import { type Json, recordOf, textOf } from './values.js';

const CONTROL = '/backend-api/wham/remote/control';
const TIMEOUT = 30_000;

export class HubRequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function send(path: string, init: RequestInit): Promise<Json> {
  let response: Response;
  try {
    response = await fetch(path, {
      ...init,
      signal: AbortSignal.timeout(TIMEOUT),
      ...{ cache: 'no-store', credentials: 'omit', redirect: 'error' },
    });
  } catch {
    throw new HubRequestError(0, 'The hub does not answer. Check the network, then try again.');
  }
  const body: unknown = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (response.ok) return recordOf(body);
  const wait = response.headers.get('retry-after');
  const detail = textOf(recordOf(body).detail) || `HTTP ${response.status}`;
  throw new HubRequestError(response.status, wait === null ? detail : `${detail} (again in ${wait} s)`);
}

const withKey = (key: string, account: string): Record<string, string> => ({
  authorization: `Bearer ${key}`,
  ...(account === '' ? {} : { 'chatgpt-account-id': account }),
});

const devicesPath = (environmentId: string): string =>
  `${CONTROL}/environments/${encodeURIComponent(environmentId)}/clients`;

export const readMachines = (key: string): Promise<Json> =>
  send('/hub/machines', { headers: withKey(key, '') });

const machinePath = (environmentId: string): string =>
  `/hub/machines/${encodeURIComponent(environmentId)}/devices`;

export const readDevices = (key: string, environmentId: string): Promise<Json> =>
  send(machinePath(environmentId), { headers: withKey(key, '') });

export const changeRole = (
  key: string,
  environmentId: string,
  clientId: string,
  role: 'controller' | 'read-only',
): Promise<Json> =>
  send(`${machinePath(environmentId)}/${encodeURIComponent(clientId)}`, {
    method: 'PUT',
    headers: { ...withKey(key, ''), 'content-type': 'application/json' },
    body: JSON.stringify({ role }),
  });

export const revokeDevice = (
  key: string,
  account: string,
  environmentId: string,
  clientId: string,
): Promise<Json> =>
  send(`${devicesPath(environmentId)}/${encodeURIComponent(clientId)}`, {
    method: 'DELETE',
    headers: withKey(key, account),
  });

/** The short codes that people type are two or three groups of four. */
const MANUAL = /^[A-Z0-9]{4}(?:-?[A-Z0-9]{4}){1,2}$/i;

export const claimCode = (code: string, displayName: string): Promise<Json> =>
  send(`${CONTROL}/client/claim`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      [MANUAL.test(code) ? 'manual_pairing_code' : 'pairing_code']: code,
      display_name: displayName,
    }),
  });

export function controllerSocket(token: string): WebSocket {
  const url = new URL(`${CONTROL}/client`, location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  // A page cannot set headers of a WebSocket, so the token is in the list of protocols.
  return new WebSocket(url, ['rc-engine.controller', `rc-engine.bearer.${token}`]);
}
