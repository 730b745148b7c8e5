/** Two engines with one installation id, and the public status while attempts fail. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { it } from '../support/engine-rig.js';

describe('two engines on copies of one home', () => {
  it('RC-110: a backend that refuses the second connection: the engine that waits names the other one', async ({
    rig,
  }) => {
    await rig.lab.backend({ onSecondSocket: 'conflict' });
    const made = await rig.connected();
    await made.stop();
    const copy = join(rig.lab.folder, 'copy');
    await cp(rig.lab.home, copy, { recursive: true });
    rig.lab.exempt.push(join(copy, 'auth.json'));
    await rig.connected();
    const second = await rig.start({ home: copy, timing: { conflictPersists: 300 } });
    await rig.reached(second, ({ reason }) => reason === 'connectionConflict', 'connectionConflict');
    const { status, lastFailure } = await rig.reached(
      second,
      ({ reason }) => reason === 'duplicateInstallation',
      'duplicateInstallation',
    );
    expect({ status, httpStatus: lastFailure?.httpStatus }).toEqual({ status: 'errored', httpStatus: 409 });
    const logged = rig.log.find(
      ({ fields }) => 'nextStep' in fields && /installation-id/.test(String(fields.nextStep)),
    );
    expect(logged?.level).toBe('warn');
  });
});

describe('an outage of the backend', () => {
  it('RC-25, RC-42: clients hear of it once, however many attempts fail', async ({ rig }) => {
    const backend = await rig.lab.backend();
    const engine = await rig.connected();
    const before = rig.statuses.length;
    backend.fault({ action: 'answer', fault: { route: 'socket', answer: 'status', status: 503, times: 6 } });
    backend.fault({ action: 'dropSockets', side: 'server' });
    await rig.until(() => engine.fullStatus.counters.linksOpened === 2, 'a second link');
    expect(rig.statuses.slice(before).map(({ status }) => status)).toEqual(['errored', 'connected']);
    expect(engine.fullStatus.counters.dials).toBeGreaterThan(6);
  });
});
