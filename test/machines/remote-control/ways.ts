/** A way to every state in which remoteControl can be found waiting. */
import { Rig, type RigOptions } from './rig.js';

interface Way {
  readonly options?: RigOptions;
  readonly go: (rig: Rig) => Promise<void>;
}

const none = async () => undefined;

export const WAYS: Readonly<Record<string, Way>> = {
  idle: { go: none },
  'awaitingClientName.toEnable': {
    options: { clientName: undefined },
    go: (rig) => rig.send({ type: 'ENABLE', by: 'start', durable: false }),
  },
  'awaitingClientName.toResolve': {
    options: { clientName: undefined },
    go: (rig) => rig.send({ type: 'RESOLVE_PREFERENCE' }),
  },
  'resolvingPreference.readingAccount': { go: (rig) => rig.send({ type: 'RESOLVE_PREFERENCE' }) },
  'resolvingPreference.waitingForAccount': {
    go: async (rig) => {
      await rig.send({ type: 'RESOLVE_PREFERENCE' });
      await rig.answer('loadAuth', { kind: 'unusable', failure: rig.failure('authMissing') });
    },
  },
  'resolvingPreference.readingPreference': {
    go: async (rig) => {
      await rig.send({ type: 'RESOLVE_PREFERENCE' });
      await rig.answer('loadAuth', { kind: 'usable', account: { accountId: 'anna', generation: 1 } });
    },
  },
  'resolvingPreference.waitingForStore': {
    go: async (rig) => {
      await to(rig, 'resolvingPreference.readingPreference');
      await rig.answer('loadEnrollment', { kind: 'failed', failure: rig.failure('storeUnavailable') });
    },
  },
  'active.loadingAuth.reading': { go: (rig) => rig.send({ type: 'ENABLE', by: 'start', durable: false }) },
  'active.loadingAuth.reloading': {
    go: async (rig) => {
      await to(rig, 'active.loadingAuth.reading');
      await rig.answer('loadAuth', { kind: 'unusable', failure: rig.failure('authMissing') });
    },
  },
  'active.awaitingAuth.missing': {
    go: async (rig) => {
      await to(rig, 'active.loadingAuth.reloading');
      await rig.answer('loadAuth', { kind: 'unusable', failure: rig.failure('authMissing') });
    },
  },
  'active.awaitingAuth.refused': {
    go: async (rig) => {
      await rig.toRecovering();
      await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
      await rig.answer('loadAuth', { kind: 'usable', account: { accountId: 'anna', generation: 1 } });
    },
  },
  'active.loadingEnrollment.reading': { go: (rig) => rig.signIn() },
  'active.loadingEnrollment.updating': {
    options: { serverName: 'renamed' },
    go: (rig) => rig.toRefreshing(),
  },
  'active.enrolling.requesting': { go: (rig) => rig.toEnrolling() },
  'active.enrolling.keeping': {
    go: async (rig) => {
      await rig.toEnrolling();
      await rig.answer('enroll', { kind: 'granted', enrollment: S1, token: rig.token() });
    },
  },
  'active.enrolling.notKept': {
    go: async (rig) => {
      await to(rig, 'active.enrolling.keeping');
      await rig.answer('saveEnrollment', { kind: 'failed', failure: rig.failure('storeWriteFailed') });
    },
  },
  'active.refreshing': { go: (rig) => rig.toRefreshing() },
  'active.connecting': { go: (rig) => rig.toConnecting() },
  'active.connected': { go: (rig) => rig.toConnected() },
  'active.tokenInvalid.pausing': {
    go: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('tokenRejected');
    },
  },
  'active.verifyingEnrollment': {
    go: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('ambiguousNotFound');
    },
  },
  'active.reenrolling': {
    go: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('serverGone');
    },
  },
  'active.recoveringAuth': { go: (rig) => rig.toRecovering() },
  'active.backingOff.failed': {
    go: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('failed');
    },
  },
  'active.backingOff.reconnecting': {
    go: async (rig) => {
      await rig.toConnected();
      await rig.closeLink();
    },
  },
  'active.backingOff.handover': {
    go: async (rig) => {
      await rig.toConnecting();
      await rig.refuseDial('conflict');
    },
  },
  'active.backingOff.recovered.pausing': {
    go: async (rig) => {
      await rig.toRecovering();
      await rig.answer('recoverAuth', { kind: 'recovered', account: { accountId: 'anna', generation: 2 } });
    },
  },
  'active.backingOff.deferred': {
    go: async (rig) => {
      await rig.toRefreshing();
      await rig.answer('refresh', { kind: 'transient', failure: rig.failure('backendUnavailable') });
    },
  },
  'active.backingOff.asTold': {
    go: async (rig) => {
      await rig.toRefreshing();
      const failure = rig.failure('backendRateLimited', { retryAfterAt: rig.now + 60_000 });
      await rig.answer('refresh', { kind: 'transient', failure });
    },
  },
  stopping: { go: (rig) => rig.send({ type: 'STOP' }) },
};

const S1 = { serverId: 'S1', environmentId: 'E1', serverName: 'host' };

function wayTo(state: string): Way {
  const way = WAYS[state];
  if (way === undefined) throw new Error(`no way to ${state}`);
  return way;
}

export async function to(rig: Rig, state: string): Promise<void> {
  await wayTo(state).go(rig);
  if (rig.state !== state) throw new Error(`the way to ${state} led to ${rig.state}`);
}

/** A fresh chart in this state. */
export async function rigIn(state: string, options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig({ ...wayTo(state).options, ...options });
  await to(rig, state);
  return rig;
}
