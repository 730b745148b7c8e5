import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';
import type { Attachment, EngineWatcher, LinkOptions, TransitionWatch } from './watcher.js';

/** What observes the charts while somebody is attached. */
export interface AttachedInspector {
  readonly watcher: EngineWatcher & {
    /** True while it gets the charts that run already. */
    seeding: boolean;
  };
  /** @param message why, for the pages */
  close(message: string): Promise<void>;
}

/** A connection in a chart that runs without an actor. */
interface Run {
  readonly id: string;
  readonly machine: AnyStateMachine;
  snapshot: AnyMachineSnapshot;
  watch: TransitionWatch | undefined;
}

const DETACHED = 'This page was opened by rc-engine inspect --attach, which has ended.';
const STOPPED = 'The engine has stopped.';
/** Root actors from which on ended ones are sorted out. */
const MIN_ROOTS = 64;

/**
 * Knows the charts of an engine and observes none of them until somebody attaches. Until then an actor costs a weak
 * reference, a connection a small object, and a step of an actor nothing.
 */
export class AttachableWatcher implements EngineWatcher {
  readonly #open: (port: number) => Promise<AttachedInspector>;
  #roots = new Set<WeakRef<AnyActorRef>>();
  #rootLimit = MIN_ROOTS;
  readonly #runs = new Set<Run>();
  #inspector: AttachedInspector | undefined;
  #opening: Promise<AttachedInspector> | undefined;
  #users = 0;
  #closed = false;

  /** @param open starts an inspector; it may reject. */
  constructor(open: (port: number) => Promise<AttachedInspector>) {
    this.#open = open;
  }

  actor(actor: AnyActorRef): void {
    if (this.#roots.size >= this.#rootLimit) this.#dropEnded();
    this.#roots.add(new WeakRef(actor));
    this.#inspector?.watcher.actor(actor);
  }

  run(id: string, machine: AnyStateMachine, initial: AnyMachineSnapshot): TransitionWatch {
    const watch = this.#inspector?.watcher.run(id, machine, initial);
    const run: Run = { id, machine, snapshot: initial, watch };
    this.#runs.add(run);
    return (eventType, before, after, effects) => {
      run.snapshot = after;
      if (after.status !== 'active') this.#runs.delete(run);
      run.watch?.(eventType, before, after, effects);
    };
  }

  verdict(verdict: Verdict, facts: UpgradeFacts): void {
    this.#inspector?.watcher.verdict(verdict, facts);
  }

  /** All who attach share one page server: the port of the first counts, and it ends with the last. */
  async attach(port = 0): Promise<Attachment> {
    this.#users += 1;
    let attached = true;
    const close = async () => {
      if (!attached) return;
      attached = false;
      this.#users -= 1;
      if (this.#users === 0) await this.#end(DETACHED);
    };
    try {
      this.#opening ??= this.#begin(port);
      const { watcher } = await this.#opening;
      return { newLink: (options?: LinkOptions) => newLinkOf(watcher, options), close };
    } catch (error) {
      this.#opening = undefined;
      await close();
      throw error;
    }
  }

  /** The engine has stopped. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end(STOPPED);
  }

  async #begin(port: number): Promise<AttachedInspector> {
    const inspector = await this.#open(port);
    if (this.#closed || this.#users === 0) {
      await inspector.close(this.#closed ? STOPPED : DETACHED);
      throw new Error(STOPPED);
    }
    const { watcher } = inspector;
    this.#dropEnded();
    watcher.seeding = true;
    for (const reference of this.#roots) {
      const actor = reference.deref();
      if (actor !== undefined) watcher.actor(actor);
    }
    for (const run of this.#runs) run.watch = watcher.run(run.id, run.machine, run.snapshot);
    watcher.seeding = false;
    this.#inspector = inspector;
    return inspector;
  }

  async #end(message: string): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    const inspector = this.#inspector ?? (await opening?.catch(() => undefined));
    this.#inspector = undefined;
    for (const run of this.#runs) run.watch = undefined;
    await inspector?.close(message);
  }

  #dropEnded(): void {
    for (const reference of this.#roots) {
      const actor = reference.deref();
      if (actor === undefined || hasEnded(actor)) this.#roots.delete(reference);
    }
    this.#rootLimit = Math.max(MIN_ROOTS, this.#roots.size * 2);
  }
}

function newLinkOf({ newLink }: EngineWatcher, options: LinkOptions | undefined) {
  if (newLink === undefined) throw new Error('the inspector has no page');
  return newLink(options);
}

function hasEnded(actor: AnyActorRef): boolean {
  const snapshot: unknown = actor.getSnapshot();
  return (
    typeof snapshot === 'object' && snapshot !== null && 'status' in snapshot && snapshot.status !== 'active'
  );
}
