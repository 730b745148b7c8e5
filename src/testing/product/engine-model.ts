/**
 * The charts of an engine that talk to each other (remoteControl, pairing, tokenRenewal, account, authRecovery), and the
 * world outside: a backend that answers as it likes, a store that keeps what was written, an account file, and people.
 */
import type { AnyStateMachine } from 'xstate';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { engineWiring } from '../charts/engine-wiring.js';
import { SimulatedEnv } from '../charts/model.js';
import { Charts } from './board.js';
import { engineKey } from './engine-key.js';
import { engineLaws } from './engine-laws.js';
import { type EngineBeginning, Outside } from './engine-outside.js';
import { type EngineAct, type EngineNode, type EngineWorld, remoteControlOf } from './engine-world.js';
import type { ProductModel } from './search.js';

export interface EngineModelOptions {
  readonly machines: Readonly<Record<string, AnyStateMachine>>;
  /** Spontaneous events on one way. */
  readonly events: number;
  /** Where the search begins. */
  readonly begin: EngineBeginning;
}

export interface EngineModel extends ProductModel<EngineWorld> {
  /** The acts before the search begins. */
  readonly actsBefore: () => readonly EngineAct[];
}

export function engineModel({ machines, events, begin }: EngineModelOptions): EngineModel {
  const env = new SimulatedEnv();
  const charts = new Charts(
    machines,
    engineWiring(() => env),
    env.setTime,
  );
  const outside = new Outside(charts, env);
  return {
    charts,
    start: () => outside.start(begin, events),
    actsBefore: () => outside.actsBefore(begin),
    acts: (node) => outside.acts(node),
    key: engineKey,
    laws: engineLaws(charts),
    grows: ({ before, after }) => attemptOf(after) > attemptOf(before),
    shrinks: ({ before, after }) => attemptOf(after) < attemptOf(before),
    longPause: DEFAULT_TIMING.backoffCap / 2,
  };
}

const attemptOf = (node: EngineNode): number => remoteControlOf(node)?.context.failureCounters.attempt ?? 0;
