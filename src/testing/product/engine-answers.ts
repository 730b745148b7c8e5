/** What each actor of the charts can be answered from outside. */
import type { Enrollment, Failure, ServerToken } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import { failure } from '../charts/model.js';
import type { Request } from '../wiring.js';
import { ANNA_ID, FIRST_GENERATION, NOBODY, stored } from './engine-accounts.js';
import { type AccountSnapshot, type EngineNode, type EngineWorld, remoteControlOf } from './engine-world.js';

const HOUR = 3_600_000;
const MINUTE = 60_000;

export interface Answer {
  readonly words: string;
  readonly output: unknown;
  /** What it changes in the world outside. */
  readonly next: Partial<EngineWorld>;
}

interface Question {
  readonly request: Request;
  readonly node: EngineNode;
  /** Wall-clock ms. */
  readonly now: number;
}

const answer = (words: string, output: unknown, next: Partial<EngineWorld> = {}): Answer => ({
  words,
  output,
  next,
});

const failed = (reason: Reason, extra?: Partial<Failure>) => ({ failure: failure(reason, extra) });
const UNAUTHORIZED = answer('401', { kind: 'unauthorized', ...failed('backendUnauthorized') });
const UNAVAILABLE = answer('503', { kind: 'transient', ...failed('backendUnavailable') });
const unknown = (next: Partial<EngineWorld>): Answer =>
  answer('404, unknown server', { kind: 'notFound', byBackend: true, ...failed('backendNotFound') }, next);
const rateLimited = (now: number): Answer =>
  answer('429 with Retry-After', {
    ...{ kind: 'transient', ...failed('backendRateLimited', { retryAfterAt: now + MINUTE }) },
  });

/** The token names its identity, so that a law can compare the two. */
const tokenOf = (serverId: string, now: number): ServerToken => ({
  secret: new Secret(serverId),
  expiresAt: now + HOUR,
});

const lost = ({ world }: EngineNode, serverId: string | undefined): Partial<EngineWorld> =>
  serverId === undefined || world.gone.includes(serverId) ? {} : { gone: [...world.gone, serverId].sort() };

function identityOf(node: EngineNode): Enrollment | undefined {
  const enrollment = remoteControlOf(node)?.context.enrollment;
  return typeof enrollment === 'object' ? enrollment : undefined;
}

const accountOf = (node: EngineNode) => remoteControlOf(node)?.context.account ?? null;

function enroll({ node: { world }, now }: Question): Answer[] {
  const count = world.granted + 1;
  const serverId = `S${count}`;
  const enrollment: Enrollment = { serverId, environmentId: `E${count}`, serverName: 'host' };
  return [
    answer('granted', { kind: 'granted', enrollment, token: tokenOf(serverId, now) }, { granted: count }),
    ...[UNAUTHORIZED, UNAVAILABLE, rateLimited(now)],
    answer('404, no such route', { kind: 'notFound', byBackend: true, ...failed('backendNotFound') }),
  ];
}

function refresh({ request, node, now }: Question): Answer[] {
  const { enrollment } = request.input as { readonly enrollment: Enrollment | null };
  const serverId = enrollment?.serverId;
  return [
    answer('granted', { kind: 'granted', token: tokenOf(serverId ?? 'nobody', now) }),
    UNAUTHORIZED,
    unknown(lost(node, serverId)),
    answer('404 of a proxy', { kind: 'notFound', byBackend: false, ...failed('backendNotFound') }),
    ...[UNAVAILABLE, rateLimited(now)],
  ];
}

function dial({ node }: Question): Answer[] {
  return [
    answer('open', { kind: 'open', socket: 1 }),
    answer('401', { kind: 'tokenRejected', ...failed('tokenRejected') }),
    answer(
      '404, unknown server',
      { kind: 'serverGone', ...failed('serverGone') },
      lost(node, identityOf(node)?.serverId),
    ),
    answer('404 of a proxy', { kind: 'ambiguousNotFound', ...failed('ambiguousNotFound') }),
    answer('409', { kind: 'conflict', ...failed('connectionConflict') }),
    answer('no connection', { kind: 'failed', ...failed('networkUnreachable') }),
  ];
}

