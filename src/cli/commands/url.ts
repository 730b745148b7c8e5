import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { ControlClient } from '../control-client.js';
import { EXIT } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

export const url = defineCommand({
  name: 'url',
  description:
    'Print the URL with which a local client connects to the running engine, or a link to its inspector',
  notes:
    'The URL has the token of the listener, where the listener has one: everybody who knows it can connect. The token is\n' +
    'new at each start of the engine.\n' +
    'Exit codes: 0 printed, 1 the engine has no listener or no inspector, 5 no engine running.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    inspector: {
      type: 'boolean',
      description: 'Print a new link to the page of start --inspect instead; it works once',
    },
  },
  examples: [
    ['url', 'Print the connect URL, for example: codex --remote "$(rc-engine url)"'],
    ['url --inspector', 'Open the inspector in another browser'],
  ],
  run: async ({ home, json = false, inspector = false }) => {
    errorOutput.json = json;
    const { connectToEngine } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      if (inspector) return await printInspectorLink(client, json);
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

async function printInspectorLink(client: ControlClient, json: boolean): Promise<number> {
  const answer = await client.request('engine/inspectorLink/create', {});
  const link = isRecord(answer) ? answer.link : null;
  if (typeof link !== 'string') {
    throw new EngineError('listenerFailed', 'The running engine has no inspector.', {
      remediation: 'Charts are observed from their start on: start the engine with --inspect.',
    });
  }
  if (json) printJson({ type: 'inspector', url: link });
  else stdout.print(link);
  return EXIT.ok;
}
