/** Opens the callback server on the first port that is free. ACC-70 */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { GATE_TIMEOUTS, limitConnections } from '../../net/http-gate.js';
import type { Secret } from '../../protocol/secret.js';
import { errnoOf } from '../../system/errno.js';
import { CallbackServer } from './callback-server.js';

export const LOGIN_PORTS: readonly number[] = [1455, 1457];
const RETRIES = 10;
/** Browsers send all cookies of 127.0.0.1, whatever their port. */
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 128;
/** Between two attempts on one port, ms. */
const RETRY_DELAY = 200;

/**
 * @param ports Ports of 127.0.0.1 in the order they are tried.
 * @param state Value that the browser must bring back.
 * @returns Undefined: other programs use all ports.
 */
export async function openCallbackServer(
  ports: readonly number[],
  state: Secret,
  signal: AbortSignal,
): Promise<CallbackServer | undefined> {
  for (const [index, port] of ports.entries()) {
    for (let attempt = 0; attempt <= RETRIES; attempt += 1) {
      signal.throwIfAborted();
      const server = await listen(port);
      if (server !== undefined) {
        if (signal.aborted) {
          server.close();
          signal.throwIfAborted();
        }
        return new CallbackServer(server, state);
      }
      // The port may belong to an abandoned sign-in of another client: it is asked once to cancel that.
      if (index === 0 && attempt === 0) await requestCancel(port);
      if (attempt < RETRIES) await sleep(RETRY_DELAY, undefined, { signal });
    }
  }
  return undefined;
}

/** Undefined: the port is in use. */
function listen(port: number): Promise<http.Server | undefined> {
  const server = http.createServer({ ...GATE_TIMEOUTS, maxHeaderSize: MAX_HEADER_BYTES });
  limitConnections(server, MAX_CONNECTIONS);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (errnoOf(error) === 'EADDRINUSE' || errnoOf(error) === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** Resolves when the request has ended, whatever the response. */
function requestCancel(port: number): Promise<void> {
  return new Promise((resolve) => {
    const request = http.get(
      { host: '127.0.0.1', port, path: '/cancel', agent: false, timeout: 1_000 },
      (response) => {
        response.resume();
        response.once('close', () => resolve());
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve());
  });
}
