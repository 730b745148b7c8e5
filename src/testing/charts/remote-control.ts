/** Model of the chart `remoteControl`. */
import type { SnapshotFrom } from 'xstate';
import type { LinkOutput } from '../../../machines/link.js';
import type { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import type { RemoteControlEvent, RemoteControlInput } from '../../../machines/remote-control/types.js';
import type {
  Account,
  AuthOutcome,
  DialOutcome,
  Enrollment,
  EnrollOutcome,
  LoadEnrollmentOutcome,
  RecoveryOutcome,
  RefreshOutcome,
  StoreOutcome,
} from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { failure, isCalling, SimulatedEnv, type Variant } from './model.js';

type Snapshot = SnapshotFrom<typeof remoteControlMachine>;

const HOUR = 3_600_000;
const MINUTE = 60_000;
const ANNA: Account = { accountId: 'anna', generation: 1 };
const ANNA_AGAIN: Account = { accountId: 'anna', generation: 2 };
const BERT: Account = { accountId: 'bert', generation: 9 };
const KNOWN: Enrollment = { serverId: 'S1', environmentId: 'E1', serverName: 'host' };
const RENAMED: Enrollment = { ...KNOWN, serverName: 'old-host' };
const FRESH: Enrollment = { serverId: 'S2', environmentId: 'E2', serverName: 'host' };

const LOADED: readonly LoadEnrollmentOutcome[] = [
  { kind: 'found', enrollment: KNOWN, preference: 'unset' },
  { kind: 'found', enrollment: RENAMED, preference: 'on' },
  { kind: 'none', preference: 'unset' },
  { kind: 'none', preference: 'off' },
  { kind: 'failed', failure: failure('storeUnavailable') },
];
const STORED: readonly StoreOutcome[] = [
  { kind: 'done' },
  { kind: 'failed', failure: failure('storeWriteFailed') },
];
const AUTH: readonly AuthOutcome[] = [
  { kind: 'usable', account: ANNA },
  { kind: 'usable', account: BERT },
  { kind: 'ineligible', failure: failure('authMissing') },
];
const RECOVERED: readonly RecoveryOutcome[] = [
  { kind: 'recovered', account: ANNA_AGAIN },
  { kind: 'recovered', account: BERT },
  { kind: 'transient', failure: failure('authRecoveryFailed') },
  { kind: 'exhausted', failure: failure('authRejected') },
];
const ENDED: readonly LinkOutput[] = [
  { kind: 'closedByPeer', reason: 'linkClosed', code: 1012, stable: false },
  { kind: 'closedByPeer', reason: 'linkClosed', code: 1012, stable: true },
  { kind: 'replaced', reason: 'linkReplaced', code: 1000, stable: false },
  { kind: 'lost', reason: 'linkLost', code: null, stable: false },
  { kind: 'silent', reason: 'pongTimeout', code: null, stable: true },
];

/** One variant for each configuration that the chart treats differently. RC-2, RC-6, RC-27, RC-45 */
export function remoteControlModel(): Variant<typeof remoteControlMachine>[] {
  return [
    variant('default', {}),
    variant('client name unknown, sign-in required, --on-conflict exit', {
      clientName: undefined,
      authStartup: 'ready',
      onConflict: 'exit',
    }),
    variant('--on-conflict reenroll', { onConflict: 'reenroll' }),
    variant('target refused', { target: { ok: false, failure: failure('targetRefused') } }),
    variant('no store', { store: 'missing' }),
    silentVariant(),
  ];
}

function variant(name: string, special: Partial<RemoteControlInput>): Variant<typeof remoteControlMachine> {
  const env = new SimulatedEnv();
  const backend = backendOutcomes(env);
  return {
    name,
    options: {
      input: {
        env,
        timing: DEFAULT_TIMING,
        target: { ok: true, socketUrl: 'wss://backend.test/server' },
        store: 'present',
        serverName: 'host',
        clientName: null,
        authStartup: 'recoverable',
        onConflict: 'wait',
        ...special,
      },
      setTime: env.setTime,
      key: readByGuards,
      waits: (snapshot) => !isCallingAdapter(snapshot),
      events: (snapshot) => events(snapshot, env),
      outcomes: {
        loadAuth: AUTH,
        reloadAuth: AUTH,
        loadPreference: LOADED,
        loadEnrollment: LOADED,
        updateEnrollment: STORED,
        saveEnrollment: STORED,
        ...backend,
        recoverAuth: RECOVERED,
        link: ENDED,
      },
    },
  };
}

/** The link has deadlines of its own, and `drain` has a short one. */
export const isCallingAdapter = (snapshot: Snapshot): boolean => isCalling(snapshot, ['link', 'drain']);

/**
 * Adapters that may not answer, so that deadlines end. They are long: what happens is limited to what does not depend on
 * how much time has passed.
 */
function silentVariant(): Variant<typeof remoteControlMachine> {
  const { name, options } = variant('adapters that do not answer', {});
  const token = { secret: new Secret('token'), expiresAt: Number.MAX_SAFE_INTEGER };
  const granted = { kind: 'granted', token } as const;
  return {
    name,
    options: {
      ...options,
      waits: () => true,
      // As a function: no event beyond these.
      events: () => [
        { type: 'ENABLE', by: 'start', durable: false },
        { type: 'RESOLVE_PREFERENCE' },
        { type: 'STOP' },
      ],
      outcomes: {
        ...options.outcomes,
        enroll: [{ ...granted, enrollment: FRESH }],
        enrollAgain: [{ ...granted, enrollment: FRESH }],
        refresh: [granted, { kind: 'unauthorized', failure: failure('backendUnauthorized') }],
        verify: [granted],
        dial: [
          { kind: 'open', socket: 1 },
          { kind: 'serverGone', failure: failure('serverGone') },
          { kind: 'ambiguousNotFound', failure: failure('ambiguousNotFound') },
        ],
      },
    },
  };
}

const tokenFor = (env: SimulatedEnv, lifetime: number) => ({
  secret: new Secret('token'),
  expiresAt: env.now() + lifetime,
});

/** Outcomes of requests to the backend. Their times are relative to the simulated time at which they arrive. */
function backendOutcomes(env: SimulatedEnv) {
  const token = (lifetime: number) => tokenFor(env, lifetime);
  const rateLimited = () => failure('backendRateLimited', { retryAfterAt: env.now() + MINUTE });
  const refreshed = (): readonly RefreshOutcome[] => [
    { kind: 'granted', token: token(HOUR) },
    { kind: 'granted', token: token(2 * MINUTE) },
    { kind: 'unauthorized', failure: failure('backendUnauthorized') },
    { kind: 'notFound', byBackend: true, failure: failure('backendNotFound') },
    { kind: 'notFound', byBackend: false, failure: failure('backendNotFound') },
    { kind: 'transient', failure: failure('backendUnavailable') },
    { kind: 'transient', failure: rateLimited() },
    { kind: 'other', failure: failure('backendRefused') },
  ];
  const enrolled = (): readonly EnrollOutcome[] => [
    { kind: 'granted', enrollment: FRESH, token: token(HOUR) },
    { kind: 'granted', enrollment: FRESH, token: token(10_000) },
    { kind: 'unauthorized', failure: failure('backendUnauthorized') },
    { kind: 'transient', failure: failure('backendUnavailable') },
    { kind: 'transient', failure: rateLimited() },
  ];
  return {
    enroll: enrolled,
    enrollAgain: (): readonly EnrollOutcome[] => [
      ...enrolled(),
      { kind: 'notFound', byBackend: true, failure: failure('backendNotFound') },
    ],
    refresh: refreshed,
    verify: refreshed,
    dial: (): readonly DialOutcome[] => [
      { kind: 'open', socket: 1 },
      { kind: 'tokenRejected', failure: failure('tokenRejected') },
      { kind: 'serverGone', failure: failure('serverGone') },
      { kind: 'ambiguousNotFound', failure: failure('ambiguousNotFound') },
      { kind: 'conflict', failure: failure('connectionConflict') },
      { kind: 'failed', failure: failure('networkUnreachable') },
      { kind: 'failed', failure: rateLimited() },
    ],
  };
}

function events({ context }: Snapshot, env: SimulatedEnv): readonly RemoteControlEvent[] {
  const identity = typeof context.enrollment === 'string' ? KNOWN : context.enrollment;
  const token = tokenFor(env, HOUR);
  return [
    { type: 'ENABLE', by: 'start', durable: false },
    { type: 'ENABLE', by: 'request', durable: true },
    { type: 'DISABLE', durable: false },
    { type: 'RESOLVE_PREFERENCE' },
    { type: 'CLIENT.NAMED', name: 'client' },
    { type: 'AUTH.CHANGED', account: null },
    { type: 'AUTH.CHANGED', account: ANNA_AGAIN },
    { type: 'AUTH.CHANGED', account: BERT },
    { type: 'TOKEN.RENEWED', enrollment: identity, token },
    { type: 'TOKEN.RENEWED', enrollment: { ...identity, serverId: 'other' }, token },
    { type: 'ENROLLMENT.LOST', serverId: identity.serverId, failure: failure('serverGone') },
    { type: 'ENROLLMENT.LOST', serverId: 'other', failure: failure('serverGone') },
    { type: 'WAKE' },
    { type: 'NETWORK.CHANGED' },
    { type: 'LINK.STABLE' },
    { type: 'STOP' },
  ];
}

/** The aspects of a snapshot that guards read, to distinguish situations in the same state. */
export function readByGuards({ context }: Snapshot): string[] {
  const { failureCounters, token, enrollment, env, timing } = context;
  const conflict =
    context.conflictSince === null
      ? 'none'
      : env.monotonic() - context.conflictSince >= timing.conflictPersists;
  const left = token === null ? 0 : token.expiresAt - env.now();
  return [
    context.activation,
    context.clientName === undefined,
    `${context.account?.accountId} ${context.account?.generation}`,
    context.refusedGeneration,
    typeof enrollment === 'string' ? enrollment : enrollment.serverId === context.persistedServerId,
    context.lostServerId,
    context.preference,
    left <= timing.refreshRequired ? 'none' : left <= timing.refreshProactive ? 'short' : 'good',
    context.retryAfter.until > env.monotonic(),
    context.refreshNotBefore > env.monotonic(),
    Math.min(failureCounters.tokenRejections, 2),
    Math.min(failureCounters.identityLosses, 2),
    Math.min(failureCounters.conflicts, 2),
    Math.min(failureCounters.recoveries, 2),
    Math.min(failureCounters.unstableLinks, 1),
    `${Math.min(failureCounters.takeovers, 2)} ${context.openedAt !== null} ${conflict}`,
    failureCounters.networkCut === failureCounters.attempt + 1,
  ].map(String);
}
