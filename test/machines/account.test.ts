import './account/auth.js';
import './account/login.js';
import './account/routing.js';
import './account/deadlines.js';
import { describe, expect, it } from 'vitest';
import { accountMachine } from '../../machines/account/machine.js';
import { unusedNames } from '../support/charts.js';
import { cover } from './account/rig.js';

describe('cover', () => {
  it('the chart uses every name that it declares', () => {
    expect(unusedNames(accountMachine)).toEqual([]);
  });

  it('the tests take every transition', () => {
    expect(cover.untaken).toEqual([]);
  });
});
