/** What the recorder reads of an actor beyond the public interface of XState. */
import type { AnyActorLogic, AnyActorRef } from 'xstate';

export function parentOf(actor: AnyActorRef): AnyActorRef | undefined {
  return '_parent' in actor ? actor._parent : undefined;
}

export function logicOf(actor: AnyActorRef): AnyActorLogic | undefined {
  return 'logic' in actor ? (actor.logic as AnyActorLogic) : undefined;
}

/** 0 before the start, 1 while it runs, 2 afterwards. */
const processingStatus = (actor: object): unknown =>
  '_processingStatus' in actor ? actor._processingStatus : 1;
export const hasStarted = (actor: object): boolean => processingStatus(actor) !== 0;
export const hasStopped = (actor: object): boolean => processingStatus(actor) === 2;

export function childrenOf(actor: AnyActorRef): readonly AnyActorRef[] {
  const snapshot: unknown = actor.getSnapshot();
  if (typeof snapshot !== 'object' || snapshot === null || !('children' in snapshot)) return [];
  return Object.values(snapshot.children as Record<string, AnyActorRef | undefined>).flatMap(
    (child) => child ?? [],
  );
}
