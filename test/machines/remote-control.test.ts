import './remote-control/properties.js';
import './remote-control/account.js';
import './remote-control/enable-request.js';
import './remote-control/store.js';
import './remote-control/preference.js';
import './remote-control/pairing-events.js';
import './remote-control/refusals.js';
import './remote-control/pauses.js';
import './remote-control/deadlines.js';
import './remote-control/connect.js';
import { describe, expect, it } from 'vitest';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import { toChart } from '../../src/visualize/chart.js';
import { unusedNames } from '../support/charts.js';
import { cover } from './remote-control/rig.js';
import { ROUTES, rigIn } from './remote-control/routes.js';

describe('cover', () => {
  it('there is a route to every state in which the chart can wait', async () => {
    const transient = new Set(
      toChart(remoteControlMachine).edges.flatMap(({ trigger, source }) =>
        trigger.kind === 'always' ? [source] : [],
      ),
    );
    const stable = toChart(remoteControlMachine).states.filter(
      ({ kind, id }) => kind === 'atomic' && !transient.has(id),
    );
    expect(stable.map(({ id }) => id.replace('remoteControl.', '')).sort()).toEqual(
      Object.keys(ROUTES).sort(),
    );
    for (const state of Object.keys(ROUTES)) expect((await rigIn(state)).state).toBe(state);
  });

  it('the chart uses every name that it declares', () => {
    expect(unusedNames(remoteControlMachine)).toEqual([]);
  });

  it('the tests take every transition', () => {
    expect(cover.untaken).toEqual([]);
  });
});
