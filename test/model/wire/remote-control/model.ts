/** Outcomes of a real backend, account and store for remoteControl, each with how the test causes it. */

import type { SnapshotFrom } from 'xstate';
import { enrollmentOf } from '../../../../machines/remote-control/context.js';
import type { remoteControlMachine } from '../../../../machines/remote-control/machine.js';
import type { RemoteControlContext, RemoteControlEvent } from '../../../../machines/remote-control/types.js';
import type { FaultInput } from '../../../../src/backend/index.js';
import type { Account } from '../../../../src/protocol/outcomes.js';
import { Secret } from '../../../../src/protocol/secret.js';
import type { Timing } from '../../../../src/protocol/timing.js';
import { DEFAULT_TIMING } from '../../../../src/protocol/timing.js';
import { failure, SimulatedEnv } from '../../../../src/testing/charts/model.js';
import { isCallingAdapter, readByGuards } from '../../../../src/testing/charts/remote-control.js';
import type { GenerateOptions } from '../../../../src/testing/index.js';

type Machine = typeof remoteControlMachine;
type Snapshot = SnapshotFrom<Machine>;

/** A fault of the backend; null: none. */
export type Play = FaultInput | null;

const HOURS = 3_600_000;
export const TOKEN_LIFE = 8 * HOURS;
const RETRY_AFTER = 2;

/**
 * Backoff pauses are between half a minute and a minute, or very short by the random value of the driver. The others are
 * fixed.
 */
export const TIMING: Timing = {
  ...DEFAULT_TIMING,
  backoffBase: 60_000,
  backoffCap: 60_000,
  quickRetryMin: 30_000,
  quickRetryMax: 60_000,
  handoverFirst: 300,
  handoverSecond: 300,
  refreshDeferralMin: 30_000,
  refreshDeferralMax: 60_000,
  retryAfterSpread: 0,
  authPoll: 400,
  pingInterval: 40,
  stableAfter: 20,
  closeTimeout: 400,
};

const PLAYS = new WeakMap<object, Play>();
/** The fault that causes this outcome. */
export const playOf = (outcome: unknown): Play =>
  typeof outcome === 'object' && outcome !== null ? (PLAYS.get(outcome) ?? null) : null;

function played<T extends object>(outcome: T, play: Play): T {
  PLAYS.set(outcome, play);
  return outcome;
}

const status = (route: 'enroll' | 'refresh' | 'socket', code: number, more: object = {}): FaultInput => ({
  action: 'answer',
  fault: { route, answer: 'status', status: code, ...more },
});

const ACTORS = [
  'loadAuth',
  'reloadAuth',
  'loadPreference',
  'loadEnrollment',
  'updateEnrollment',
  'saveEnrollment',
  'enroll',
  'enrollAgain',
  'refresh',
  'verify',
  'dial',
  'recoverAuth',
  'link',
  'drain',
];

/** Actors that only use the disk: they end without the test, so that no step can come between. */
export const AUTOMATIC: ReadonlySet<string> = new Set([
  'loadEnrollment',
  'loadPreference',
  'updateEnrollment',
  'saveEnrollment',
  'drain',
]);

export interface Start {
  readonly name: string;
  /** The home has an identity that the backend knows. */
  readonly enrolled: boolean;
  /** The stored preference. */
  readonly preference: 'unset' | 'on' | 'off';
  readonly onConflict: 'wait' | 'reenroll' | 'exit';
  readonly authStartup: 'ready' | 'recoverable';
  /** The first client uses stdio, and its name is part of the key. RC-45 */
  readonly stdio: boolean;
  /** The missing precondition. RC-2, RC-6 */
  readonly lacks: 'target' | 'store' | null;
}

const DEFAULT: Start = {
  name: 'a home with an identity',
  enrolled: true,
  preference: 'unset',
  onConflict: 'wait',
  authStartup: 'recoverable',
  stdio: false,
  lacks: null,
};

export const CLIENT_NAME = 'paths';

export const STARTS: readonly Start[] = [
  DEFAULT,
  { ...DEFAULT, name: 'a new home', enrolled: false },
  { ...DEFAULT, name: 'a stored preference: on', preference: 'on' },
  { ...DEFAULT, name: 'a stored preference: off', preference: 'off' },
  { ...DEFAULT, name: '--on-conflict reenroll', onConflict: 'reenroll' },
  {
    ...DEFAULT,
    name: '--on-conflict exit, sign-in required',
    onConflict: 'exit',
    authStartup: 'ready',
  },
  { ...DEFAULT, name: 'a stdio client', stdio: true },
  { ...DEFAULT, name: 'a refused base URL', enrolled: false, lacks: 'target' },
  { ...DEFAULT, name: 'no store', enrolled: false, lacks: 'store' },
];

/** Each new identity is another one; the ids of the backend do not matter. */
const REPLACEMENT = { serverId: 'S2', environmentId: 'E2', serverName: 'host' };
const IDENTITY = { serverId: 'S1', environmentId: 'E1', serverName: 'host' };

