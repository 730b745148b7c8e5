/** Events and outcomes of the account that a test can cause by client, issuer, parent app, browser and file. */
import type { SnapshotFrom } from 'xstate';
import type { accountMachine } from '../../../../machines/account/machine.js';
import type { AccountContext, AccountEvent } from '../../../../machines/account/types.js';
import type { AccountOptions } from '../../../../src/account/options.js';
import type { ChatgptAccount, Plan, StoredAccount } from '../../../../src/protocol/account.js';
import { statePath } from '../../../../src/protocol/decision.js';
import type { Reason } from '../../../../src/protocol/reasons.js';
import { failure, SimulatedEnv } from '../../../../src/testing/charts/model.js';
import type { GenerateOptions } from '../../../../src/testing/index.js';

type Machine = typeof accountMachine;
export type Snapshot = SnapshotFrom<Machine>;

/** The plan of an account shows in the status, so each source of tokens has its own plan here. */
export const PLANS = {
  file: 'plus',
  /** Another program has written newer tokens. */
  newer: 'team',
  /** Another program has written tokens during a request of the engine or with external tokens. */
  concurrent: 'business',
  refreshed: 'pro',
  signIn: 'edu',
  parent: 'enterprise',
  parentAgain: 'go',
} as const satisfies Record<string, Plan>;

export const OURS = 'acct-1';
export const PARENTS = 'org-1';
/** The id of a sign-in that displaces another. Its port is free at once, so the test cannot occupy it. */
const AGAIN = 'again';

export interface Start {
  readonly name: string;
  readonly settings: Pick<AccountOptions, 'forcedLoginMethod' | 'forcedWorkspaces' | 'workspaceRouting'>;
}

export const STARTS: readonly Start[] = [
  { name: 'no policy', settings: {} },
  { name: 'workspace routing', settings: { workspaceRouting: true } },
  { name: 'ChatGPT only', settings: { forcedLoginMethod: 'chatgpt' } },
  { name: 'API keys only', settings: { forcedLoginMethod: 'api' } },
  { name: 'one allowed workspace', settings: { forcedWorkspaces: [OURS] } },
];

export interface Where {
  readonly auth: string;
  readonly login: string;
  readonly routing: string;
}

/** The sign-in with its kind where that matters on the wire. */
export const whereIs = ({ value, context }: Pick<Snapshot, 'value' | 'context'>): Where => {
  const login = statePath(value.login).replace('signingIn.', '');
  const kind = context.login?.kind;
  const names: Readonly<Record<string, string>> =
    kind === 'device'
      ? { opening: 'device.requesting', waiting: 'device.polling' }
      : { opening: 'browser.opening', waiting: 'browser.waiting' };
  return { auth: statePath(value.auth), login: names[login] ?? login, routing: statePath(value.routing) };
};

const activeIn = ({ external, stored }: AccountContext): ChatgptAccount | null =>
  external ?? (stored.kind === 'chatgpt' ? stored.account : null);
const workspaceKeyOf = (account: ChatgptAccount | null): string | null =>
  account === null ? null : `${account.accountId ?? ''}#${account.generation}`;
const isKnown = ({ context }: Snapshot): boolean =>
  context.workspaceAccountKey === workspaceKeyOf(activeIn(context));
const planIn = ({ stored }: AccountContext): Plan | null =>
  stored.kind === 'chatgpt' ? stored.account.plan : null;

/** Input of an invoked actor. */
function inputOf(snapshot: Snapshot, actor: string): Record<string, unknown> {
  const child = (snapshot.children as Record<string, { getSnapshot(): unknown } | undefined>)[actor];
  const of = child?.getSnapshot() as { readonly input?: Record<string, unknown> } | undefined;
  return of?.input ?? {};
}
const isRunning = (snapshot: Snapshot, actor: string): boolean => actor in snapshot.children;

/** The parent app refused new tokens, so the lookup that was refused ends. */
const lookupHasFailed = ({ context }: Snapshot): boolean => context.decision.reason === 'parentRefused';
/** Another program has just written newer tokens, so a refresh only reads them. */
const isFresh = ({ context }: Snapshot): boolean =>
  planIn(context) === PLANS.newer && context.decision.reason === 'authChanged';
export const isExpired = ({ context: { expired, stored } }: Snapshot): boolean =>
  stored.kind === 'chatgpt' && expired?.generation === stored.account.generation;

