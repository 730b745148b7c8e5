/** Steps that lead to each state in which remoteControl can wait. */
import { Rig, type RigOptions } from './rig.js';

interface Route {
  readonly options?: RigOptions;
  readonly run: (rig: Rig) => Promise<void>;
}

const none = async () => undefined;

export const ROUTES: Readonly<Record<string, Route>> = {
  idle: { run: none },
  'awaitingClientName.toEnable': {
    options: { clientName: undefined },
    run: (rig) => rig.send({ type: 'ENABLE', by: 'start', durable: false }),
  },
  'awaitingClientName.toResolve': {
    options: { clientName: undefined },
    run: (rig) => rig.send({ type: 'RESOLVE_PREFERENCE' }),
  },
  'resolvingPreference.readingAccount': { run: (rig) => rig.send({ type: 'RESOLVE_PREFERENCE' }) },
  'resolvingPreference.waitingForAccount': {
    run: async (rig) => {
      await rig.send({ type: 'RESOLVE_PREFERENCE' });
      await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
    },
  },
  'resolvingPreference.readingPreference': {
    run: async (rig) => {
      await rig.send({ type: 'RESOLVE_PREFERENCE' });
      await rig.answer('loadAuth', { kind: 'usable', account: { accountId: 'anna', generation: 1 } });
    },
  },
  'resolvingPreference.waitingForStore': {
    run: async (rig) => {
      await to(rig, 'resolvingPreference.readingPreference');
      await rig.answer('loadEnrollment', { kind: 'failed', failure: rig.failure('storeUnavailable') });
    },
  },
  'active.loadingAuth.reading': { run: (rig) => rig.send({ type: 'ENABLE', by: 'start', durable: false }) },
  'active.loadingAuth.reloading': {
    run: async (rig) => {
      await to(rig, 'active.loadingAuth.reading');
      await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
    },
  },
  'active.awaitingAuth.missing': {
    run: async (rig) => {
      await to(rig, 'active.loadingAuth.reloading');
      await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
    },
  },
  'active.awaitingAuth.refused': {
    run: async (rig) => {
      await rig.toRecovering();
      await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
      await rig.answer('loadAuth', { kind: 'usable', account: { accountId: 'anna', generation: 1 } });
    },
  },
  'active.loadingEnrollment.reading': { run: (rig) => rig.signIn() },
  'active.loadingEnrollment.updating': {
    options: { serverName: 'renamed' },
    run: (rig) => rig.toRefreshing(),
  },
  'active.enrolling.requesting': { run: (rig) => rig.toEnrolling() },
  'active.enrolling.persisting': {
    run: async (rig) => {
      await rig.toEnrolling();
      await rig.answer('enroll', { kind: 'granted', enrollment: S1, token: rig.token() });
    },
  },
  'active.enrolling.notPersisted': {
    run: async (rig) => {
      await to(rig, 'active.enrolling.persisting');
      await rig.answer('saveEnrollment', { kind: 'failed', failure: rig.failure('storeWriteFailed') });
    },
  },
  'active.refreshing': { run: (rig) => rig.toRefreshing() },
  'active.connecting': { run: (rig) => rig.toConnecting() },
  'active.connected': { run: (rig) => rig.toConnected() },
  'active.tokenInvalid.pausing': {
    run: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('tokenRejected');
    },
  },
  'active.verifyingEnrollment': {
    run: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('ambiguousNotFound');
    },
  },
  'active.reenrolling': {
    run: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('serverGone');
    },
  },
  'active.recoveringAuth': { run: (rig) => rig.toRecovering() },
  'active.backingOff.failed': {
    run: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('failed');
    },
  },
  'active.backingOff.reconnecting': {
    run: async (rig) => {
      await rig.toConnected();
      await rig.closeLink();
    },
  },
  'active.backingOff.handover': {
    run: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('conflict');
    },
  },
  'active.backingOff.recovered.pausing': {
    run: async (rig) => {
      await rig.toRecovering();
      await rig.answer('recoverAuth', { kind: 'recovered', account: { accountId: 'anna', generation: 2 } });
    },
  },
  'active.backingOff.deferred': {
    run: async (rig) => {
      await rig.toRefreshing();
      await rig.answer('refresh', { kind: 'transient', failure: rig.failure('backendUnavailable') });
    },
  },
  'active.backingOff.retryAfter': {
    run: async (rig) => {
      await rig.toRefreshing();
      const failure = rig.failure('backendRateLimited', { retryAfterAt: rig.now + 60_000 });
      await rig.answer('refresh', { kind: 'transient', failure });
    },
  },
  stopping: { run: (rig) => rig.send({ type: 'STOP' }) },
};

const S1 = { serverId: 'S1', environmentId: 'E1', serverName: 'host' };

function routeTo(state: string): Route {
  const route = ROUTES[state];
  if (route === undefined) throw new Error(`no route to ${state}`);
  return route;
}

export async function to(rig: Rig, state: string): Promise<void> {
  await routeTo(state).run(rig);
  if (rig.state !== state) throw new Error(`the route to ${state} led to ${rig.state}`);
}

/** A new rig whose chart is in this state. */
export async function rigIn(state: string, options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig({ ...routeTo(state).options, ...options });
  await to(rig, state);
  return rig;
}
