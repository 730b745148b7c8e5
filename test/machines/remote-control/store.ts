import { describe, expect, it } from 'vitest';
import { ANNA_2, MINUTE, Rig, S1, S2 } from './rig.js';
import { rigIn } from './routes.js';

describe('the enrollment store', () => {
  it('RC-6: a read error never leads to an enrollment', async () => {
    const rig = await rigIn('active.loadingEnrollment.reading');
    for (let round = 0; round < 4; round += 1) {
      await rig.answer('loadEnrollment', { kind: 'failed', failure: rig.failure('storeUnavailable') });
      expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'storeUnavailable']);
      await rig.timeInState();
      expect(rig.state).toBe('active.loadingEnrollment.reading');
    }
    expect(rig.desk.count('enroll')).toBe(0);
  });

  it('RC-6: an identity that could not be written is written again, without a new enrollment', async () => {
    const rig = await rigIn('active.enrolling.notPersisted');
    const pauses: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      expect(rig.shown).toEqual(['active.enrolling.notPersisted', 'errored', 'storeWriteFailed']);
      expect(rig.report.nextAttemptAt).toBe(rig.now + rig.context.pause.ms);
      pauses.push(await rig.timeInState());
      expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ enrollment: S1 });
      await rig.answer('saveEnrollment', { kind: 'failed', failure: rig.failure('storeWriteFailed') });
    }
    expect(pauses).toEqual([750, 1_500, 3_000]);
    await rig.timeInState();
    await rig.answer('saveEnrollment', { kind: 'done' });
    expect(rig.state).toBe('active.connecting');
    expect(rig.desk.count('enroll')).toBe(1);
  });

  it('RC-6: a token that expires while the store fails is refreshed before the first attempt', async () => {
    const rig = new Rig();
    await rig.toEnrolling();
    await rig.answer('enroll', { kind: 'granted', enrollment: S1, token: rig.token(31_000) });
    await rig.answer('saveEnrollment', { kind: 'failed', failure: rig.failure('storeWriteFailed') });
    await rig.pass(2_000);
    await rig.answer('saveEnrollment', { kind: 'done' });
    expect(rig.state).toBe('active.refreshing');
  });

  it('an error of the actor saveEnrollment is treated as a failed write', async () => {
    const rig = await rigIn('active.enrolling.persisting');
    await rig.fail('saveEnrollment');
    expect(rig.shown).toEqual(['active.enrolling.notPersisted', 'errored', 'engineFault']);
  });

  it.each([
    ['a wake-up', { type: 'WAKE' }, 'unset'],
    ['enable', { type: 'ENABLE', by: 'request', durable: true }, 'on'],
  ] as const)('RC-25: %s retries the write at once', async (_, event, preference) => {
    const rig = await rigIn('active.enrolling.notPersisted');
    await rig.send(event);
    expect(rig.state).toBe('active.enrolling.persisting');
    expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ enrollment: S1, preference });
  });

  it.each(['active.enrolling.persisting', 'active.enrolling.notPersisted'])(
    'RC-6, RC-9: a write that was interrupted in %s is repeated before the identity is used',
    async (state) => {
      const rig = await rigIn(state);
      await rig.send({ type: 'DISABLE', durable: false });
      await rig.signIn();
      expect(rig.state).toBe('active.enrolling.persisting');
      await rig.answer('saveEnrollment', { kind: 'done' });
      expect(rig.state).toBe('active.connecting');
      expect(rig.desk.count('enroll')).toBe(1);
    },
  );

  it('RC-23: an enrollment that is granted after disable is not persisted', async () => {
    const rig = await rigIn('active.enrolling.requesting');
    await rig.send({ type: 'DISABLE', durable: false });
    expect(rig.desk.aborted).toEqual(['enroll']);
    await rig.signIn();
    expect(rig.state).toBe('active.enrolling.requesting');
    expect(rig.desk.count('saveEnrollment')).toBe(0);
  });

  it('RC-8a: a renamed host keeps its identity and updates the record', async () => {
    const rig = await rigIn('active.loadingEnrollment.updating', { serverName: 'renamed' });
    const renamed = { ...S1, serverName: 'renamed' };
    expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ enrollment: renamed });
    await rig.answer('saveEnrollment', { kind: 'done' });
    expect(rig.desk.lastInput('refresh')).toMatchObject({ enrollment: renamed });
  });

  it.each(['failed', 'error'])(
    'RC-8a: if that write ends as %s, the identity is used all the same',
    async (how) => {
      const rig = await rigIn('active.loadingEnrollment.updating');
      await (how === 'error'
        ? rig.fail('saveEnrollment')
        : rig.answer('saveEnrollment', { kind: 'failed', failure: rig.failure('storeWriteFailed') }));
      expect(rig.state).toBe('active.refreshing');
      expect(rig.report.reason).toBe(how === 'error' ? 'engineFault' : 'storeWriteFailed');
    },
  );

  it('RC-44: a preference that was set before the record was read is written to it', async () => {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA_2 });
    await rig.load(S1, 'off');
    expect(rig.state).toBe('active.loadingEnrollment.updating');
    expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ enrollment: S1, preference: 'on' });
  });

  it('RC-44: a record with the same preference is not written', async () => {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA_2 });
    await rig.load(S1, 'on');
    expect(rig.state).toBe('active.refreshing');
  });

  it('RC-44: a preference that was stored without an identity is written with the new one', async () => {
    const rig = await rigIn('active.loadingEnrollment.reading');
    await rig.load(null, 'off');
    await rig.answer('enroll', { kind: 'granted', enrollment: S2, token: rig.token() });
    expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ enrollment: S2, preference: 'off' });
  });

  it('RC-44: a later record does not undo a durable disable', async () => {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA_2 });
    await rig.load(S1, 'on');
    await rig.send({ type: 'DISABLE', durable: true });
    await rig.pass(MINUTE);
    await rig.signIn(ANNA_2);
    await rig.loseIdentity();
    await rig.answer('enroll', { kind: 'granted', enrollment: S2, token: rig.token() });
    expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ preference: 'off' });
  });
});
