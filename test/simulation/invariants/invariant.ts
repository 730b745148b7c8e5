/** A property that holds in every world. */
export interface Invariant {
  readonly name: string;
  /** Called after each event. Throws a Violation. */
  check(): void;
  /** Called once, after the world was repaired and the engine has stopped. */
  atEnd?(): void;
}
