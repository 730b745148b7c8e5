/** An adapter that does not answer: each state that waits for one ends at its deadline. */
import { describe, expect, it } from 'vitest';
import { REASONS, type Reason } from '../../../src/protocol/reasons.js';
import { rigIn } from './routes.js';

const ACCOUNT = 180_000;
const RECOVERY = 200_000;
const STORE = 30_000;
const HANDSHAKE = 35_000;
/** Two requests of 30 s each, both with tokens of the account that are refreshed first, and 5 s. */
const REQUEST = 65_000 + 2 * ACCOUNT;

const DEADLINES: readonly [state: string, limit: number, next: string, reason: Reason][] = [
  ['resolvingPreference.readingAccount', ACCOUNT, 'resolvingPreference.waitingForAccount', 'accountTimeout'],
  ['resolvingPreference.readingPreference', STORE, 'resolvingPreference.waitingForStore', 'storeTimeout'],
  ['active.loadingAuth.reading', ACCOUNT, 'active.loadingAuth.reloading', 'accountTimeout'],
  ['active.loadingAuth.reloading', ACCOUNT, 'active.awaitingAuth.missing', 'accountTimeout'],
  ['active.loadingEnrollment.reading', STORE, 'active.backingOff.failed', 'storeTimeout'],
  ['active.loadingEnrollment.updating', STORE, 'active.refreshing', 'storeTimeout'],
  ['active.enrolling.requesting', REQUEST, 'active.backingOff.failed', 'backendTimeout'],
  ['active.enrolling.persisting', STORE, 'active.enrolling.notPersisted', 'storeTimeout'],
  ['active.refreshing', REQUEST, 'active.backingOff.failed', 'backendTimeout'],
  ['active.connecting', HANDSHAKE, 'active.backingOff.failed', 'handshakeTimeout'],
  ['active.verifyingEnrollment', REQUEST, 'active.backingOff.failed', 'backendTimeout'],
  ['active.reenrolling', REQUEST, 'active.backingOff.failed', 'backendTimeout'],
  ['active.recoveringAuth', RECOVERY, 'active.backingOff.failed', 'accountTimeout'],
];

describe('deadlines', () => {
  it.each(DEADLINES)('RC-112: %s ends after %d ms, in %s', async (state, limit, next, reason) => {
    const rig = await rigIn(state);
    const waiting = rig.desk.open;
    expect(waiting).toHaveLength(1);
    await rig.pass(limit - 1);
    expect(rig.state).toBe(state);
    await rig.pass(1);
    expect([rig.state, rig.report.reason]).toEqual([next, reason]);
    expect(rig.report.lastFailure).toMatchObject({ reason, message: REASONS[reason].means });
    // The call that did not answer was cancelled.
    expect(rig.desk.aborted).toEqual(waiting);
  });

  it('RC-20, RC-112: an enrollment that does not end keeps the identity that it was to replace', async () => {
    const rig = await rigIn('active.reenrolling');
    await rig.pass(REQUEST);
    expect(rig.context).toMatchObject({ enrollment: { serverId: 'S1' }, lostServerId: 'S1' });
    await rig.timeInState();
    expect(rig.state).toBe('active.reenrolling');
  });
});
