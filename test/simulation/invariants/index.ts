import type { Site } from '../site.js';
import { Answers } from './answers.js';
import type { Invariant } from './invariant.js';
import { Secrets } from './secrets.js';

/** Every invariant, for one world. They observe it from its start. */
export const invariantsOf = (site: Site): readonly Invariant[] => [new Secrets(site), new Answers(site)];
