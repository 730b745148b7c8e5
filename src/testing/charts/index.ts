/** Models of the engine's charts: the events and outcomes that their paths are generated from. */
import type { AnyStateMachine } from 'xstate';
import { accountMachine } from '../../../machines/account/machine.js';
import { accountTokensMachine } from '../../../machines/account-tokens/machine.js';
import { appServerMachine } from '../../../machines/app-server/machine.js';
import { appServerAccountMachine } from '../../../machines/app-server-account.js';
import { authRecoveryMachine } from '../../../machines/auth-recovery.js';
import { authorizedRequestMachine } from '../../../machines/authorized-request.js';
import { clientSessionMachine } from '../../../machines/client-session.js';
import { controllerLinkMachine } from '../../../machines/controller-link.js';
import { engineMachine } from '../../../machines/engine/machine.js';
import { homeLockMachine } from '../../../machines/home-lock.js';
import { hubNodeMachine } from '../../../machines/hub-node.js';
import { linkMachine } from '../../../machines/link.js';
import { listenerConnectionMachine } from '../../../machines/listener-connection.js';
import { loginMachine } from '../../../machines/login/machine.js';
import { pairingMachine } from '../../../machines/pairing.js';
import { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import { registerSources } from '../../../machines/shared/register.js';
import { stdioConnectionMachine } from '../../../machines/stdio-connection.js';
import { tokenRenewalMachine } from '../../../machines/token-renewal.js';
import { tokenSavingMachine } from '../../../machines/token-saving.js';
import { virtualClientMachine } from '../../../machines/virtual-client.js';
import { websocketAuthMachine } from '../../../machines/websocket-auth.js';
import { chartHash, toChart } from '../../visualize/chart.js';
import { generatePaths, mergeCoverage } from '../generate.js';
import type { Coverage, CoverageReport, Generated } from '../types.js';
import { pathsMarkdown } from '../words.js';
import { accountModel, authorizedRequestModel, authRecoveryModel } from './account.js';
import { accountTokensModel } from './account-tokens.js';
import { appServerModel } from './app-server.js';
import { appServerAccountModel } from './app-server-account.js';
import {
  clientSessionModel,
  linkModel,
  listenerConnectionModel,
  stdioConnectionModel,
  virtualClientModel,
} from './connections.js';
import { controllerLinkModel } from './controller-link.js';
import { engineModel } from './engine.js';
import { homeLockModel } from './home-lock.js';
import { hubNodeModel } from './hub-node.js';
import { loginModel } from './login.js';
import type { Variant } from './model.js';
import { pairingModel } from './pairing.js';
import { remoteControlModel } from './remote-control.js';
import { tokenRenewalModel } from './token-renewal.js';
import { tokenSavingModel } from './token-saving.js';
import { websocketAuthModel } from './websocket-auth.js';

interface ChartModel {
  readonly machine: AnyStateMachine;
  readonly variants: () => readonly Variant[];
}

function model<M extends AnyStateMachine>(machine: M, variants: () => readonly Variant<M>[]): ChartModel {
  // The variants are typed for this machine, and both are only used together.
  return { machine, variants: variants as () => readonly Variant[] };
}

export const MODELS: Readonly<Record<string, ChartModel>> = {
  remoteControl: model(remoteControlMachine, remoteControlModel),
  link: model(linkMachine, linkModel),
  virtualClient: model(virtualClientMachine, virtualClientModel),
  pairing: model(pairingMachine, pairingModel),
  tokenRenewal: model(tokenRenewalMachine, tokenRenewalModel),
  websocketAuth: model(websocketAuthMachine, websocketAuthModel),
  clientSession: model(clientSessionMachine, clientSessionModel),
  listenerConnection: model(listenerConnectionMachine, listenerConnectionModel),
  stdioConnection: model(stdioConnectionMachine, stdioConnectionModel),
  account: model(accountMachine, accountModel),
  login: model(loginMachine, loginModel),
  accountTokens: model(accountTokensMachine, accountTokensModel),
  authRecovery: model(authRecoveryMachine, authRecoveryModel),
  authorizedRequest: model(authorizedRequestMachine, authorizedRequestModel),
  tokenSaving: model(tokenSavingMachine, tokenSavingModel),
  controllerLink: model(controllerLinkMachine, controllerLinkModel),
  appServer: model(appServerMachine, appServerModel),
  appServerAccount: model(appServerAccountMachine, appServerAccountModel),
  engine: model(engineMachine, engineModel),
  homeLock: model(homeLockMachine, homeLockModel),
  hubNode: model(hubNodeMachine, hubNodeModel),
};

registerSources(Object.fromEntries(Object.entries(MODELS).map(([name, { machine }]) => [name, machine])));

interface VariantPaths {
  readonly variant: Variant;
  readonly generated: Generated;
}

/** The paths of all variants. Paths of a later variant cover only what the earlier ones do not. */
export function pathsOfChart(
  { machine, variants }: ChartModel,
  coverage: Coverage = 'transitions',
): { readonly variants: readonly VariantPaths[]; readonly coverage: CoverageReport } {
  const chart = toChart(machine);
  const all = [
    ...chart.states.map(({ id }) => id),
    ...chart.edges.flatMap(({ id, guard }) => [
      id,
      ...(guard === null ? [] : [`${guard} holds`, `${guard} fails`]),
    ]),
  ];
  const done: VariantPaths[] = [];
  for (const variant of variants()) {
    const before = done.map(({ generated }) => generated.coverage);
    const missing = new Set(mergeCoverageItems(before));
    const except = new Set(before.length === 0 ? [] : all.filter((item) => !missing.has(item)));
    done.push({ variant, generated: generatePaths(machine, { ...variant.options, coverage, except }) });
  }
  return { variants: done, coverage: mergeCoverage(done.map(({ generated }) => generated.coverage)) };
}

function mergeCoverageItems(reports: readonly CoverageReport[]): string[] {
  const { states, transitions, guards } = mergeCoverage(reports);
  return [...states.missing, ...transitions.missing, ...guards.missing];
}

/** Scenarios of every chart as Markdown, by the name of the chart. They are committed, and CI compares them. */
export function scenarios(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(MODELS).map(([name, model]): [string, string] => {
      return [name, pathsMarkdown(name, chartHash(model.machine), pathsOfChart(model))];
    }),
  );
}
