import type { Counter, Gauge, Registry } from 'prom-client';

/** The metrics of a node, in the text format of Prometheus. Labels are words of this program only. */
export class HubMetrics {
  readonly engines: Gauge;
  readonly controllers: Gauge;
  readonly streams: Gauge;
  readonly broker: Gauge;
  readonly requests: Counter<'route' | 'status'>;
  readonly refused: Counter<'side' | 'status'>;
  readonly #registry: Registry;

  private constructor(client: typeof import('prom-client')) {
    const registers = [new client.Registry()];
    this.#registry = registers[0] ?? new client.Registry();
    const gauge = (name: string, help: string): Gauge =>
      new client.Gauge({ name: `rc_hub_${name}`, help, registers });
    this.engines = gauge('engines', 'Engines that are connected to this node.');
    this.controllers = gauge('controllers', 'Sockets of controllers at this node.');
    this.streams = gauge('streams', 'Streams of the controllers at this node.');
    this.broker = gauge('broker_connected', '1 while the broker can be reached.');
    this.requests = new client.Counter({
      ...{ name: 'rc_hub_requests_total', help: 'HTTP requests by route and status.' },
      ...{ labelNames: ['route', 'status'], registers },
    });
    this.refused = new client.Counter({
      ...{ name: 'rc_hub_refused_total', help: 'Refused sockets by side and status.' },
      ...{ labelNames: ['side', 'status'], registers },
    });
  }

  static async create(): Promise<HubMetrics> {
    return new HubMetrics(await import('prom-client'));
  }

  async render(): Promise<{ readonly text: string; readonly contentType: string }> {
    return { text: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }
}
