import { IDENTITY_FAULTS } from './identity.js';
import { MESSAGE_FAULTS } from './messages.js';
import type { Planted } from './planted.js';
import { RESOURCE_FAULTS } from './resources.js';
import { TIME_FAULTS } from './time.js';

/** Every planted fault. */
export const PLANTED: readonly Planted[] = [
  ...IDENTITY_FAULTS,
  ...MESSAGE_FAULTS,
  ...TIME_FAULTS,
  ...RESOURCE_FAULTS,
];