/** The actor that ends without the test here, so that no step can come before. */
export function automaticActor(snapshot: Snapshot): string | undefined {
  const { context } = snapshot;
  const { login, routing } = whereIs(snapshot);
  const signsOut = isRunning(snapshot, 'signOut');
  if (signsOut && (inputOf(snapshot, 'signOut').stored !== true || context.stored.kind === 'none'))
    return 'signOut';
  if (isRunning(snapshot, 'refreshTokens') && (isExpired(snapshot) || isFresh(snapshot)))
    return 'refreshTokens';
  if (login === 'browser.opening' || (login === 'awaitingSuccess' && context.login?.kind === 'device'))
    return 'login';
  if (isRunning(snapshot, 'lookUpWorkspace') && lookupHasFailed(snapshot)) return 'lookUpWorkspace';
  if (login === 'completing' && routing !== 'looking' && !isLookedUpNext(snapshot)) return 'login';
  return undefined;
}

/** The engine itself looks up the workspace after a sign-in. ACC-60 */
export function isLookedUpNext(snapshot: Snapshot): boolean {
  const { context } = snapshot;
  const { login, routing } = whereIs(snapshot);
  if (!context.routing || routing === 'looking' || isKnown(snapshot)) return false;
  if (login === 'completing') return true;
  return login === 'idle' && context.external !== null && context.decision.reason === 'signedIn';
}

/** The next step follows without the test, so the state may be over before a check. */
export const isTransient = (snapshot: Snapshot): boolean =>
  automaticActor(snapshot) !== undefined || isLookedUpNext(snapshot);

type Outcomes = Record<string, (snapshot: Snapshot) => readonly unknown[]>;

const failed = (reason: Reason) => ({ kind: 'failed', failure: failure(reason) }) as const;

/** Outcomes that the test can cause, by actor. */
function outcomesOf(): Outcomes {
  return {
    storeApiKey: () => [{ kind: 'stored', stored: { kind: 'apiKey' } }, failed('authFileNotWritable')],
    signOut: (snapshot) => {
      const { context } = snapshot;
      if (inputOf(snapshot, 'signOut').stored !== true) return [{ kind: 'stored', stored: context.stored }];
      const done = { kind: 'stored', stored: { kind: 'none', failure: failure('authMissing') } };
      return context.stored.kind === 'none' ? [done] : [done, failed('authFileNotWritable')];
    },
    refreshTokens: (snapshot) => {
      const { context } = snapshot;
      if (isExpired(snapshot)) return [{ kind: 'permanent', failure: context.expired?.failure }];
      const reloaded = { kind: 'reloaded', stored: context.stored };
      if (isFresh(snapshot) || planIn(context) === PLANS.concurrent) return [reloaded];
      return [
        { kind: 'refreshed', stored: ours(context, PLANS.refreshed) },
        { kind: 'permanent', failure: failure('refreshTokenExpired') },
        failed('issuerFailed'),
      ];
    },
    requestExternalTokens: ({ context }) => [
      { kind: 'replaced', account: parents(context, PLANS.parentAgain) },
      failed('parentRefused'),
    ],
    lookUpWorkspace: (snapshot) => {
      if (lookupHasFailed(snapshot)) return [failed('workspaceUnknown')];
      const account = inputOf(snapshot, 'lookUpWorkspace').account as ChatgptAccount;
      const workspace = {
        chatgptAccountId: account.accountId,
        name: null,
        backendOrigin: 'https://backend.test',
        accountRoutingOverride: 'NO_CONSTRAINT',
      };
      return [{ kind: 'found', workspace }, failed('workspaceUnknown')];
    },
    login: loginOutcomes,
  };
}

/** How the chart `login` can end in this state. */
function loginOutcomes(snapshot: Snapshot): readonly unknown[] {
  const notOpened = (reason: Reason) => ({ kind: 'notOpened', failure: failure(reason) }) as const;
  switch (whereIs(snapshot).login) {
    case 'browser.opening':
      return snapshot.context.login?.id === AGAIN ? [] : [notOpened('loginPortsBusy')];
    case 'device.requesting':
      return [notOpened('issuerFailed')];
    case 'browser.waiting':
      return [failed('loginRefused')];
    case 'device.polling':
      return [failed('deviceCodeDenied')];
    case 'exchanging':
      return [failed('loginFailed')];
    case 'saving':
      return [failed('authFileNotWritable')];
    case 'completing': {
      if (whereIs(snapshot).routing === 'looking') return [];
      const { workspaceFailure } = snapshot.context;
      return [workspaceFailure === null ? { kind: 'finished' } : failed('workspaceUnknown')];
    }
    default:
      return [];
  }
}

