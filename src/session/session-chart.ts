import {
  type ClientSessionEvent,
  type ClientSessionInput,
  type ClientSessionTag,
  clientSessionMachine,
} from '../../machines/client-session.js';
import type { EngineWatcher } from '../observe/watcher.js';
import { SharedChart, SharedRun } from './shared-chart.js';

type Timing = ClientSessionInput['timing'];
type Transport = ClientSessionInput['transport'];

/** What the chart `clientSession` ends a client for. */
export type Overdue = 'appServerFailed' | 'initializeMissing' | 'clientStalled';

/** Shared by all sessions with the same delays and limits: each one only knows which of the states it is in. */
const charts = new WeakMap<Timing, Partial<Record<Transport, SharedChart>>>();

function chartFor(timing: Timing, transport: Transport): SharedChart {
  const known = charts.get(timing) ?? {};
  charts.set(timing, known);
  known[transport] ??= new SharedChart(clientSessionMachine, { transport, timing });
  return known[transport];
}

/** What a session shows of its state. */
const PHASES = ['opening', 'awaitingInitialize', 'initializing', 'initialized'] as const;

/** The run of the chart `clientSession` for one client. A base class, because an object costs more. */
export abstract class SessionRun extends SharedRun<ClientSessionEvent['type']> {
  /** @param watched The name under which the watcher, if there is one, shows the run. */
  constructor(
    timing: Timing,
    transport: Transport,
    watched?: { readonly watcher: Pick<EngineWatcher, 'run'> | undefined; readonly id: string },
  ) {
    const chart = chartFor(timing, transport);
    const { machine, initial } = chart;
    super(chart, watched?.watcher?.run(`session:${watched.id}`, machine, initial.snapshot));
  }

  protected is(tag: ClientSessionTag): boolean {
    return this.at.tags.has(tag);
  }

  get isClosed(): boolean {
    return this.at.done;
  }

  /** Messages pass. */
  get initialized(): boolean {
    return this.is('initialized');
  }

  get state(): string {
    const phase = PHASES.find((one) => this.is(one)) ?? 'closed';
    return this.is('slow') ? `paused.${phase}` : phase;
  }

  /** The client reads slowly: pauses its own app-server connection and no other. */
  pause(): void {
    this.take('CLIENT.SLOW');
  }

  /** The client is slow, and has read something. */
  progress(): void {
    this.take('CLIENT.PROGRESS');
  }

  protected override perform(action: string, params: unknown): void {
    switch (action) {
      case 'announce':
        this.announce();
        return;
      case 'pauseAppServer':
        this.readAppServer(false);
        return;
      case 'resumeAppServer':
        this.readAppServer(true);
        return;
      case 'pauseClient':
        this.readClient(false);
        return;
      case 'resumeClient':
        this.readClient(true);
        return;
      case 'endClient':
        this.endClient((params as { readonly reason: Overdue }).reason);
        return;
    }
  }

  /** The client is served from now on. */
  protected abstract announce(): void;
  protected abstract readAppServer(reads: boolean): void;
  protected abstract readClient(reads: boolean): void;
  /** It, or its app server, took too long. */
  protected abstract endClient(reason: Overdue): void;
}
