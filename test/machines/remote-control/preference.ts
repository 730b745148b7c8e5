import { describe, expect, it } from 'vitest';
import { ANNA, BERT, MINUTE, Rig, type RigOptions, S1 } from './rig.js';
import { ROUTES, rigIn } from './routes.js';

const none = async () => undefined;

const TARGET_REFUSED = {
  ok: false,
  failure: { reason: 'targetRefused', message: 'http://evil.test is not allowed', at: 0 },
} as const;

describe('preconditions', () => {
  it.each([
    ['ENABLE', { type: 'ENABLE', by: 'request', durable: true }],
    ['RESOLVE_PREFERENCE', { type: 'RESOLVE_PREFERENCE' }],
  ] as const)('RC-2: if the target is refused, %s stays idle and reports why', async (_, event) => {
    const rig = new Rig({ target: TARGET_REFUSED });
    await rig.send(event);
    expect(rig.shown).toEqual(['idle', 'disabled', 'targetRefused']);
    expect(rig.report.lastFailure).toBe(TARGET_REFUSED.failure);
    expect(rig.desk.open).toEqual([]);
  });

  it.each([
    ['ENABLE', { type: 'ENABLE', by: 'request', durable: true }],
    ['RESOLVE_PREFERENCE', { type: 'RESOLVE_PREFERENCE' }],
  ] as const)('RC-6: without a store %s stays idle and reports why', async (_, event) => {
    const rig = new Rig({ store: 'missing' });
    await rig.send(event);
    expect(rig.shown).toEqual(['idle', 'disabled', 'storeMissing']);
    expect(rig.report.lastFailure?.reason).toBe('storeMissing');
  });

  it('RC-45: it waits for the client name, which is part of the key', async () => {
    const rig = new Rig({ clientName: undefined });
    await rig.send({ type: 'ENABLE', by: 'start', durable: false });
    expect(rig.shown).toEqual(['awaitingClientName.toEnable', 'connecting', 'clientNameAwaited']);
    await rig.pass(60 * MINUTE);
    await rig.send({ type: 'CLIENT.NAMED', name: 'editor' });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA });
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ clientName: 'editor' });
  });

  it('RC-45: an earlier name is used at once, and only the first one', async () => {
    const rig = new Rig({ clientName: undefined });
    await rig.send({ type: 'CLIENT.NAMED', name: 'editor' });
    await rig.send({ type: 'CLIENT.NAMED', name: 'other' });
    await rig.signIn();
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ clientName: 'editor' });
  });

  it('RC-45: a client does not replace --client-name or no client name', async () => {
    for (const clientName of [null, 'given']) {
      const rig = new Rig({ clientName });
      await rig.send({ type: 'CLIENT.NAMED', name: 'editor' });
      await rig.signIn();
      expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ clientName });
    }
  });

  it('RC-44, RC-45: a durable enable while it waits for the name sets the preference', async () => {
    const rig = await rigIn('awaitingClientName.toEnable');
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    expect(rig.state).toBe('awaitingClientName.toEnable');
    await rig.send({ type: 'CLIENT.NAMED', name: 'editor' });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA });
    await rig.load(S1, 'unset');
    expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ preference: 'on' });
  });
});

describe('a request to enable', () => {
  /** Situations in which a client can request to enable. */
  const SITUATIONS: [string, RigOptions, (rig: Rig) => Promise<void>][] = [
    ['from idle', {}, none],
    ['that waits for the client name', { clientName: undefined }, none],
    [
      'while it waits for the name to resolve the preference',
      { clientName: undefined },
      (rig) => rig.send({ type: 'RESOLVE_PREFERENCE' }),
    ],
    ['while it resolves the preference', {}, (rig) => rig.send({ type: 'RESOLVE_PREFERENCE' })],
  ];

  it.each(SITUATIONS)(
    'ACC-69, RC-44: a request %s fails without a sign-in and sets the preference',
    async (_, options, before) => {
      const rig = new Rig(options);
      await before(rig);
      await rig.send({ type: 'ENABLE', by: 'request', durable: true });
      if (options.clientName === undefined && 'clientName' in options) {
        await rig.send({ type: 'CLIENT.NAMED', name: 'editor' });
      }
      expect(rig.shown).toEqual(['active.loadingAuth.reading', 'connecting', 'enabled']);
      for (let times = 0; times < 2; times += 1) {
        await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
      }
      expect(rig.state).toBe('idle');
      expect(rig.context.preference).toBe('on');
    },
  );

  it.each([
    ['resolving', {}],
    ['resolving after the client name', { clientName: undefined }],
  ] as const)(
    'RC-27: %s counts as the start of the engine, also after a failed request',
    async (_, options) => {
      const rig = new Rig({ ...options, authStartup: 'ready' });
      if ('clientName' in options) await rig.send({ type: 'ENABLE', by: 'request', durable: false });
      if ('clientName' in options) await rig.send({ type: 'DISABLE', durable: false });
      else {
        await rig.send({ type: 'ENABLE', by: 'request', durable: true });
        await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
        await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
      }
      await rig.send({ type: 'RESOLVE_PREFERENCE' });
      await rig.send({ type: 'CLIENT.NAMED', name: 'editor' });
      await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
      expect(rig.state).toBe('stopping');
    },
  );

  it('RC-25: enable resets the backoff', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    for (let round = 0; round < 3; round += 1) {
      await rig.refuseDial('failed');
      await rig.timeInState();
    }
    await rig.send({ type: 'DISABLE', durable: false });
    await rig.signIn();
    await rig.refuseDial('failed');
    expect(await rig.timeInState()).toBe(750);
  });

  it.each(['enable', 'the stored preference'])(
    'RC-25: %s resets the backoff after a read error of the store',
    async (how) => {
      const rig = await rigIn('resolvingPreference.waitingForStore');
      await rig.timeInState();
      if (how === 'enable') await rig.send({ type: 'ENABLE', by: 'start', durable: false });
      else await rig.load(S1, 'on');
      await rig.answer('loadAuth', { kind: 'usable', account: ANNA });
      await rig.load();
      await rig.answer('refresh', { kind: 'other', failure: rig.failure('backendRefused') });
      expect(await rig.timeInState()).toBe(750);
    },
  );
});

