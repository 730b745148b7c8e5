import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { EXIT } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { block, stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

export const metrics = defineCommand({
  name: 'metrics',
  description: 'Print the metrics of the running engine in the text format of Prometheus',
  progress: 'Reading the metrics',
  notes:
    'The engine has metrics when it was started with --metrics (at /metrics of the listener) or --metrics-listen, which\n' +
    'serve the same text to Prometheus.\n' +
    'Exit codes: 0 printed, 1 the engine has no metrics, 5 no engine running.',
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [['metrics', 'Print what Prometheus would read']],
  run: async ({ home, json = false }) => {
    errorOutput.json = json;
    const { connectToEngine } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      const answer = await client.request('engine/metrics/read', {});
      if (!isRecord(answer) || typeof answer.text !== 'string') {
        throw new EngineError('remoteRefused', 'The running engine has no metrics.', {
          remediation: 'Start it with --metrics, or with --metrics-listen 127.0.0.1:9464.',
        });
      }
      if (json) printJson({ type: 'metrics', url: answer.url, text: answer.text });
      else stdout.write(block(answer.text));
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});
