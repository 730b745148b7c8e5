/**
 * One setting of `start`, three ways to give it: flag, environment variable, key in `<home>/config.json`, in that
 * order. The flag is the name in kebab case, the variable RC_ENGINE_ and the name in capitals.
 */
export interface Setting {
  readonly name: string;
  readonly description: string;
  readonly values?: readonly string[];
  readonly type: 'string' | 'boolean' | 'list' | 'integer';
  /** Of an integer. */
  readonly min?: number;
  readonly max?: number;
  /** Said in the help; the program behind it decides. */
  readonly byDefault?: string;
  /** A further check of a text, or of each text of a list; answers what is wrong. */
  readonly check?: (value: string) => string | undefined;
  /**
   * An environment variable that is set but empty is a mistake, not "unset": it would switch a check off without a
   * word. WSA-14
   */
  readonly guardsDoor?: true;
  /** What the flag means without a value. */
  readonly bare?: string;
  /** A wrong value is not repeated: somebody may have put a token there. */
  readonly mayHoldSecret?: true;
}
