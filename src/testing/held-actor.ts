/** An actor that waits until a path says how it ends. */
import type { AnyActorLogic, AnyActorRef, AnyActorScope, EventObject, Snapshot } from 'xstate';

const END = 'rc-engine.testing.end';

/** How the actor ends. */
export type End =
  | { readonly status: 'done'; readonly output: unknown }
  | { readonly status: 'error'; readonly error: unknown };

/**
 * Logic in place of that of an invoked actor. It starts with the snapshot of the real one, does nothing, ignores the events
 * that the chart sends to it, and ends by `endHeld`.
 */
export function heldActor(real: AnyActorLogic | undefined): AnyActorLogic {
  return {
    config: undefined,
    getInitialSnapshot: (scope: AnyActorScope, input: unknown) => firstSnapshot(real, scope, input),
    transition: (snapshot: Snapshot<unknown>, event: EventObject) =>
      event.type === END && 'snapshot' in event ? event.snapshot : snapshot,
    getPersistedSnapshot: (snapshot: Snapshot<unknown>) => snapshot,
  } as unknown as AnyActorLogic;
}

/** Ends an actor that was made of `heldActor`. */
export function endHeld(ref: AnyActorRef, end: End): void {
  ref.send({ type: END, snapshot: { output: undefined, error: undefined, ...end } } as EventObject);
}

function firstSnapshot(real: AnyActorLogic | undefined, scope: AnyActorScope, input: unknown): unknown {
  const empty = { status: 'active', output: undefined, error: undefined };
  if (real === undefined) return empty;
  const still = { ...scope, actionExecutor: () => {}, defer: () => {}, emit: () => {} };
  const snapshot: unknown = real.getInitialSnapshot(still as never, input as never);
  // An actor that ends immediately would end before the path says how.
  return isActive(snapshot) ? snapshot : empty;
}

function isActive(snapshot: unknown): boolean {
  return (
    typeof snapshot === 'object' && snapshot !== null && 'status' in snapshot && snapshot.status === 'active'
  );
}
