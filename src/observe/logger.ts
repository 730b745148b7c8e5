/**
 * A structured logger; a pino logger fits. The fields contain no secrets, and `Secret` values print as `<redacted>`.
 *
 * @example createEngine({ logger: pino({ level: 'info' }, pino.destination(2)) })
 */
export interface EngineLogger {
  /** Details for developers. */
  debug(fields: object, message: string): void;
  /** Normal events: connected, signed in, a client connected. */
  info(fields: object, message: string): void;
  /** Problems that the engine handles itself, and settings that weaken the protection. */
  warn(fields: object, message: string): void;
  /** Problems that need a person. */
  error(fields: object, message: string): void;
  /** Saves the work for lines that would be dropped. Without it every level counts as enabled. */
  isLevelEnabled?(level: string): boolean;
}

const nothing = () => {};
/** Drops every line. */
export const silentLogger: EngineLogger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  isLevelEnabled: () => false,
};
