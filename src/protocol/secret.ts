/**
 * A value that must never be printed. It sits in a private field, so snapshots, logs, spreads, JSON and
 * inspector frames cannot hold it; `reveal()` is called only by the adapter that writes it on the wire or to
 * the one file that may hold it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it at the last moment, and never store what it returns. */
  reveal(): string {
    return this.#value;
  }

  /** True when both hold the same value. Not for authenticating a peer: it is not constant-time. */
  equals(other: Secret | null | undefined): boolean {
    return other != null && other.#value === this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

/** What stands where a secret would have been. */
export const REDACTED = '<redacted>';
