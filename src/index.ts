/**
 * rc-engine as a library: `createEngine(options)` gives an engine with `start()`, `stop()`, `status` and events. The
 * charts are in `rc-engine/machines`, the test generator in `rc-engine/testing`.
 *
 * ```ts
 * import { createEngine } from 'rc-engine';
 *
 * const engine = createEngine({ home: '/srv/agent', remoteControl: 'preference', listen: 'ws://127.0.0.1:4500' });
 * engine.on('status', ({ status, environmentId }) => console.log(status, environmentId));
 * await engine.start();
 * process.once('SIGTERM', () => void engine.stop());
 * ```
 *
 * Declarations need `@types/node`.
 *
 * @packageDocumentation
 */

export type { ReplacedIdentity } from '../machines/remote-control/types.js';
export type { RemoteControlStatus, StatusReport } from '../machines/shared/status.js';
export type { GivenToken } from './account/credentials.js';
export type { AccountOptions } from './account/options.js';
export type { AccountTiming } from './account/timing.js';
export type { AccountSummary } from './account/view.js';
export { type AppServerSpec, createAppServer } from './app-server/create.js';
export type { AppServerAccountStatus } from './engine/app-server-account-status.js';
export { type ClientChange, createEngine, type Engine, type EngineEvents } from './engine/engine.js';
export type { MetricsOptions } from './engine/metrics-server.js';
export type { EngineOptions, ListenUrl } from './engine/options.js';
export type { EngineStatus, VirtualClientStatus } from './engine/status.js';
export type { TlsFiles, TlsIdentity } from './listener/address.js';
export type { AuthorityConfig } from './listener/auth/authority.js';
export type { SignedTokenRules } from './listener/auth/signed-token.js';
export type { CountedVerdict } from './listener/auth/upgrade-decision.js';
export type { CertificateStatus } from './listener/certificate.js';
export type { ListenerStatus, ListeningInfo, Rejection } from './listener/status.js';
export type { AuditRecord } from './observe/audit.js';
export type { EngineLogger } from './observe/logger.js';
export type {
  Attachment,
  EngineWatcher,
  LinkOptions,
  TransitionWatch,
  WatchedEffect,
} from './observe/watcher.js';
export { type AuthMode, PLANS, type Plan } from './protocol/account.js';
export type { AccountSource as AccountPort, Recovery } from './protocol/account-source.js';
export type { AgentProtocol, AgentProtocolSetting } from './protocol/agent-protocol.js';
export type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  AppServerHealth,
  AppServerMode,
  AppServerState,
  ClientContext,
  Origin,
} from './protocol/app-server.js';
export {
  type Admission,
  type AuthorityMode,
  type CredentialFacts,
  type RequestKind,
  UPGRADE_OUTCOMES,
  type UpgradeFacts,
  type UpgradeOutcome,
  type Verdict,
} from './protocol/authority.js';
export { EngineError, ERRORS, type ErrorCode, explain } from './protocol/errors.js';
export type { InvalidShape, RawId, RpcId, RpcShape } from './protocol/jsonrpc.js';
export { Message } from './protocol/message.js';
export type { OutboundCounters } from './protocol/outbound-streams.js';
export type {
  Account,
  AuthOutcome,
  Enrollment,
  Failure,
  PairingResult,
  RecoveryOutcome,
} from './protocol/outcomes.js';
export { REASONS, type Reason, type ReasonText } from './protocol/reasons.js';
export { Secret } from './protocol/secret.js';
export { DEFAULT_TIMING, type Env, type Timing } from './protocol/timing.js';
export { VERSION } from './protocol/version.js';
export type {
  LinkCounters,
  MuxCounters,
  PublicStatus,
  TimedReport,
} from './remote-control/status.js';
export type { ConnectionStatus } from './session/local-client.js';
export type { PolicyOptions } from './session/policy.js';
export type { StdioStreams } from './session/stdio.js';