/** What the chart `login` reports next. */
function loginProgress(snapshot: Snapshot): readonly AccountEvent[] {
  switch (whereIs(snapshot).login) {
    case 'browser.opening':
    case 'device.requesting':
      return [{ type: 'SIGN_IN.OPENED' }];
    case 'browser.waiting':
    case 'device.polling':
      return [{ type: 'SIGN_IN.APPROVED' }];
    case 'exchanging':
      return [{ type: 'SIGN_IN.SAVING' }];
    case 'saving':
      return [{ type: 'SIGN_IN.SAVED', stored: ours(snapshot.context, PLANS.signIn) }];
    case 'awaitingSuccess':
      return [{ type: 'SIGN_IN.COMPLETING' }];
    default:
      return [];
  }
}

export function optionsOf(start: Start): GenerateOptions<Machine> {
  const env = new SimulatedEnv();
  const { forcedLoginMethod, forcedWorkspaces, workspaceRouting } = start.settings;
  /** No outcome of another actor while one ends without the test. */
  const onlyWhere =
    (actor: string, outcomes: (snapshot: Snapshot) => readonly unknown[]) =>
    (snapshot: Snapshot): readonly unknown[] => {
      if (isLookedUpNext(snapshot)) return [];
      const automatic = automaticActor(snapshot);
      return automatic === undefined || automatic === actor ? outcomes(snapshot) : [];
    };
  const outcomes = outcomesOf();
  return {
    input: {
      env,
      policy: { forcedMethod: forcedLoginMethod ?? null, workspaces: forcedWorkspaces ?? null },
      routing: workspaceRouting ?? false,
      limits: { loginTimeout: 600_000, issuerTimeout: 30_000, loginPorts: [0] },
    },
    setTime: env.setTime,
    key: (snapshot) => [...readByModel(snapshot)],
    maxSteps: 30,
    // Delays are in the charts that this one invokes.
    waits: () => false,
    events: (snapshot) =>
      isTransient(snapshot)
        ? isLookedUpNext(snapshot)
          ? [{ type: 'WORKSPACE.REQUESTED' }]
          : automaticActor(snapshot) === 'login'
            ? loginProgress(snapshot)
            : []
        : [...possibleEvents(snapshot), ...loginProgress(snapshot)],
    // An adapter rejects only because of a bug.
    failures: Object.fromEntries(Object.keys(outcomes).map((actor) => [actor, []])),
    outcomes: Object.fromEntries(
      Object.entries(outcomes).map(([actor, list]) => [actor, onlyWhere(actor, list)]),
    ) as GenerateOptions<Machine>['outcomes'] & {},
  };
}