const LINK_ENDS = [
  answer('the backend closes it', { kind: 'closedByPeer', reason: 'linkClosed', code: 1012, stable: false }),
  answer('it breaks', { kind: 'lost', reason: 'linkLost', code: null, stable: false }),
  answer('another engine replaces it', {
    kind: 'replaced',
    reason: 'linkReplaced',
    code: 1000,
    stable: false,
  }),
];

function loadEnrollment({ node }: Question): Answer[] {
  const accountId = accountOf(node)?.accountId ?? ANNA_ID;
  const known = node.world.store[accountId];
  return [
    known === undefined
      ? answer(`${accountId} has no identity`, { kind: 'none', preference: 'unset' })
      : answer(`the identity of ${accountId}`, { kind: 'found', enrollment: known, preference: 'on' }),
    answer('it cannot be read', { kind: 'failed', ...failed('storeUnavailable') }),
  ];
}

function saveEnrollment({ request, node: { world } }: Question): Answer[] {
  const { key, enrollment } = request.input as {
    readonly key: { readonly accountId: string };
    readonly enrollment: Enrollment | null;
  };
  const store = enrollment === null ? world.store : { ...world.store, [key.accountId]: enrollment };
  return [
    answer('written', { kind: 'done' }, { store }),
    answer('it cannot be written', { kind: 'failed', ...failed('storeWriteFailed') }),
  ];
}

function requestCode({ node, now }: Question): Answer[] {
  const serverId = node.situation.notes.get('the identity of the pairing request');
  const code = {
    ...{ pairingCode: new Secret('code'), manualPairingCode: null },
    environmentId: `E${serverId?.slice(1)}`,
    expiresAt: now + 10 * MINUTE,
  };
  return [
    answer('a code', { kind: 'granted', code }),
    UNAUTHORIZED,
    unknown(lost(node, serverId === '' ? undefined : serverId)),
    UNAVAILABLE,
  ];
}

function refreshTokens({ node: { situation, world } }: Question): Answer[] {
  const snapshot = situation.positions.get('account')?.snapshot as AccountSnapshot | undefined;
  const content = snapshot?.context.stored;
  const accountId = content?.kind === 'chatgpt' ? content.account.accountId : null;
  const next = { generations: world.generations + 1 };
  const renewed = stored(accountId ?? ANNA_ID, FIRST_GENERATION + world.generations);
  return [
    answer('new tokens', { kind: 'refreshed', stored: renewed }, next),
    answer('the issuer refuses for good', { kind: 'permanent', ...failed('refreshTokenExpired') }),
    answer('the issuer cannot be reached', { kind: 'failed', ...failed('issuerUnreachable') }),
  ];
}

const reload = ({ node }: Question): Answer[] => [
  answer('the same tokens', {
    kind: 'recovered',
    account: accountOf(node) ?? { accountId: ANNA_ID, generation: FIRST_GENERATION },
  }),
  answer('another account', { kind: 'exhausted', ...failed('accountDiffersOnDisk') }),
];

/** By chart and source. What is not here is never answered, as an actor that only watches. */
const ANSWERS: Readonly<Record<string, (question: Question) => readonly Answer[]>> = {
  'remoteControl.enroll': enroll,
  'remoteControl.refresh': refresh,
  'tokenRenewal.refresh': refresh,
  'remoteControl.dial': dial,
  'remoteControl.link': () => LINK_ENDS,
  'remoteControl.loadEnrollment': loadEnrollment,
  'remoteControl.saveEnrollment': saveEnrollment,
  'remoteControl.drain': () => [answer('done', undefined)],
  'pairing.requestCode': requestCode,
  'account.refreshTokens': refreshTokens,
  'account.signOut': () => [
    answer('deleted', { kind: 'stored', stored: NOBODY }),
    answer('it cannot be written', { kind: 'failed', ...failed('authFileNotWritable') }),
  ],
  'authRecovery.reload': reload,
};

export const answersTo = (question: Question): readonly Answer[] =>
  ANSWERS[`${question.request.chart}.${question.request.src}`]?.(question) ?? [];