/** Outcomes of requests to the backend and of the link, each with the fault that causes it. */
function backendOutcomes(env: SimulatedEnv) {
  const token = (lifetime = TOKEN_LIFE) => ({ secret: new Secret('token'), expiresAt: env.now() + lifetime });
  const short = (seconds: number): FaultInput => ({ action: 'tokenLife', seconds });
  const retryAfter = () => ({ retryAfterAt: env.now() + RETRY_AFTER * 1_000 });
  const limited = (route: 'enroll' | 'refresh' | 'socket') =>
    status(route, 429, { headers: { 'retry-after': `${RETRY_AFTER}` } });
  const refreshed = () => [
    played({ kind: 'granted', token: token() }, null),
    played({ kind: 'granted', token: token(120_000) }, short(120)),
    played({ kind: 'granted', token: token(10_000) }, short(10)),
    played(
      { kind: 'unauthorized', failure: failure('backendUnauthorized', { httpStatus: 401 }) },
      status('refresh', 401),
    ),
    played(
      { kind: 'notFound', byBackend: true, failure: failure('backendNotFound', { httpStatus: 404 }) },
      status('refresh', 404, { body: { detail: 'Unknown server' } }),
    ),
    played(
      { kind: 'notFound', byBackend: false, failure: failure('backendNotFound', { httpStatus: 404 }) },
      status('refresh', 404, { body: '<h1>Not Found</h1>' }),
    ),
    played(
      { kind: 'transient', failure: failure('backendUnavailable', { httpStatus: 503 }) },
      status('refresh', 503),
    ),
    played(
      { kind: 'transient', failure: failure('backendRateLimited', { ...retryAfter(), httpStatus: 429 }) },
      limited('refresh'),
    ),
    played(
      { kind: 'other', failure: failure('backendRefused', { httpStatus: 400 }) },
      status('refresh', 400),
    ),
  ];
  const gone = { body: { detail: 'Remote app server not found' } };
  const enrolled = (enrollment = IDENTITY) => [
    played({ kind: 'granted', enrollment, token: token() }, null),
    played({ kind: 'granted', enrollment, token: token(10_000) }, short(10)),
    played(
      { kind: 'unauthorized', failure: failure('backendUnauthorized', { httpStatus: 401 }) },
      status('enroll', 401),
    ),
    played(
      { kind: 'transient', failure: failure('backendUnavailable', { httpStatus: 503 }) },
      status('enroll', 503),
    ),
    played(
      { kind: 'transient', failure: failure('backendRateLimited', { ...retryAfter(), httpStatus: 429 }) },
      limited('enroll'),
    ),
  ];
  return {
    enroll: () => enrolled(),
    enrollAgain: ({ context }: Snapshot) => [
      ...enrolled(enrollmentOf(context)?.serverId === 'S1' ? REPLACEMENT : IDENTITY),
      played(
        { kind: 'notFound', byBackend: true, failure: failure('backendNotFound', { httpStatus: 404 }) },
        status('enroll', 404, { body: { detail: 'Not Found' } }),
      ),
    ],
    refresh: refreshed,
    verify: refreshed,
    dial: () => [
      played({ kind: 'open', socket: 1 }, null),
      played(
        { kind: 'tokenRejected', failure: failure('tokenRejected', { httpStatus: 401 }) },
        status('socket', 401),
      ),
      played(
        { kind: 'serverGone', failure: failure('serverGone', { httpStatus: 404 }) },
        status('socket', 404, gone),
      ),
      played(
        { kind: 'ambiguousNotFound', failure: failure('ambiguousNotFound', { httpStatus: 404 }) },
        status('socket', 404, { body: 'Not Found' }),
      ),
      played(
        { kind: 'conflict', failure: failure('connectionConflict', { httpStatus: 409 }) },
        status('socket', 409),
      ),
      played(
        { kind: 'failed', failure: failure('backendUnavailable', { httpStatus: 500 }) },
        status('socket', 500),
      ),
      played(
        { kind: 'failed', failure: failure('backendRateLimited', { ...retryAfter(), httpStatus: 429 }) },
        limited('socket'),
      ),
    ],
    link: ({ context }: Snapshot) => {
      const stable = context.decision.reason === 'linkProven';
      return [
        played(
          { kind: 'closedByPeer', reason: 'linkClosed', code: 1012, stable },
          { action: 'closeSockets', side: 'server', code: 1012 },
        ),
        played(
          { kind: 'lost', reason: 'linkLost', code: null, stable },
          { action: 'dropSockets', side: 'server' },
        ),
      ];
    },
  };
}