describe('the stored preference', () => {
  it.each([
    ['on', S1, 'active.loadingAuth.reading', 'connecting', 'enabled'],
    ['off', S1, 'idle', 'disabled', 'preferenceOff'],
    ['off', null, 'idle', 'disabled', 'preferenceOff'],
    ['unset', S1, 'idle', 'disabled', 'preferenceUnset'],
    ['unset', null, 'idle', 'disabled', 'preferenceUnset'],
    ['on', null, 'idle', 'disabled', 'preferenceUnset'],
  ] as const)(
    'RC-44: %s with identity %o leads to %s',
    async (preference, enrollment, state, status, reason) => {
      const rig = await rigIn('resolvingPreference.readingPreference');
      expect(rig.shown).toEqual(['resolvingPreference.readingPreference', 'disabled', 'starting']);
      await rig.load(enrollment, preference);
      expect(rig.shown).toEqual([state, status, reason]);
    },
  );

  it('RC-8a, RC-44: after "on" the record is read again, so that a renamed host is noticed', async () => {
    const rig = await rigIn('resolvingPreference.readingPreference', { serverName: 'renamed' });
    await rig.load(S1, 'on');
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA });
    await rig.load(S1, 'on');
    expect(rig.state).toBe('active.loadingEnrollment.updating');
  });

  it('RC-44: it polls for the account each second', async () => {
    const rig = await rigIn('resolvingPreference.waitingForAccount');
    expect(rig.shown).toEqual(['resolvingPreference.waitingForAccount', 'disabled', 'authMissing']);
    expect(await rig.timeInState()).toBe(1_000);
    expect(rig.desk.lastInput('loadAuth')).toEqual({ reload: true });
    await rig.fail('loadAuth');
    expect(rig.shown).toEqual(['resolvingPreference.waitingForAccount', 'disabled', 'engineFault']);
    await rig.send({ type: 'AUTH.CHANGED', account: ANNA });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA });
    expect(rig.state).toBe('resolvingPreference.readingPreference');
  });

  it('RC-27: if a sign-in is required, resolving without one stops the engine', async () => {
    const rig = new Rig({ authStartup: 'ready' });
    await rig.send({ type: 'RESOLVE_PREFERENCE' });
    await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
    expect(rig.shown).toEqual(['stopping', 'disabled', 'authMissing']);
  });

  it('RC-6: after a read error of the store it retries with backoff', async () => {
    const rig = await rigIn('resolvingPreference.waitingForStore');
    expect(rig.shown).toEqual(['resolvingPreference.waitingForStore', 'disabled', 'storeUnavailable']);
    expect(rig.report.nextAttemptAt).toBe(rig.now + 750);
    expect(await rig.timeInState()).toBe(750);
    await rig.fail('loadEnrollment');
    expect(rig.report.reason).toBe('engineFault');
    expect(await rig.timeInState()).toBe(1_500);
    expect(rig.state).toBe('resolvingPreference.readingPreference');
  });

  it('RC-44: another account has another preference', async () => {
    for (const state of ['resolvingPreference.waitingForStore', 'resolvingPreference.readingPreference']) {
      const rig = await rigIn(state);
      await rig.send({ type: 'AUTH.CHANGED', account: BERT });
      expect(rig.shown).toEqual(['resolvingPreference.readingAccount', 'disabled', 'authChanged']);
      await rig.answer('loadAuth', { kind: 'usable', account: BERT });
      expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'bert' });
    }
  });

  it('RC-44: after a sign-out it waits for the next account', async () => {
    const rig = await rigIn('resolvingPreference.readingPreference');
    await rig.send({ type: 'AUTH.CHANGED', account: null });
    expect(rig.shown).toEqual(['resolvingPreference.waitingForAccount', 'disabled', 'authMissing']);
    expect(rig.report.accountId).toBeNull();
  });

  it('RC-44, RC-45: it waits for the client name first', async () => {
    const rig = await rigIn('awaitingClientName.toResolve');
    expect(rig.shown).toEqual(['awaitingClientName.toResolve', 'disabled', 'clientNameAwaited']);
    await rig.send({ type: 'CLIENT.NAMED', name: 'editor' });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA });
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ clientName: 'editor' });
  });

  it.each([
    ['awaitingClientName.toResolve', 'awaitingClientName.toEnable'],
    ['resolvingPreference.readingPreference', 'active.loadingAuth.reading'],
  ])('RC-44: enable in %s does not wait for the preference', async (from, state) => {
    const rig = await rigIn(from);
    await rig.send({ type: 'ENABLE', by: 'request', durable: false });
    expect(rig.state).toBe(state);
    expect(rig.report.status).toBe('connecting');
  });
});

