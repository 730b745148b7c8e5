/** rc-engine as a library: `createEngine(options)` → `start()`, `stop()`, `status`, events. */

export { type AppServerSpec, createAppServer } from './app-server/create.js';
export { createEngine, type Engine, type EngineEvents } from './engine/engine.js';
export type { EngineOptions, ListenUrl } from './engine/options.js';
export type { EngineStatus } from './engine/status.js';
export type { TlsIdentity } from './listener/address.js';
export type { AuthorityConfig } from './listener/auth/authority.js';
export type { ListeningInfo } from './listener/service.js';
export type { AuditRecord } from './observe/audit.js';
export type { EngineLogger } from './observe/logger.js';
export type { AccountSource as AccountPort } from './protocol/account-source.js';
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
export { VERSION } from './protocol/version.js';
export type { PublicStatus, TimedReport } from './remote-control/status.js';
export type { PolicyOptions } from './session/policy.js';
