/** What the engine needs of a logger; pino fits. Fields hold no secrets; Secret values print as `<redacted>`. */
export interface EngineLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Absent: every level counts as wanted. */
  isLevelEnabled?(level: string): boolean;
}

const nothing = () => {};
export const silentLogger: EngineLogger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  isLevelEnabled: () => false,
};
