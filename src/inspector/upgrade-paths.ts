import { createActor } from 'xstate';
import { websocketAuthMachine } from '../../machines/websocket-auth.js';
import type { UpgradeFacts } from '../protocol/authority.js';
import { ChartNames } from './projection.js';

/** More combinations of facts than a listener has in its one mode. */
const MOST = 256;

/**
 * The way of an upgrade through its chart. The listener looks a verdict up and runs nothing, so the chart is run
 * here, once for each combination of facts, and its microsteps are written down: the same facts take the same edges.
 */
export class UpgradePaths {
  readonly #known = new Map<string, readonly string[]>();

  /** Ids of the edges, in their order. */
  of(facts: UpgradeFacts): readonly string[] {
    const key = JSON.stringify(facts);
    let edges = this.#known.get(key);
    if (edges === undefined) {
      if (this.#known.size >= MOST) this.#known.clear();
      edges = edgesOf(facts);
      this.#known.set(key, edges);
    }
    return edges;
  }
}

function edgesOf(facts: UpgradeFacts): string[] {
  const names = ChartNames.of(websocketAuthMachine);
  const edges: string[] = [];
  createActor(websocketAuthMachine, {
    input: facts,
    inspect: (event) => {
      if (event.type !== '@xstate.microstep') return;
      for (const transition of event._transitions) {
        const edge = names.edge(transition);
        if (edge !== undefined) edges.push(edge);
      }
    },
  }).start();
  return edges;
}
