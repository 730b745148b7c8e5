/** `/metrics` of the listener, for those who have its credential. WSA-68 */
import type { IncomingMessage } from 'node:http';
import type { RequestKind } from '../../protocol/authority.js';
import { isPageRequest } from './browser-page.js';
import type { HttpResponse } from './responses.js';
import { requestKindOf, type UpgradeRequest } from './upgrade-request.js';

export const isMetricsPath = (path: string): boolean => path === '/metrics';

/**
 * Browsers send no `Origin` when a person opens an address, and with images and frames. They send `Sec-Fetch-Site`, which
 * no program sends; `fetch` of Node sends `Sec-Fetch-Mode`.
 */
export const isOfBrowser = (request: IncomingMessage): boolean =>
  request.headers['sec-fetch-site'] !== undefined || isPageRequest(request);

/** The kind of a request that is not meant as an upgrade: what only an upgrade needs is no error. */
export const kindOfRead = (read: UpgradeRequest): RequestKind => {
  const kind = requestKindOf(read);
  return kind === 'malformed' && read.error?.isNoUpgrade === true ? 'upgrade' : kind;
};

export const NOT_FOR_PAGES: HttpResponse = { status: 403, text: 'metrics are not for web pages' };

export async function metricsResponse(metrics: {
  readonly contentType: string;
  text(): Promise<string>;
}): Promise<HttpResponse> {
  try {
    return { status: 200, text: (await metrics.text()).trimEnd(), contentType: metrics.contentType };
  } catch {
    return { status: 500, text: 'the metrics cannot be read' };
  }
}
