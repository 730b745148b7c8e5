/** The entry `rc-engine/machines`: the charts, with the hashes of their sources for `chartHash`. */
import * as machines from './index.js';
import { registerSources } from './shared/register.js';

registerSources(machines);

export * from './index.js';
