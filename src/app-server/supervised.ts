import type { AppServer } from '../protocol/app-server.js';
import type { SupervisedAppServer } from './supervisor.js';

/** Whether the chart `appServer` decides about it. The chart is loaded only with such an app server. */
export const isSupervised = (appServer: AppServer | undefined): appServer is SupervisedAppServer =>
  appServer !== undefined && 'attach' in appServer && 'start' in appServer;
