import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';

/** An action of a step, by its name. */
export interface WatchedEffect {
  readonly type: string;
  readonly params: unknown;
}

/** Told at each step of a way through a chart that runs without an actor. */
export type StepWatch = (
  eventType: string,
  before: AnyMachineSnapshot,
  after: AnyMachineSnapshot,
  effects: readonly WatchedEffect[],
) => void;

/** Whoever looks at an engine's charts while they run. Nothing of it may throw, and nothing may take long. */
export interface EngineWatcher {
  /** A root actor was made; it has not started. What it invokes and spawns is found through its system. */
  actor(actor: AnyActorRef): void;
  /** One more connection begins its way through the chart that all of them share. */
  run(id: string, machine: AnyStateMachine, initial: AnyMachineSnapshot): StepWatch;
  /** An upgrade was decided, on these facts alone. */
  verdict(verdict: Verdict, facts: UpgradeFacts): void;
}
