/** Events and outcomes that a test can cause from outside: by the backend, the account file and JSON-RPC. */
import type { SnapshotFrom } from 'xstate';
import type { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import type { RemoteControlContext, RemoteControlEvent } from '../../../machines/remote-control/types.js';
import { statePath } from '../../../src/protocol/decision.js';
import { DEFAULT_TIMING } from '../../../src/protocol/timing.js';
import { failure } from '../../../src/testing/charts/model.js';
import { isCallingAdapter, readByGuards } from '../../../src/testing/charts/remote-control.js';
import type { GenerateOptions, Step } from '../../../src/testing/index.js';
import {
  AUTOMATIC,
  playOf,
  STARTS,
  type Start,
  optionsOf as wireOptionsOf,
} from '../wire/remote-control/model.js';
import type { Exceptions } from '../wire/report.js';

export type Machine = typeof remoteControlMachine;
export type Snapshot = SnapshotFrom<Machine>;

export interface OutsideStart extends Start {
  /** A request to enable while remote control is off is durable. */
  readonly durable: boolean;
  /** Transitions that are played again from this start. */
  readonly repeated: RegExp | null;
}

const [ENROLLED, NEW] = ['a home with an identity', 'a new home'].map((wanted) => {
  const start = STARTS.find(({ name }) => name === wanted);
  if (start === undefined) throw new Error(`there is no start "${wanted}"`);
  return { ...start, durable: false, repeated: null };
}) as [OutsideStart, OutsideStart];

/** The starts that need only a home directory. */
export const OUTSIDE_STARTS: readonly OutsideStart[] = [
  ENROLLED,
  NEW,
  {
    ...ENROLLED,
    name: 'a home with an identity, durable requests',
    durable: true,
    repeated: /idle ENABLE|reloadAuth 4$|recoverAuth 3$/,
  },
];

/** Transitions that cannot be caused from outside. All have a path over the wire or in charts.test.ts. */
export const NOT_FROM_OUTSIDE: Exceptions = [
  [/ xstate\.error\.actor\./, 'an adapter rejects only because of a bug'],
  [
    /CLIENT\.NAMED|awaitingClientName|idle (ENABLE|RESOLVE_PREFERENCE) 2$/,
    'the client name is known at once',
  ],
  [/idle (ENABLE|RESOLVE_PREFERENCE) [01]$/, 'with these settings there is no backend'],
  [
    /resolvingPreference|RESOLVE_PREFERENCE/,
    'each client stores its preference in its own way: test/model/wire',
  ],
  [/TOKEN\.RENEWED|ENROLLMENT\.LOST|tokenInvalid\.pausing .* 1$/, 'it needs pairing at the same moment'],
  [/AUTH\.CHANGED|loadAuth 0$|reloadAuth 1$|recoverAuth [01]$/, 'it needs a second account on the same home'],
  [
    /loadEnrollment 3$|loadEnrollment 0$|updateEnrollment|saveEnrollment 1$|notPersisted|preparing always 3$/,
    'each client has its own store',
  ],
  [/WAKE/, 'a test cannot put the machine to sleep'],
  [/NETWORK\.CHANGED/, 'a test cannot change the network of the machine'],
  [/LINK\.STABLE/, 'a link is stable after a minute, and only the reason shows it'],
  [/deferred|refresh [45]$|(retryAfter|refused) xstate\.after/, 'the pause is too long to wait for'],
  [/dial [67]$/, '--on-conflict is an option of this engine'],
  [/reloadAuth 3$|shutdownTimeout|stopping STOP/, 'the process exits, and nothing else is observable'],
];

/** Actors that end without the test, so that no step can come between. */
const UNHELD: ReadonlySet<string> = new Set([...AUTOMATIC, 'loadAuth', 'reloadAuth']);

/** The first recovery step reads the file, and the third is exhausted; only the second needs the test. */
export const recoversAutomatically = ({ failureCounters }: RemoteControlContext): boolean =>
  failureCounters.recoveries !== 1;

export function isTransient(snapshot: Snapshot): boolean {
  const running = Object.keys(snapshot.children);
  if (running.some((id) => UNHELD.has(id))) return true;
  return running.includes('recoverAuth') && recoversAutomatically(snapshot.context);
}

export const leafOf = ({ value }: Pick<Snapshot, 'value'>): string => statePath(value);

/** Identifies a step in a state. A step that led to a difference is not played again. */
export const branchOf = (leaf: string, what: string): string => `${leaf} | ${what}`;

/** States whose delay is too long to wait for. */
const LONG = ['deferred', 'retryAfter', 'stopping'];
/** After this attempt the backoff takes too long. */
const MAX_ATTEMPT = 1;

export function outsideOptions(start: OutsideStart, banned: ReadonlySet<string>): GenerateOptions<Machine> {
  const wire = wireOptionsOf(start);
  const allowed = (snapshot: Snapshot, what: string): boolean =>
    !banned.has(branchOf(leafOf(snapshot), what));
  const only =
    (actor: string, outcomes: (snapshot: Snapshot) => readonly unknown[]) =>
    (snapshot: Snapshot): readonly unknown[] =>
      outcomes(snapshot).filter((outcome) => allowed(snapshot, outcomeWords(actor, outcome)));
  const asGiven = (actor: string) => (snapshot: Snapshot) => {
    const given = wire.outcomes?.[actor] ?? [];
    return typeof given === 'function' ? given(snapshot) : given;
  };
  const outcomes: Record<string, (snapshot: Snapshot) => readonly unknown[]> = {
    ...Object.fromEntries(
      Object.keys(wire.outcomes ?? {}).map((actor) => [
        actor,
        (snapshot: Snapshot) =>
          asGiven(actor)(snapshot).filter((outcome) => canBe(actor, outcome, snapshot.context)),
      ]),
    ),
    loadAuth: ({ context }) => onFile(context),
    // A test cannot sign in between the two reads of one attempt.
    reloadAuth: ({ context }) =>
      onFile(context).filter(
        (outcome) =>
          kindOf(outcome) === 'ineligible' ||
          context.account !== null ||
          context.decision.reason === 'authMissing',
      ),
    recoverAuth: ({ context }) => {
      const { account, failureCounters } = context;
      const generation = account?.generation ?? 1;
      const recovered = (next: number) => ({
        kind: 'recovered',
        account: { accountId: 'anna', generation: next },
      });
      if (failureCounters.recoveries === 0) return [recovered(generation)];
      const exhausted = { kind: 'exhausted', failure: failure('authRejected') };
      if (failureCounters.recoveries > 1) return [exhausted];
      return [
        recovered(generation + 1),
        { kind: 'transient', failure: failure('authRecoveryFailed') },
        exhausted,
      ];
    },
  };
  const input = wire.input;
  if (input === undefined) throw new Error('the start has no input');
  return {
    ...wire,
    input: { ...input, timing: DEFAULT_TIMING },
    maxSteps: 12,
    key: (snapshot) => [
      ...readByGuards(snapshot),
      String(Math.min(snapshot.context.failureCounters.attempt, MAX_ATTEMPT + 1)),
      `${snapshot.context.activation} ${snapshot.context.failureCounters.recoveries} ${canBeRefused(snapshot.context)}`,
      String(['starting', 'authMissing'].find((reason) => reason === snapshot.context.decision.reason)),
    ],
    waits: (snapshot) =>
      !isCallingAdapter(snapshot) &&
      snapshot.context.failureCounters.attempt <= MAX_ATTEMPT &&
      !LONG.some((end) => leafOf(snapshot).endsWith(end)) &&
      allowed(snapshot, 'time'),
    events: (snapshot) =>
      possibleEvents(snapshot, start).filter((event) => allowed(snapshot, eventWords(event))),
    outcomes: Object.fromEntries(
      Object.entries(outcomes).map(([actor, list]) => [actor, only(actor, list)]),
    ) as GenerateOptions<Machine>['outcomes'] & {},
  };
}

/** The name of a step in `banned`. */
export function stepWords({ kind, event, actor, value }: Step): string {
  if (kind === 'delay') return 'time';
  return actor === null ? eventWords(event) : outcomeWords(actor, value);
}

function eventWords(event: { readonly type: string }): string {
  if (event.type !== 'ENABLE' || !('by' in event)) return event.type;
  const isDurable = 'durable' in event && event.durable === true;
  return event.by === 'start'
    ? 'ENABLE by start'
    : `ENABLE by request, ${isDurable ? 'durable' : 'ephemeral'}`;
}

/** For example `refresh granted, for 10 s`: the outcome with the details of its fault. */
function outcomeWords(actor: string, outcome: unknown): string {
  const play = playOf(outcome);
  const lifetime = play?.action === 'tokenLife' ? `for ${play.seconds} s` : undefined;
  const more = reasonOf(outcome) ?? lifetime;
  return `${actor} ${kindOf(outcome)}${more === undefined ? '' : `, ${more}`}`;
}

const reasonOf = (outcome: unknown): string | undefined =>
  typeof outcome === 'object' && outcome !== null && 'failure' in outcome
    ? (outcome.failure as { readonly reason?: string } | undefined)?.reason
    : undefined;

export const kindOf = (outcome: unknown): string =>
  typeof outcome === 'object' && outcome !== null && 'kind' in outcome ? String(outcome.kind) : '';

/** True when the test can cause this outcome from outside now. */
function canBe(actor: string, outcome: unknown, context: RemoteControlContext): boolean {
  const kind = kindOf(outcome);
  if (kind === 'unauthorized') return canBeRefused(context);
  // After a transient failure without Retry-After the refresh is deferred for half a minute.
  if (actor === 'refresh' && kind === 'transient') return reasonOf(outcome) === 'backendRateLimited';
  return !(AUTOMATIC.has(actor) && kind === 'failed');
}

/** A second refusal continues the same recovery only if nothing succeeded in between. */
function canBeRefused({ failureCounters, decision, lastFailure, openedAt }: RemoteControlContext): boolean {
  if (failureCounters.recoveries === 0) return true;
  return (
    failureCounters.recoveries === 1 &&
    decision.reason === 'retrying' &&
    lastFailure?.reason === 'backendUnauthorized' &&
    openedAt === null
  );
}

/** A sign-in stays. */
function onFile({ account }: RemoteControlContext): readonly unknown[] {
  const usable = { kind: 'usable', account: { accountId: 'anna', generation: account?.generation ?? 1 } };
  return account === null ? [usable, { kind: 'ineligible', failure: failure('authMissing') }] : [usable];
}

function possibleEvents(snapshot: Snapshot, { durable }: OutsideStart): readonly RemoteControlEvent[] {
  if (isTransient(snapshot)) return [];
  const { context, value } = snapshot;
  const isNew = value === 'idle' && context.decision.reason === 'starting';
  return [
    ...(isNew ? [{ type: 'ENABLE', by: 'start', durable: false } as const] : []),
    { type: 'ENABLE', by: 'request', durable: durable && value === 'idle' },
    ...(isNew ? [] : [{ type: 'DISABLE', durable: false } as const]),
    { type: 'STOP' },
  ];
}