const STATES = Object.keys(ROUTES);

describe('disable', () => {
  it.each(STATES.filter((state) => state !== 'stopping'))(
    'RC-43: in %s it cancels everything in progress',
    async (state) => {
      const rig = await rigIn(state);
      await rig.send({ type: 'DISABLE', durable: true });
      expect(rig.shown).toEqual(['idle', 'disabled', 'disabled']);
      expect([rig.desk.open, rig.sockets, rig.clock.timers]).toEqual([[], 0, 0]);
      expect(rig.report.environmentId).toBeNull();
      expect(rig.context.preference).toBe('off');
      if (state !== 'idle') expect(rig.dropped.at(-1)).toBe('disabled');
      await rig.pass(10 * MINUTE);
      expect(rig.desk.open).toEqual([]);
    },
  );

  it('RC-43: an ephemeral disable does not change the preference', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.send({ type: 'DISABLE', durable: false });
    expect(rig.context.preference).toBe('on');
  });

  it('RC-16: a later enable uses the same identity and token', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'DISABLE', durable: false });
    await rig.signIn();
    expect(rig.state).toBe('active.connecting');
    expect([rig.desk.count('refresh'), rig.desk.count('loadEnrollment')]).toEqual([1, 1]);
  });

  it('in idle, events for an attempt are ignored', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'DISABLE', durable: false });
    const before = rig.actor.getSnapshot();
    await rig.send({ type: 'WAKE' });
    await rig.send({ type: 'AUTH.CHANGED', account: BERT });
    await rig.send({ type: 'TOKEN.RENEWED', enrollment: S1, token: rig.token() });
    await rig.send({ type: 'ENROLLMENT.LOST', serverId: 'S1', failure: rig.failure('backendNotFound') });
    expect(rig.actor.getSnapshot()).toBe(before);
  });
});

describe('enable', () => {
  it.each(STATES.filter((state) => state.startsWith('active.')))(
    'RC-44: a durable enable in %s sets the preference and keeps remote control on',
    async (state) => {
      const rig = await rigIn(state);
      await rig.send({ type: 'ENABLE', by: 'request', durable: true });
      expect(rig.context.preference).toBe('on');
      expect(rig.state).toMatch(/^active\./);
    },
  );

  it('an ephemeral enable changes nothing while a link is open', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'ENABLE', by: 'request', durable: false });
    expect(rig.shown).toEqual(['active.connected', 'connected', 'connected']);
    expect(rig.context.preference).toBe('unset');
  });
});

describe('stop', () => {
  it.each(STATES)(
    'RC-46: in %s it cancels everything in progress, drains, and ends without a failure',
    async (state) => {
      const rig = await rigIn(state);
      await rig.send({ type: 'STOP' });
      expect(rig.shown).toEqual(['stopping', 'disabled', 'stopped']);
      expect([rig.desk.open, rig.sockets]).toEqual([['drain'], 0]);
      expect(rig.dropped.at(-1)).toBe('stopped');
      await rig.send({ type: 'ENABLE', by: 'request', durable: false });
      await rig.answer('drain', undefined);
      expect(rig.actor.getSnapshot()).toMatchObject({ status: 'done', output: { failure: null } });
      expect(rig.shown).toEqual(['stopped', 'disabled', 'stopped']);
      expect(rig.clock.timers).toBe(0);
    },
  );

  it('RC-46: it takes at most 5 s', async () => {
    const rig = await rigIn('stopping');
    await rig.pass(4_999);
    expect(rig.state).toBe('stopping');
    await rig.pass(1);
    expect(rig.state).toBe('stopped');
  });

  it('RC-46: an error while draining does not stop it', async () => {
    const rig = await rigIn('stopping');
    await rig.fail('drain');
    expect(rig.state).toBe('stopped');
  });

  it('RC-27: a STOP while it stops does not hide the failure', async () => {
    const rig = new Rig({ authStartup: 'ready' });
    await rig.send({ type: 'RESOLVE_PREFERENCE' });
    await rig.answer('loadAuth', { kind: 'ineligible', failure: rig.failure('authMissing') });
    await rig.send({ type: 'STOP' });
    await rig.answer('drain', undefined);
    expect(rig.actor.getSnapshot().output).toMatchObject({ failure: { reason: 'authMissing' } });
  });
});
