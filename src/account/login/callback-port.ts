/** The ports of 127.0.0.1 that a browser returns to. The chart `login` decides which one is tried, and how often. ACC-70 */
import http from 'node:http';
import { GATE_TIMEOUTS, limitConnections } from '../../net/http-gate.js';
import type { Secret } from '../../protocol/secret.js';
import { errnoOf } from '../../system/errno.js';
import { CallbackServer } from './callback-server.js';

/** Browsers send all cookies of 127.0.0.1, whatever their port. */
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 128;

/**
 * One attempt to listen on a port of 127.0.0.1.
 * @param state Value that the browser must bring back.
 * @returns Undefined: another program uses the port.
 */
export async function openCallbackServer(port: number, state: Secret): Promise<CallbackServer | undefined> {
  const server = await listen(port);
  return server === undefined ? undefined : new CallbackServer(server, state);
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

/** Asks the owner of the port to cancel its sign-in. Resolves when the request has ended, whatever the response. */
export function requestCancel(port: number): Promise<void> {
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
