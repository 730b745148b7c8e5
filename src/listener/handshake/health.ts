import type { HttpResponse } from './responses.js';

/** What `/readyz` reports. */
export interface Health {
  /** False: the status is 503. */
  readonly ready: boolean;
  /** The JSON body; holds no secrets. */
  readonly body: object;
}

/** Health requests need no credential. */
export const isHealthPath = (path: string): boolean => path === '/healthz' || path === '/readyz';

/** The response to `/healthz` (the process runs) or `/readyz` (the listener accepts connections). WSA-8 */
export function healthResponse(
  method: string | undefined,
  path: string,
  readiness: () => Health,
): HttpResponse {
  if (method !== 'GET' && method !== 'HEAD') {
    return json(405, { error: 'method not allowed' }, ['Allow: GET, HEAD']);
  }
  if (path === '/healthz') return json(200, { status: 'ok' });
  const { ready, body } = readiness();
  return json(ready ? 200 : 503, body);
}

const json = (status: number, body: object, headers: readonly string[] = []): HttpResponse => ({
  status,
  text: JSON.stringify(body),
  contentType: 'application/json; charset=utf-8',
  headers,
});
