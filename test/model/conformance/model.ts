/** What can be done to a remote-control client from outside alone: its backend, its account file, its JSON-RPC. */
import type { SnapshotFrom } from 'xstate';
import type { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import type { RemoteControlContext, RemoteControlEvent } from '../../../machines/remote-control/types.js';
import { statePath } from '../../../src/protocol/decision.js';
import { DEFAULT_TIMING } from '../../../src/protocol/timing.js';
import { failure } from '../../../src/testing/charts/model.js';
import { readByGuards } from '../../../src/testing/charts/remote-control.js';
import type { GenerateOptions, Step } from '../../../src/testing/index.js';
import {
  BY_ITSELF,
  playOf,
  STARTS,
  type Start,
  optionsOf as wireOptionsOf,
} from '../wire/remote-control/model.js';
import type { Exceptions } from '../wire/report.js';

export type Machine = typeof remoteControlMachine;
export type Snapshot = SnapshotFrom<Machine>;

export interface OutsideStart extends Start {
  /** Whoever switches it on while it is off does so for good. */
  readonly durable: boolean;
  /** Transitions that are played again from this start, though an earlier one has had them. */
  readonly anew: RegExp | null;
}

const [USUAL, NEW] = ['a home with an identity', 'a new home'].map((wanted) => {
  const start = STARTS.find(({ name }) => name === wanted);
  if (start === undefined) throw new Error(`there is no start "${wanted}"`);
  return { ...start, durable: false, anew: null };
}) as [OutsideStart, OutsideStart];

/** Of the starts over the wire, those that need nothing but a home. */
export const OUTSIDE_STARTS: readonly OutsideStart[] = [
  USUAL,
  NEW,
  {
    ...USUAL,
    name: 'a home with an identity, and a wish that lasts',
    durable: true,
    anew: /idle ENABLE|reloadAuth 4$|recoverAuth 3$/,
  },
];

/** Why no path from outside takes these transitions. All of them have a path over the wire or in charts.test.ts. */
export const NOT_FROM_OUTSIDE: Exceptions = [
  [/ xstate\.error\.actor\./, 'an adapter rejects only when there is a bug in it'],
  [/CLIENT\.NAMED|awaitingClientName|idle (ENABLE|RESOLVE_PREFERENCE) 2$/, 'the client names itself at once'],
  [/idle (ENABLE|RESOLVE_PREFERENCE) [01]$/, 'with such settings there is nothing to connect to'],
  [/resolvingPreference|RESOLVE_PREFERENCE/, 'what is stored is up to each client: test/model/wire'],
  [/TOKEN\.RENEWED|ENROLLMENT\.LOST|tokenInvalid\.pausing .* 1$/, 'it needs pairing at the same moment'],
  [/AUTH\.CHANGED|loadAuth 0$|reloadAuth 1$|recoverAuth [01]$/, 'it needs a second account on the same home'],
  [
    /loadEnrollment 3$|loadEnrollment 0$|updateEnrollment|saveEnrollment 1$|clearEnrollment 1$|notKept|preparing always 3$/,
    'each client has a store of its own',
  ],
  [/WAKE/, 'a process cannot be woken up without putting its machine to sleep'],
  [/LINK\.STABLE/, 'life is proven after a minute, and seen in the reason only'],
  [/deferred|refresh [45]$|(asTold|refused) xstate\.after/, 'the pause is too long to wait for'],
  [/conflictMeans|dial [67]$/, '--on-conflict is an option of this engine'],
  [
    /signInRequired|reloadAuth 3$|shutdownTimeout|stopping STOP/,
    'the process ends, which shows as such only',
  ],
];

/** What happens by itself, seen from outside: nothing can be put in between. */
const UNSEEN: ReadonlySet<string> = new Set([...BY_ITSELF, 'loadAuth', 'reloadAuth']);

/** The first step of a recovery looks at the file, and the one after the second finds nothing more to try. */
export const recoversUnseen = ({ failureCounters }: RemoteControlContext): boolean =>
  failureCounters.recoveries !== 1;

export function isPassing(snapshot: Snapshot): boolean {
  const running = Object.keys(snapshot.children);
  if (running.some((id) => UNSEEN.has(id))) return true;
  return running.includes('recoverAuth') && recoversUnseen(snapshot.context);
}

export const leafOf = ({ value }: Pick<Snapshot, 'value'>): string => statePath(value);

/** A way on from a state that has been seen to differ; it is not gone again. */
export const wayOf = (leaf: string, what: string): string => `${leaf} | ${what}`;

/** States whose delay is too long to wait for. */
const LONG = ['deferred', 'asTold', 'stopping'];
/** The ladder: higher rungs last too long. */
const HIGHEST_RUNG = 1;

export function outsideOptions(start: OutsideStart, banned: ReadonlySet<string>): GenerateOptions<Machine> {
  const wire = wireOptionsOf(start);
  const allowed = (snapshot: Snapshot, what: string): boolean => !banned.has(wayOf(leafOf(snapshot), what));
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
    // Between the two looks of one attempt nobody is so fast as to sign in.
    reloadAuth: ({ context }) =>
      onFile(context).filter(
        (outcome) =>
          kindOf(outcome) === 'unusable' ||
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
  if (input === undefined) throw new Error('a start without input');
  return {
    ...wire,
    input: { ...input, timing: DEFAULT_TIMING },
    maxSteps: 12,
    key: (snapshot) => [
      ...readByGuards(snapshot),
      String(Math.min(snapshot.context.failureCounters.attempt, HIGHEST_RUNG + 1)),
      `${snapshot.context.activation} ${snapshot.context.failureCounters.recoveries} ${mayBeRefused(snapshot.context)}`,
      String(['starting', 'authMissing'].find((reason) => reason === snapshot.context.decision.reason)),
    ],
    waits: (snapshot) =>
      snapshot.context.failureCounters.attempt <= HIGHEST_RUNG &&
      !LONG.some((end) => leafOf(snapshot).endsWith(end)) &&
      allowed(snapshot, 'time'),
    events: (snapshot) => happenings(snapshot, start).filter((event) => allowed(snapshot, eventWords(event))),
    outcomes: Object.fromEntries(Object.entries(outcomes).map(([actor, list]) => [actor, only(actor, list)])),
  };
}

/** As `banned` names it. */
export function stepWords({ kind, event, actor, value }: Step): string {
  if (kind === 'delay') return 'time';
  return actor === null ? eventWords(event) : outcomeWords(actor, value);
}

function eventWords(event: { readonly type: string }): string {
  if (event.type !== 'ENABLE' || !('by' in event)) return event.type;
  const isLasting = 'durable' in event && event.durable === true;
  return event.by === 'start'
    ? 'ENABLE by start'
    : `ENABLE by request, ${isLasting ? 'for good' : 'for now'}`;
}

/** `refresh granted, for 10 s`: with what tells one way of playing it from another. */
function outcomeWords(actor: string, outcome: unknown): string {
  const play = playOf(outcome);
  const life = play?.action === 'tokenLife' ? `for ${play.seconds} s` : undefined;
  const more = reasonOf(outcome) ?? life;
  return `${actor} ${kindOf(outcome)}${more === undefined ? '' : `, ${more}`}`;
}

const reasonOf = (outcome: unknown): string | undefined =>
  typeof outcome === 'object' && outcome !== null && 'failure' in outcome
    ? (outcome.failure as { readonly reason?: string } | undefined)?.reason
    : undefined;

export const kindOf = (outcome: unknown): string =>
  typeof outcome === 'object' && outcome !== null && 'kind' in outcome ? String(outcome.kind) : '';

/** Outcomes that a test can bring about from outside, at the time. */
function canBe(actor: string, outcome: unknown, context: RemoteControlContext): boolean {
  const kind = kindOf(outcome);
  if (kind === 'unauthorized') return mayBeRefused(context);
  // Refresh is put off for half a minute, unless it is told when.
  if (actor === 'refresh' && kind === 'transient') return reasonOf(outcome) === 'backendRateLimited';
  return !(BY_ITSELF.has(actor) && kind === 'failed');
}

/** A second refusal is the same recovery's next step only if nothing has gone well in between. */
function mayBeRefused({ failureCounters, decision, lastFailure, openedAt }: RemoteControlContext): boolean {
  if (failureCounters.recoveries === 0) return true;
  return (
    failureCounters.recoveries === 1 &&
    decision.reason === 'retrying' &&
    lastFailure?.reason === 'backendUnauthorized' &&
    openedAt === null
  );
}

/** Once somebody is signed in they stay so. */
function onFile({ account }: RemoteControlContext): readonly unknown[] {
  const usable = { kind: 'usable', account: { accountId: 'anna', generation: account?.generation ?? 1 } };
  return account === null ? [usable, { kind: 'unusable', failure: failure('authMissing') }] : [usable];
}

function happenings(snapshot: Snapshot, { durable }: OutsideStart): readonly RemoteControlEvent[] {
  if (isPassing(snapshot)) return [];
  const { context, value } = snapshot;
  const isNew = value === 'idle' && context.decision.reason === 'starting';
  return [
    ...(isNew ? [{ type: 'ENABLE', by: 'start', durable: false } as const] : []),
    { type: 'ENABLE', by: 'request', durable: durable && value === 'idle' },
    ...(isNew ? [] : [{ type: 'DISABLE', durable: false } as const]),
    { type: 'STOP' },
  ];
}
