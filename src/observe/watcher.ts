import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';
import type { Secret } from '../protocol/secret.js';

/** One action of a transition. */
export interface WatchedEffect {
  readonly type: string;
  readonly params: unknown;
}

/** Called for each transition of a chart that runs without an actor. */
export type TransitionWatch = (
  eventType: string,
  before: AnyMachineSnapshot,
  after: AnyMachineSnapshot,
  effects: readonly WatchedEffect[],
) => void;

/**
 * Observes the charts of an engine while they run, as the inspector does. The engine calls it synchronously: no method
 * may throw or take long.
 */
export interface EngineWatcher {
  /** A root actor was created; it has not started. `actor.system` leads to the actors that it invokes and spawns. */
  actor(actor: AnyActorRef): void;
  /** A connection starts in a chart that runs without an actor; `id` names the connection. */
  run(id: string, machine: AnyStateMachine, initial: AnyMachineSnapshot): TransitionWatch;
  /** The listener decided about an upgrade, from these facts alone. */
  verdict(verdict: Verdict, facts: UpgradeFacts): void;
  /** A new link to its page, for the owner at the control socket. Default: it has no page. */
  newLink?: ((options?: LinkOptions) => Secret) | undefined;
  /** Opens a page while the engine runs, for the owner at the control socket, on a port or any. Default: not possible. */
  attach?: ((port?: number) => Promise<Attachment>) | undefined;
}

/** Options of a link to a page. */
export interface LinkOptions {
  /** An earlier link of the same purpose is void. Default: the one that `start` prints. */
  readonly purpose?: string;
  /** The link is in a file that a browser opens. Default false: it is typed or pasted. */
  readonly fromFile?: boolean;
  /** Called when the link has opened the page. */
  readonly onUsed?: () => void;
}

/** A page that somebody uses. It ends when the last user closes it. */
export interface Attachment {
  newLink(options?: LinkOptions): Secret;
  /** Resolves when the page is closed, or when others still use it. */
  close(): Promise<void>;
}
