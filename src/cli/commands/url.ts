import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { EXIT } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

export const url = defineCommand({
  name: 'url',
  description: 'Print the URL with which a local client connects to the running engine',
  notes:
    'The URL has the token of the listener, where the listener has one: everybody who knows it can connect. The token is\n' +
    'new at each start of the engine.\n' +
    'Exit codes: 0 printed, 1 the engine has no listener, 5 no engine running.',
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [['url', 'Print the connect URL, for example: codex --remote "$(rc-engine url)"']],
  run: async ({ home, json = false }) => {
    errorOutput.json = json;
    const { connectToEngine } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      const answer = await client.request('engine/connectUrl/read', {});
      const connectUrl = isRecord(answer) ? answer.connectUrl : null;
      if (typeof connectUrl !== 'string') {
        throw new EngineError(
          'listenerFailed',
          'The running engine has no listener (--listen off or stdio).',
          {
            remediation: 'Start it with --listen ws://127.0.0.1:0, or another address.',
          },
        );
      }
      if (json) printJson({ type: 'url', connectUrl });
      else stdout.print(connectUrl);
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});
