/** What the process of an engine runs. Each process evaluates it for itself: no state of a module survives a crash. */
export { createAppServer } from '../../../src/app-server/create.js';
export { createEngine } from '../../../src/engine/engine.js';
