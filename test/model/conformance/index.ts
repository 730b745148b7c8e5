export { compare } from './compare.js';
export { reportOf, unexplained } from './report.js';
export { TARGETS, targetOf } from './targets.js';
