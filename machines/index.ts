/** The statecharts, to be driven by adapters of your own: `provide()` the actors and actions each one names. */
export { CLOSE_CODES } from '../src/protocol/close-codes.js';
export type { Decision } from '../src/protocol/decision.js';
export { accountMachine } from './account/machine.js';
export type { AccountAnswer, AccountContext, AccountEvent, AccountInput } from './account/types.js';
export {
  type AuthRecoveryEvent,
  type AuthRecoveryInput,
  authRecoveryMachine,
  type RecoveryMode,
} from './auth-recovery.js';
export { type LinkEvent, type LinkInput, type LinkOutput, linkMachine, type SocketCommand } from './link.js';
export {
  type ListenerConnectionEvent,
  type ListenerConnectionInput,
  listenerConnectionMachine,
} from './listener-connection.js';
export {
  type EnsureTokenOutcome,
  type PairingEvent,
  type PairingInput,
  pairingMachine,
} from './pairing.js';
export { remoteControlMachine } from './remote-control/machine.js';
export type {
  RemoteControlContext,
  RemoteControlEvent,
  RemoteControlInput,
  RemoteControlOutput,
} from './remote-control/types.js';
export { type RemoteControlStatus, type StatusReport, statusOf } from './shared/status.js';
export {
  type VirtualClientEvent,
  type VirtualClientInput,
  type VirtualClientOutput,
  virtualClientMachine,
} from './virtual-client.js';
export { websocketAuthMachine } from './websocket-auth.js';
