/** Checks that the account of an engine is in the state of the chart, by what clients, partners and files show. */
import type { AccountContext } from '../../../../machines/account/types.js';
import type { AccountSummary } from '../../../../src/account/view.js';
import type { Plan } from '../../../../src/protocol/account.js';
import type { Expected } from '../../../../src/testing/index.js';
import { get } from '../../../account/rig.js';
import type { Question } from './gate.js';
import { isExpired, type Snapshot, whereIs } from './model.js';
import { LIMIT, until, type World } from './world.js';

export const snapshotOf = (expected: Expected): Snapshot => expected.snapshot as unknown as Snapshot;
export const contextOf = (expected: Expected): AccountContext => snapshotOf(expected).context;

/** The public status shows the state. */
export async function checkStatus({ rig }: World, expected: Expected): Promise<void> {
  const context = contextOf(expected);
  const { auth } = whereIs(snapshotOf(expected));
  const hasExpired = context.external === null && isExpired(snapshotOf(expected));
  const wanted = [auth, modeOf(context), planOf(context), context.login?.kind ?? null, hasExpired].join();
  let shown = '';
  await until(
    async () => {
      const summary = (await rig.call('engine/account/read')) as unknown as AccountSummary;
      const isMarked = summary.problem?.reason === 'refreshTokenExpired';
      shown = [summary.state, summary.mode, summary.plan, summary.login, isMarked].join();
      return shown === wanted;
    },
    () => `the status shows ${shown}, not ${wanted}`,
  );
}

/** The questions of this state wait for answers, and no others; the callback server is open in its states. */
export async function checkWire(world: World, expected: Expected): Promise<void> {
  const where = whereIs(snapshotOf(expected));
  const wanted = questionsOf(where.auth, where.login, where.routing, world.fileIsHeld);
  const waiting = () => [...world.questions.waiting].sort().join();
  await until(
    () => waiting() === wanted.join(),
    () => `waiting: ${waiting() || 'nothing'}; should be: ${wanted.join() || 'nothing'}`,
  );
  if (where.login === 'browser.waiting')
    await until(
      () => world.login?.browser != null,
      () => 'no address for the browser',
    );
  const browser = world.login?.browser;
  if (browser == null) return;
  // A new sign-in on the same port cannot be checked before its address is known.
  const isOpen = contextOf(expected).login?.kind === 'browser';
  let status: number | null = null;
  await until(
    async () => {
      ({ status } = await get(browser.page('/nothing')));
      return isOpen === (status === 404);
    },
    () => `the callback server responds with ${status}`,
  );
  if (where.login !== 'awaitingSuccess') return;
  const sent = await world.visit;
  if (!sent?.location.startsWith(browser.page('/success?')))
    throw new Error(`the browser got ${sent?.status}`);
}

/** The request has its response if the chart has given one, and none before. */
export async function checkResponse(world: World, expected: Expected): Promise<void> {
  const { request, rig } = world;
  const { response } = contextOf(expected);
  const isNew = response !== world.response;
  world.response = response;
  if (request === undefined) return;
  if (!isNew) {
    if (rig.log.some((one) => one.method === undefined && one.id === request))
      throw new Error('the response came too early');
    return;
  }
  world.request = undefined;
  const got = await rig.response(request, LIMIT);
  const isRead = rig.log.length > 0 && response?.kind === 'failed' && got.result !== undefined;
  // Reading the account succeeds even if its tokens could not be refreshed. ACC-17
  if (isRead && 'requiresOpenaiAuth' in (got.result ?? {})) return;
  const isError = response?.kind === 'refused' || response?.kind === 'failed';
  if (isError !== (got.error !== undefined))
    throw new Error(`the chart responded ${response?.kind}, the client got ${JSON.stringify(got)}`);
  if (response?.kind === 'notFound' && got.result?.status !== 'notFound')
    throw new Error(`the cancel got ${JSON.stringify(got.result)}`);
}

/** The client was notified of the end of each sign-in, once. ACC-24 */
export function checkNotifications(world: World): void {
  const { rig } = world;
  const got = rig.log
    .slice(world.mark)
    .filter(({ method, params }) => method === 'account/login/completed' && params?.loginId !== null)
    .map(({ params }) => ({ loginId: params?.loginId, success: params?.success }));
  const [a, b] = [got, world.completed].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`the client was notified of ${a}, not ${b}`);
  world.mark = rig.mark;
  world.completed = [];
}

export function checkFile({ rig }: World, expected: Expected): void {
  const { auth, login } = whereIs(snapshotOf(expected));
  if (snapshotOf(expected).hasTag('busy') || login === 'saving') return;
  const { stored } = contextOf(expected);
  const file = rig.readAuth();
  const kind = file === null ? 'none' : file.tokens != null ? 'chatgpt' : 'apiKey';
  if (kind !== stored.kind) throw new Error(`the file holds ${kind}, not ${stored.kind} (${auth})`);
}

/** The audit has the reason. There may be others, because the test changes the file, too. */
export async function checkReason(world: World, expected: Expected): Promise<void> {
  const { decision } = contextOf(expected);
  if (decision === world.decision || decision.reason === 'starting') return;
  world.decision = decision;
  let added: readonly string[] = [];
  let count = 0;
  await until(
    async () => {
      const { records } = (await world.rig.call('engine/audit/read')) as unknown as {
        readonly records: readonly { readonly subject: string; readonly reason: string }[];
      };
      count = records.length;
      const ours = records.slice(world.audited).filter(({ subject }) => subject === 'account');
      added = ours.map(({ reason }) => reason);
      return added.includes(decision.reason);
    },
    () => `the audit has ${added.join(', ') || 'nothing'}, not ${decision.reason}`,
  );
  world.audited = count;
}

/** The mode in `account/updated`. ACC-22 */
function modeOf({ external, stored }: AccountContext): string | null {
  if (external !== null) return 'chatgptAuthTokens';
  if (stored.kind === 'chatgpt') return 'chatgpt';
  return stored.kind === 'apiKey' ? 'apikey' : null;
}

function planOf({ external, stored }: AccountContext): Plan | null {
  return external?.plan ?? (stored.kind === 'chatgpt' ? stored.account.plan : null);
}

function questionsOf(auth: string, login: string, routing: string, fileIsHeld: boolean): Question[] {
  const questions: Question[] = [];
  if (auth === 'chatgpt.refreshing') questions.push('refresh');
  if (auth === 'signingOut' && !fileIsHeld) questions.push('revoke');
  if (auth === 'external.requesting') questions.push('externalTokens');
  if (login === 'exchanging') questions.push('exchange');
  if (login === 'device.requesting') questions.push('usercode');
  if (login === 'device.polling') questions.push('devicePoll');
  // A lookup that was refused is repeated after the response of the parent app.
  if (routing === 'looking' && auth !== 'external.requesting') questions.push('check');
  return questions.sort();
}
