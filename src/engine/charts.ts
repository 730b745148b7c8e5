import type { AnyStateMachine } from 'xstate';
import { accountMachine } from '../../machines/account/machine.js';
import { accountTokensMachine } from '../../machines/account-tokens/machine.js';
import { appServerMachine } from '../../machines/app-server/machine.js';
import { appServerAccountMachine } from '../../machines/app-server-account.js';
import { authRecoveryMachine } from '../../machines/auth-recovery.js';
import { authorizedRequestMachine } from '../../machines/authorized-request.js';
import { clientSessionMachine } from '../../machines/client-session.js';
import { controllerLinkMachine } from '../../machines/controller-link.js';
import { engineMachine } from '../../machines/engine/machine.js';
import { homeLockMachine } from '../../machines/home-lock.js';
import { hubNodeMachine } from '../../machines/hub-node.js';
import { linkMachine } from '../../machines/link.js';
import { listenerConnectionMachine } from '../../machines/listener-connection.js';
import { loginMachine } from '../../machines/login/machine.js';
import { pairingMachine } from '../../machines/pairing.js';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import { registerSources } from '../../machines/shared/register.js';
import { stdioConnectionMachine } from '../../machines/stdio-connection.js';
import { tokenRenewalMachine } from '../../machines/token-renewal.js';
import { tokenSavingMachine } from '../../machines/token-saving.js';
import { virtualClientMachine } from '../../machines/virtual-client.js';
import { websocketAuthMachine } from '../../machines/websocket-auth.js';
import { chartHash } from '../visualize/chart.js';
import { registerChartFacts } from './chart-facts.js';

type ChartName =
  | 'remoteControl'
  | 'link'
  | 'virtualClient'
  | 'pairing'
  | 'tokenRenewal'
  | 'websocketAuth'
  | 'clientSession'
  | 'listenerConnection'
  | 'stdioConnection'
  | 'account'
  | 'login'
  | 'accountTokens'
  | 'authRecovery'
  | 'authorizedRequest'
  | 'tokenSaving'
  | 'controllerLink'
  | 'appServer'
  | 'appServerAccount'
  | 'engine'
  | 'homeLock'
  | 'hubNode';

/** Every chart by its name. */
export const CHARTS: Readonly<Record<ChartName, AnyStateMachine>> = {
  remoteControl: remoteControlMachine,
  link: linkMachine,
  virtualClient: virtualClientMachine,
  pairing: pairingMachine,
  tokenRenewal: tokenRenewalMachine,
  websocketAuth: websocketAuthMachine,
  clientSession: clientSessionMachine,
  listenerConnection: listenerConnectionMachine,
  stdioConnection: stdioConnectionMachine,
  account: accountMachine,
  login: loginMachine,
  accountTokens: accountTokensMachine,
  authRecovery: authRecoveryMachine,
  authorizedRequest: authorizedRequestMachine,
  tokenSaving: tokenSavingMachine,
  controllerLink: controllerLinkMachine,
  appServer: appServerMachine,
  appServerAccount: appServerAccountMachine,
  engine: engineMachine,
  homeLock: homeLockMachine,
  hubNode: hubNodeMachine,
};

registerSources(CHARTS);
registerChartFacts(CHARTS);

let hashes: Readonly<Record<string, string>> | undefined;

/** Content hash of each chart; it identifies the behaviour that a report describes. */
export function chartHashes(): Readonly<Record<string, string>> {
  hashes ??= Object.fromEntries(Object.entries(CHARTS).map(([name, chart]) => [name, chartHash(chart)]));
  return hashes;
}
