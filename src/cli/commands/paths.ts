import { EXIT, oneOf } from '../errors.js';
import { block, stdout } from '../output/terminal.js';
import { defineCommand } from '../parser/command.js';

export const paths = defineCommand({
  name: 'paths',
  description: 'Print test scenarios generated from the statecharts',
  positionals: {
    machine: { type: 'string', description: 'Name of a statechart [default: all]', completes: 'charts' },
  },
  options: {
    coverage: {
      type: 'string',
      values: ['transitions', 'states', 'thorough', 'pairs'],
      description: 'What the scenarios cover',
      default: 'transitions',
    },
    format: {
      type: 'string',
      values: ['markdown', 'json'],
      description: 'Format of the scenarios',
      default: 'markdown',
    },
  },
  examples: [['paths link --coverage states', 'Scenarios that reach every state of one statechart']],
  run: async ({ machine, coverage = 'transitions', format = 'markdown' }) => {
    const { MODELS, pathsOfChart } = await import('../../testing/charts/index.js');
    const { pathsJson, pathsMarkdown } = await import('../../testing/words.js');
    const { chartHash } = await import('../../visualize/chart.js');
    const names =
      machine === undefined ? Object.keys(MODELS) : [oneOf('machine', machine, Object.keys(MODELS))];
    const print = format === 'json' ? pathsJson : pathsMarkdown;
    for (const name of names) {
      const model = MODELS[name];
      if (model === undefined) continue;
      stdout.write(block(print(name, chartHash(model.machine), pathsOfChart(model, coverage))));
    }
    return EXIT.ok;
  },
});
