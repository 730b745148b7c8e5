/** Pictures and documents of statecharts. */
export { documents } from './documents.js';
export { chartHash } from './hash.js';
export { toMermaid } from './mermaid.js';
export {
  type Chart,
  type ChartEdge,
  type ChartState,
  edgeIds,
  type StateKind,
  type Trigger,
  walk,
} from './walk.js';
