import { createActor } from 'xstate';
import { websocketAuthMachine } from '../../machines/websocket-auth.js';
import type { UpgradeFacts } from '../protocol/authority.js';
import { ChartNames } from './projection.js';

/** More combinations of facts than a listener can have in its mode. */
const MAX_CACHED = 256;

/**
 * The path of an upgrade through its chart. The listener reads its verdicts from a table and runs no chart. The chart
 * runs here instead, once for each combination of facts, because the same facts always take the same edges.
 */
export class UpgradePaths {
  readonly #cache = new Map<string, readonly string[]>();

  /** Ids of the edges, in order. */
  of(facts: UpgradeFacts): readonly string[] {
    const key = JSON.stringify(facts);
    let edges = this.#cache.get(key);
    if (edges === undefined) {
      if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
      edges = edgesOf(facts);
      this.#cache.set(key, edges);
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
