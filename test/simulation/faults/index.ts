import type { StepKind } from '../steps.js';
import { ACCOUNT_FAULTS } from './account.js';
import { BACKEND_FAULTS } from './backend.js';
import { MACHINE_FAULTS } from './machine.js';
import { NETWORK_FAULTS } from './network.js';

/** Every fault that a seed can draw. */
export const FAULTS: readonly StepKind[] = [
  ...NETWORK_FAULTS,
  ...BACKEND_FAULTS,
  ...MACHINE_FAULTS,
  ...ACCOUNT_FAULTS,
];
