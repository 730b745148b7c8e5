/** The statecharts. To run one with your own adapters, `provide()` the actors and actions that it names. */

export { CLOSE_CODES } from '../src/protocol/close-codes.js';
export type { Decision } from '../src/protocol/decision.js';
export { accountMachine } from './account/machine.js';
export type { AccountContext, AccountEvent, AccountInput, AccountResponse } from './account/types.js';
export { accountTokensMachine } from './account-tokens/machine.js';
export type {
  AccountTokensContext,
  AccountTokensEvent,
  AccountTokensInput,
  TokenTask,
} from './account-tokens/setup.js';
export { appServerMachine } from './app-server/machine.js';
export type { AppServerContext, AppServerEvent, AppServerInput } from './app-server/types.js';
export {
  type AppServerAccountEvent,
  type AppServerAccountInput,
  appServerAccountMachine,
} from './app-server-account.js';

export {
  type AuthRecoveryEvent,
  type AuthRecoveryInput,
  type AuthRecoveryStep,
  authRecoveryMachine,
  type RecoveryMode,
} from './auth-recovery.js';
export {
  type AuthorizedRequestInput,
  type AuthorizedRequestOutput,
  authorizedRequestMachine,
  type RequestOutcome,
  type StepOutcome,
} from './authorized-request.js';
export {
  type ClientSessionEvent,
  type ClientSessionInput,
  type ClientSessionTag,
  clientSessionMachine,
} from './client-session.js';
export {
  type ControllerLinkEvent,
  type ControllerLinkInput,
  type ControllerLinkOutput,
  controllerLinkMachine,
} from './controller-link.js';
export { engineMachine } from './engine/machine.js';
export type { EngineContext, EngineEvent, EngineInput, EngineReport } from './engine/setup.js';
export { type HomeLockInput, homeLockMachine } from './home-lock.js';
export { type HubNodeEvent, type HubNodeInput, type HubNodeOpened, hubNodeMachine } from './hub-node.js';
export { type LinkEvent, type LinkInput, type LinkOutput, linkMachine, type SocketCommand } from './link.js';
export {
  type ListenerConnectionEvent,
  type ListenerConnectionInput,
  listenerConnectionMachine,
} from './listener-connection.js';

export { loginMachine } from './login/machine.js';
export type {
  LoginContext,
  LoginEvent,
  LoginInput,
  LoginLimits,
  LoginProgress,
  LoginRef,
} from './login/setup.js';
export { type PairingEvent, type PairingInput, type PairingResponse, pairingMachine } from './pairing.js';

export { remoteControlMachine } from './remote-control/machine.js';
export type {
  RemoteControlContext,
  RemoteControlEvent,
  RemoteControlInput,
  RemoteControlOutput,
} from './remote-control/types.js';
export { type RemoteControlStatus, type StatusReport, statusOf } from './shared/status.js';
export {
  type StdioConnectionEvent,
  type StdioConnectionInput,
  stdioConnectionMachine,
} from './stdio-connection.js';
export {
  type LinkFacts,
  type TokenRenewalEvent,
  type TokenRenewalInput,
  type TokenRenewalOutput,
  tokenRenewalMachine,
} from './token-renewal.js';
export { type TokenSavingEvent, type TokenSavingInput, tokenSavingMachine } from './token-saving.js';
export {
  type VirtualClientEvent,
  type VirtualClientInput,
  type VirtualClientOutput,
  virtualClientMachine,
} from './virtual-client.js';

export { websocketAuthMachine } from './websocket-auth.js';
