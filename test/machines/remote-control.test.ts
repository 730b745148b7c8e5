import './remote-control/properties.js';
import './remote-control/account.js';
import './remote-control/store.js';
import './remote-control/wishes.js';
import './remote-control/news.js';
import './remote-control/refusals.js';
import './remote-control/pauses.js';
import './remote-control/spine.js';
import { describe, expect, it } from 'vitest';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import { walk } from '../../src/visualize/walk.js';
import { unusedNames } from '../support/charts.js';
import { cover } from './remote-control/rig.js';
import { rigIn, WAYS } from './remote-control/ways.js';

describe('cover', () => {
  it('the tests know a way to every state in which the chart can wait', async () => {
    const passing = new Set(
      walk(remoteControlMachine).edges.flatMap(({ trigger, source }) =>
        trigger.kind === 'always' ? [source] : [],
      ),
    );
    const resting = walk(remoteControlMachine).states.filter(
      ({ kind, id }) => kind === 'atomic' && !passing.has(id),
    );
    expect(resting.map(({ id }) => id.replace('remoteControl.', '')).sort()).toEqual(
      Object.keys(WAYS).sort(),
    );
    for (const state of Object.keys(WAYS)) expect((await rigIn(state)).state).toBe(state);
  });

  it('the chart declares no name that it does not use', () => {
    expect(unusedNames(remoteControlMachine)).toEqual([]);
  });

  it('no transition is left untaken', () => {
    expect(cover.untaken).toEqual([]);
  });
});
