/** `/metrics` of the listener, for those who have its credential. WSA-68 */
import type { IncomingMessage } from 'node:http';
import {
  type Admission,
  NOTHING_PRESENTED,
  type RequestKind,
  type UpgradeFacts,
  type Verdict,
} from '../../protocol/authority.js';
import { peerOf } from '../address.js';
import type { Authority } from '../auth/authority.js';
import { isPageRequest } from './browser-page.js';
import { type HttpResponse, rejectionResponse } from './responses.js';
import { requestKindOf, type UpgradeRequest } from './upgrade-request.js';

/** What `/metrics` answers. */
export interface ServedMetrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/** What the page asks for and reports. */
interface MetricsPageDeps {
  /** Decides about a request that opens no connection. Only rejections are counted. */
  decideRead(facts: UpgradeFacts): Verdict;
  /** `detail` is a fixed text that contains nothing of the request. */
  onRejected(verdict: Verdict, peer: string, detail: string | null): void;
  now(): number;
}

export const isMetricsPath = (path: string): boolean => path === '/metrics';

/**
 * Browsers send no `Origin` when a person opens an address, and with images and frames. They send `Sec-Fetch-Site`, which
 * no program sends; `fetch` of Node sends `Sec-Fetch-Mode`.
 */
const isOfBrowser = (request: IncomingMessage): boolean =>
  request.headers['sec-fetch-site'] !== undefined || isPageRequest(request);

/** The kind of a request that is not meant as an upgrade: what only an upgrade needs is no error. */
const kindOfRead = (read: UpgradeRequest): RequestKind => {
  const kind = requestKindOf(read);
  return kind === 'malformed' && read.error?.isNoUpgrade === true ? 'upgrade' : kind;
};

const NOT_FOR_PAGES: HttpResponse = { status: 403, text: 'metrics are not for web pages' };

/** A request for the metrics is decided as an upgrade with the check on would be, but it takes no place of a connection. */
export class MetricsPage {
  readonly #metrics: ServedMetrics;
  readonly #authority: Authority;
  readonly #deps: MetricsPageDeps;

  constructor(metrics: ServedMetrics, authority: Authority, deps: MetricsPageDeps) {
    this.#metrics = metrics;
    this.#authority = authority;
    this.#deps = deps;
  }

  async answer(request: IncomingMessage, read: UpgradeRequest, admission: Admission): Promise<HttpResponse> {
    const kind = kindOfRead(read);
    const hasOrigin = read.hasOrigin || isOfBrowser(request);
    const { mode } = this.#authority;
    const examine = kind === 'upgrade' && !hasOrigin && admission === 'open';
    const credential = examine
      ? this.#authority.examine(read, this.#deps.now()).credential
      : NOTHING_PRESENTED;
    const facts = { mode, enforced: true, hasOrigin, request: kind, admission, credential };
    const verdict = this.#deps.decideRead(facts);
    if (verdict.outcome === 'established') return this.#read();
    this.#deps.onRejected(verdict, peerOf(request.socket), read.error?.why ?? null);
    return verdict.reason === 'originRefused' ? NOT_FOR_PAGES : rejectionResponse(verdict, read.error);
  }

  async #read(): Promise<HttpResponse> {
    try {
      const text = await this.#metrics.text();
      return { status: 200, text: text.trimEnd(), contentType: this.#metrics.contentType };
    } catch {
      return { status: 500, text: 'the metrics cannot be read' };
    }
  }
}
