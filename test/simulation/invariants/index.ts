import type { Site } from '../site.js';
import { Answers } from './answers.js';
import { Bounds } from './bounds.js';
import { Identity } from './identity.js';
import type { Invariant } from './invariant.js';
import { Pace } from './pace.js';
import { Secrets } from './secrets.js';
import { watchWire } from './wire.js';

/** Every invariant, for one world. They observe it from its start. */
export function invariantsOf(site: Site): readonly Invariant[] {
  const identity = new Identity(site);
  const pace = new Pace(site);
  watchWire(site.world.network, [identity, pace]);
  return [identity, pace, new Secrets(site), new Answers(site), new Bounds(site)];
}
