/**
 * What the scripts of this repository use of the sources, for build, documents and pictures. It is not part of the
 * package: there is no entry for it in `exports`, and it may change at any time.
 */
export { COMMANDS } from './cli/commands/index.js';
export { completionTable } from './cli/completion/table.js';
export { flagOf, variableOf } from './cli/settings/setting.js';
export { START_SETTINGS } from './cli/settings/start-settings.js';
export { CHARTS, chartHashes } from './engine/charts.js';
export { REASONS } from './protocol/reasons.js';
export { APP_SERVER_METHODS, AUTHORITIES, ENGINE_METHODS } from './session/authority-table.js';
export { storyDocuments } from './stories/documents.js';
export { checkEngine } from './stories/model-check.js';
export { STORIES } from './stories/plots/index.js';
export { scenarios } from './testing/charts/index.js';
export { chartHash, toChart } from './visualize/chart.js';
export { toConfigJson } from './visualize/config-json.js';
export { documents } from './visualize/documents.js';
export { edgeText } from './visualize/edge-text.js';
export { exportAll } from './visualize/exports.js';
export { toOverview } from './visualize/mermaid-parts.js';
export { picturesOf } from './visualize/pictures.js';
export { svgOf } from './visualize/svg.js';
