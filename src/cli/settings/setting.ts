import type { OptionSpec } from '../parser/command.js';

/**
 * One setting of `start`. It can be given in three ways, which take precedence in this order: as a flag (the name in
 * kebab case), as an environment variable (RC_ENGINE_ and the name in capitals), as a key of `<home>/config.json`.
 */
export interface Setting extends OptionSpec {
  /** In camel case, as in `config.json`. */
  readonly name: string;
  readonly type: 'string' | 'boolean' | 'list' | 'integer';
  /** The range of an integer. */
  readonly min?: number;
  readonly max?: number;
  /** Checks a string, or each string of a list. Returns what is wrong with it. */
  readonly check?: (value: string) => string | undefined;
  /**
   * An empty environment variable is an error instead of "not set", and the flag may be given only once: otherwise a
   * check could be switched off silently. WSA-14
   */
  readonly securitySensitive?: true;
  /** A wrong value is not repeated in the error: somebody may have put a token there. */
  readonly mayHoldSecret?: true;
}

/** `baseUrl` → `base-url` */
export const flagOf = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** `baseUrl` → `RC_ENGINE_BASE_URL` */
export const variableOf = (name: string): string =>
  `RC_ENGINE_${flagOf(name).replaceAll('-', '_').toUpperCase()}`;
