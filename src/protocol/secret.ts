/**
 * A value that must never be printed. It is in a private field, so snapshots, logs, spreads, JSON and the inspector
 * cannot contain it: all of them show `<redacted>`. Call `reveal()` only where the value is sent or written to the file
 * that stores it.
 *
 * @example new Secret('token').reveal()
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Do not store the result. */
  reveal(): string {
    return this.#value;
  }

  /** Whether both have the same value. Not constant-time: do not authenticate a peer with it. */
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

/** What is shown instead of a secret. */
export const REDACTED = '<redacted>';
