/** What is known about the account of the app server without its chart, which is loaded only where it is used. */
import type { AppServer } from '../protocol/app-server.js';
import { REASONS, type Reason } from '../protocol/reasons.js';

/** Whether the app server uses the account of the engine, for the status. */
export interface AppServerAccountStatus {
  /** State of the `appServerAccount` chart; `separate` where nothing can be handed over. */
  readonly state: string;
  readonly reason: Reason;
  /** One sentence for people. */
  readonly message: string;
}

/** An app server whose children the engine can count and restart. */
export type SupervisedServer = AppServer & Required<Pick<AppServer, 'health' | 'restart' | 'onHealth'>>;

/** True for commands: their children read the account, and can be restarted. */
export function followsAccount(appServer: AppServer): appServer is SupervisedServer {
  const { health, restart, onHealth } = appServer;
  if (health === undefined || restart === undefined || onHealth === undefined) return false;
  return health.mode === 'shared' || health.mode === 'perClient';
}

/** The status where the engine can neither hand the account over nor restart what uses it. ACC-101 */
export const SEPARATE_ACCOUNT: AppServerAccountStatus = statusOf('separate', 'appServerAccountOwn', null);

export function statusOf(state: string, reason: Reason, detail: string | null): AppServerAccountStatus {
  return { state, reason, message: detail ?? REASONS[reason].means };
}

/** An app server that follows the account of the engine. */
export interface FollowsAccount {
  readonly accountStatus: AppServerAccountStatus;
}

export const hasAccountStatus = (appServer: AppServer): appServer is AppServer & FollowsAccount =>
  'accountStatus' in appServer;
