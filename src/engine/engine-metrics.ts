import type { ServedMetrics } from '../listener/handshake/metrics.js';
import type { EngineBase, Running } from './bootstrap.js';
import type { MetricsServer } from './metrics-server.js';
import type { EngineMetricsView } from './operate-methods.js';

/** The metrics of an engine that serves them: at the listener, on a port of their own, or both. RC-170 */
export class EngineMetrics {
  readonly served: ServedMetrics;
  readonly #server: MetricsServer | undefined;

  private constructor(served: ServedMetrics, server: MetricsServer | undefined) {
    this.served = served;
    this.#server = server;
  }

  /** @throws EngineError `usage` without a token where one is needed; `listenerFailed` */
  static async open({ options, env, methods, log }: EngineBase, running: Running): Promise<EngineMetrics> {
    const { createMetrics } = await import('./metrics.js');
    const { board, mux, status } = running;
    const metrics = await createMetrics({ status, depth: () => mux.depth, monotonic: env.monotonic });
    metrics.onReport(board.report);
    board.onReport((report) => metrics.onReport(report));
    methods.observe((name, ms) => metrics.onMethod(name, ms));
    if (options.metrics === undefined) return new EngineMetrics(metrics, undefined);
    const { serveMetrics } = await import('./metrics-server.js');
    const server = await serveMetrics(metrics, options.metrics);
    log.info({ url: server.url }, `metrics at ${server.url}`);
    return new EngineMetrics(metrics, server);
  }

  /** @param listener the URL of the listener, where there is one */
  view(listener: string | undefined): EngineMetricsView {
    const atListener = listener?.replace(/^ws/, 'http').replace(/\/?$/, '/metrics');
    return { url: this.#server?.url ?? atListener ?? '', text: () => this.served.text() };
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}