export function optionsOf(start: Start): GenerateOptions<Machine> {
  const env = new SimulatedEnv();
  const anna = (generation: number) => ({ accountId: 'anna', generation });
  const auth = ({ context }: Snapshot) => [
    ...(isBert(context) ? [] : [{ kind: 'usable', account: anna(1) }]),
    ...(context.account !== null && start.enrolled ? [{ kind: 'usable', account: BERT }] : []),
    { kind: 'ineligible', failure: failure('authMissing') },
  ];
  const none = { kind: 'none', preference: 'unset' };
  const found = { kind: 'found', enrollment: IDENTITY, preference: start.preference };
  const unread = { kind: 'failed', failure: failure('storeUnavailable') };
  // Only an existing record can be damaged.
  const loaded = ({ context }: Snapshot) => (start.enrolled && !isBert(context) ? [found, unread] : [none]);
  // A store that cannot be written is reported as unavailable.
  const stored = [{ kind: 'done' }, unread];
  return {
    input: {
      env,
      timing: TIMING,
      target:
        start.lacks === 'target'
          ? { ok: false, failure: failure('targetRefused') }
          : { ok: true, socketUrl: 'wss://backend.test/server' },
      store: start.lacks === 'store' ? 'missing' : 'present',
      serverName: 'host',
      clientName: start.stdio ? undefined : null,
      authStartup: start.authStartup,
      onConflict: start.onConflict,
    },
    setTime: env.setTime,
    // The possible events depend on the reason of the decision.
    key: (snapshot) => [...readByGuards(snapshot), reasonOf(snapshot)],
    maxSteps: 30,
    waits: (snapshot) => !isCallingAdapter(snapshot),
    events: (snapshot) => possibleEvents(snapshot, start),
    // An adapter rejects only because of a bug.
    failures: Object.fromEntries(ACTORS.map((id) => [id, []])),
    outcomes: {
      loadAuth: auth,
      reloadAuth: auth,
      loadPreference: loaded,
      loadEnrollment: loaded,
      updateEnrollment: stored,
      saveEnrollment: stored,
      recoverAuth: ({ context }: Snapshot) => [
        ...(isBert(context) ? [] : [{ kind: 'recovered', account: anna(2) }]),
        // On a new home only if that ends the request, so that the model knows which account has which record.
        ...(start.enrolled || context.activation === 'request' ? [{ kind: 'recovered', account: BERT }] : []),
        { kind: 'transient', failure: failure('authRecoveryFailed') },
        { kind: 'exhausted', failure: failure('authRejected') },
      ],
      ...backendOutcomes(env),
      // The helpers widen the kinds to strings.
    } as object as GenerateOptions<Machine>['outcomes'] & {},
  };
}

const reasonOf = ({ context }: Snapshot): string =>
  ['starting', 'linkProven'].find((reason) => reason === context.decision.reason) ?? '';

/** Signs in at most once and last, so that the model knows which account has which record. */
const BERT: Account = { accountId: 'bert', generation: 9 };
const isBert = ({ account }: RemoteControlContext): boolean => account?.accountId === BERT.accountId;

/** The events that the test can cause in a running engine. */
function possibleEvents({ context, value, children }: Snapshot, start: Start): readonly RemoteControlEvent[] {
  if (Object.keys(children).some((id) => AUTOMATIC.has(id))) return [];
  const isNew = value === 'idle' && context.decision.reason === 'starting';
  const resolve = { type: 'RESOLVE_PREFERENCE' } as const;
  const enable = { type: 'ENABLE', by: 'request', durable: false } as const;
  if (start.lacks !== null) return isNew ? [enable, resolve] : [];
  return [
    ...(isNew
      ? [{ type: 'ENABLE', by: 'start', durable: false } as const, resolve, { ...enable, durable: true }]
      : [enable]),
    { type: 'DISABLE', durable: false },
    ...(context.clientName === undefined ? [{ type: 'CLIENT.NAMED', name: CLIENT_NAME } as const] : []),
    ...accounts(context, start),
    ...pairings({ context, value }),
    { type: 'WAKE' },
    { type: 'NETWORK.CHANGED' },
    { type: 'LINK.STABLE' },
    { type: 'STOP' },
  ];
}

function accounts(context: RemoteControlContext, start: Start): readonly RemoteControlEvent[] {
  const { account, enrollment, persistedServerId } = context;
  const change = (changed: Account | null): RemoteControlEvent => ({
    type: 'AUTH.CHANGED',
    account: changed,
  });
  if (isBert(context)) return [change(BERT)];
  const again = change({ accountId: 'anna', generation: 2 });
  if (!start.enrolled) return account === null ? [] : [again];
  // The same account finds its identity again after a sign-out.
  const isPersisted =
    enrollment === 'unknown' || (typeof enrollment !== 'string' && enrollment.serverId === persistedServerId);
  return [again, ...(isPersisted ? [change(null)] : []), ...(account === null ? [] : [change(BERT)])];
}

/** Pairing refreshes an expired token while the link is open. RC-47 */
function pairings({ context, value }: Pick<Snapshot, 'context' | 'value'>): readonly RemoteControlEvent[] {
  const { enrollment, token, env, timing } = context;
  const isConnected = typeof value === 'object' && 'active' in value && value.active === 'connected';
  if (!isConnected || typeof enrollment === 'string' || token === null) return [];
  if (token.expiresAt - env.now() > timing.refreshRequired) return [];
  const renewed = { secret: new Secret('token'), expiresAt: env.now() + TOKEN_LIFE };
  return [
    { type: 'TOKEN.RENEWED', enrollment, token: renewed },
    { type: 'ENROLLMENT.LOST', serverId: enrollment.serverId, failure: failure('backendNotFound') },
  ];
}