function possibleEvents(snapshot: Snapshot): readonly AccountEvent[] {
  const { context } = snapshot;
  const { auth, login, routing } = whereIs(snapshot);
  const ticket = 1;
  const isBusy = snapshot.hasTag('busy');
  const file = stored(snapshot);
  const cancel = (loginId: string): AccountEvent => ({ type: 'LOGIN.CANCEL', ticket, loginId });
  const cancels = [
    ...(login === 'device.requesting' ? [] : [cancel('another')]),
    ...(login === 'idle' || login === 'device.requesting' ? [] : [cancel(context.login?.id ?? '')]),
  ];
  const externalLogin: AccountEvent = {
    type: 'LOGIN.EXTERNAL',
    ticket,
    accountId: PARENTS,
    account: parents(context, PLANS.parent),
  };
  if (routing === 'looking') {
    const input = inputOf(snapshot, 'lookUpWorkspace').account as ChatgptAccount;
    // One request to the parent app for each lookup. ACC-44
    const mayRequestTokens =
      input.accountId === context.external?.accountId && context.decision.reason !== 'tokensReplaced';
    return [
      ...(login === 'completing' ? cancels : []),
      ...(auth === 'chatgpt.ready' && login === 'idle' ? [externalLogin] : []),
      ...(auth === 'external.ready' && mayRequestTokens
        ? [{ type: 'REFRESH.EXTERNAL', ticket } as const]
        : []),
    ];
  }
  const mayChange = !isBusy && ['idle', 'browser.waiting', 'device.polling', 'exchanging'].includes(login);
  // Each change waits for the one before and for a refresh. ACC-27, ACC-48
  const changes: readonly AccountEvent[] = !mayChange
    ? []
    : [
        { type: 'LOGIN.API_KEY', ticket },
        externalLogin,
        { type: 'LOGIN.EXTERNAL', ticket, accountId: PARENTS, account: null },
        { type: 'LOGIN.BROWSER', ticket, loginId: login === 'idle' ? 'browser' : AGAIN },
        { type: 'LOGIN.DEVICE', ticket, loginId: 'device' },
        { type: 'LOGOUT', ticket, all: false },
        ...(context.external !== null && context.stored.kind !== 'none'
          ? [{ type: 'LOGOUT', ticket, all: true } as const]
          : []),
      ];
  const canRefresh = !isBusy && context.external === null && login === 'idle' && !context.routing;
  const isOld =
    planIn(context) === PLANS.concurrent || (planIn(context) === PLANS.newer && !isFresh(snapshot));
  const isRequested = context.routing && !isBusy && login === 'idle' && auth !== 'chatgpt.expired';
  return [
    ...changes,
    ...cancels,
    ...(login === 'awaitingSuccess' ? [{ type: 'LOGIN.FINISH' } as const] : []),
    ...(canRefresh && !isOld ? [{ type: 'REFRESH', ticket, reason: 'forced' } as const] : []),
    ...(isRequested && activeIn(context) !== null ? [{ type: 'WORKSPACE.REQUESTED' } as const] : []),
    ...(login === 'idle' ? file : []),
  ];
}

/** Changes by another program that the engine adopts. RC-29, ACC-91 */
function stored(snapshot: Snapshot): readonly AccountEvent[] {
  const { context } = snapshot;
  const { auth } = whereIs(snapshot);
  const { forcedMethod } = context.policy;
  const change = (stored: StoredAccount): AccountEvent => ({ type: 'STORED.CHANGED', stored });
  // The file of an account that the policy forbids counts as a missing one.
  if (forcedMethod === 'api') return auth === 'signedOut' ? [change({ kind: 'apiKey' })] : [];
  switch (auth) {
    case 'signedOut':
      return [
        change(ours(context, PLANS.file)),
        ...(forcedMethod === 'chatgpt' ? [] : [change({ kind: 'apiKey' })]),
      ];
    case 'apiKey':
      return [change(ours(context, PLANS.file))];
    case 'chatgpt.ready':
    case 'chatgpt.expired':
      return [change(ours(context, PLANS.newer))];
    case 'external.ready':
    case 'storingApiKey':
    case 'signingOut':
    case 'chatgpt.refreshing':
      return planIn(context) === PLANS.concurrent ? [] : [change(ours(context, PLANS.concurrent))];
    default:
      return [];
  }
}

const nextGeneration = ({ external, stored, expired }: AccountContext): number =>
  1 +
  Math.max(
    external?.generation ?? 0,
    expired?.generation ?? 0,
    stored.kind === 'chatgpt' ? stored.account.generation : 0,
  );

function ours(context: AccountContext, plan: Plan): StoredAccount {
  const generation = nextGeneration(context);
  const account = { accountId: OURS, generation, email: null, plan, userId: null };
  return { kind: 'chatgpt', source: 'file', account, ineligible: null };
}

function parents(context: AccountContext, plan: Plan): ChatgptAccount {
  return { accountId: PARENTS, generation: nextGeneration(context), email: null, plan, userId: null };
}

function readByModel(snapshot: Snapshot): readonly string[] {
  const { context } = snapshot;
  const { external, login, decision } = context;
  return [
    `${context.stored.kind} ${planIn(context)}`,
    `${external?.plan}`,
    `${isExpired(snapshot)}`,
    `${login?.id}`,
    `${isKnown(snapshot)} ${context.workspaceFailure !== null}`,
    `${['authChanged', 'signedIn', 'parentRefused', 'tokensReplaced'].find((reason) => reason === decision.reason)}`,
    `${automaticActor(snapshot)} ${inputOf(snapshot, 'signOut').stored} ${external !== null}`,
    `${(inputOf(snapshot, 'lookUpWorkspace').account as ChatgptAccount | undefined)?.accountId}`,
  ];
}
