/** rc-engine as a library: `createEngine(options)` → `start()`, `stop()`, `status`, events. */

export type { AuthorityConfig } from './adapters/authority.js';
export type { TlsIdentity } from './adapters/listener-host.js';
export type { AccountPort } from './engine/account-port.js';
export { type AppServerSpec, createAppServer } from './engine/app-servers.js';
export type { AuditRecord } from './engine/audit.js';
export { createEngine, type Engine, type EngineEvents } from './engine/engine.js';
export type { EngineStatus } from './engine/engine-status.js';
export type { ListeningInfo } from './engine/listener-service.js';
export type { EngineLogger } from './engine/logger.js';
export type { EngineOptions, ListenUrl } from './engine/options.js';
export type { PolicyOptions } from './engine/policy.js';
export type { PublicStatus, TimedReport } from './engine/status-board.js';
export { VERSION } from './engine/version.js';
export type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from './protocol/app-server.js';
export { EngineError, explain } from './protocol/errors.js';
export { Message } from './protocol/message.js';
export type {
  Account,
  AuthOutcome,
  Enrollment,
  Failure,
  RecoveryOutcome,
} from './protocol/outcomes.js';
export { REASONS, type Reason } from './protocol/reasons.js';
export { Secret } from './protocol/secret.js';
export { DEFAULT_TIMING, type Env, type Timing } from './protocol/timing.js';
