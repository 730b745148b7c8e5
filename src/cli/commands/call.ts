import { EngineError } from '../../protocol/errors.js';
import { VERSION } from '../../protocol/version.js';
import { EXIT, usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { json as jsonText, stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';

const DEFAULT_TIMEOUT_SECONDS = 30;

export const call = defineCommand({
  name: 'call',
  description: 'Send requests to an environment, as a controller does (embedded backend only)',
  notes: 'Without METHOD, each line of stdin is a request: METHOD PARAMS.',
  positionals: {
    method: { type: 'string', description: 'JSON-RPC method' },
    params: { type: 'string', description: 'Its parameters, as JSON [default: {}]' },
  },
  options: {
    'base-url': { type: 'string', description: 'URL of the embedded backend', required: true },
    code: { type: 'string', description: 'Pairing code to claim; it works once' },
    controller: {
      type: 'string',
      description:
        'File (mode 0600) that stores the controller made from --code, for later calls without a code',
    },
    timeout: {
      type: 'seconds',
      description: 'Seconds to wait for each response',
      default: String(DEFAULT_TIMEOUT_SECONDS),
    },
    ...JSON_OPTION,
  },
  examples: [
    [
      'call --base-url http://127.0.0.1:8787/backend-api --code ABCD-EFGH engine/status/read',
      'Claim a pairing code and send one request',
    ],
    [
      'call --base-url http://127.0.0.1:8787/backend-api --controller me.json engine/echo \'{"payload":1}\'',
      'Call again with the stored controller',
    ],
  ],
  run: async ({
    baseUrl,
    code,
    controller: file,
    method,
    params,
    timeout = DEFAULT_TIMEOUT_SECONDS,
    json,
  }) => {
    const { parseTarget } = await import('../../net/target.js');
    const target = parseTarget(baseUrl, { allowHosts: [] });
    if (!target.ok) throw new EngineError('targetRefused', target.message);
    const parsed = params === undefined ? {} : parseParams(params);
    const { claimController, loadController } = await import('../controller-file.js');
    const claimed =
      code === undefined ? await loadController(file) : await claimController(baseUrl, code, file);
    const { Controller } = await import('../../controller/controller.js');
    const controller = new Controller({ baseUrl, token: claimed.token });
    await controller.connect();
    try {
      const timeoutMs = timeout * 1000;
      // Before initialize: the first notification may arrive together with its response.
      if (method === undefined) {
        controller.onNotification((name, body) => printJson({ method: name, params: body }));
      }
      await controller.request(
        'initialize',
        { clientInfo: { name: 'rc-engine-call', version: VERSION }, capabilities: { experimentalApi: true } },
        timeoutMs,
      );
      controller.notify('initialized');
      const send = (name: string, body: unknown) => controller.request(name, body, timeoutMs);
      if (method === undefined) await sendLines(send);
      else printResult(await send(method, parsed), json === true);
      return EXIT.ok;
    } finally {
      await controller.close();
    }
  },
});

/** Sends each line of stdin. An error is printed as JSON and does not end the command. */
async function sendLines(send: (method: string, params: unknown) => Promise<unknown>): Promise<void> {
  const { createInterface } = await import('node:readline');
  for await (const line of createInterface({ input: process.stdin })) {
    const [, method, params = ''] = /^\s*(\S+)\s*(.*)$/.exec(line) ?? [];
    if (method === undefined) continue;
    try {
      printResult(await send(method, params === '' ? {} : parseParams(params)), true);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      printJson({ error: error.message });
    }
  }
}

function printResult(result: unknown, oneLine: boolean): void {
  stdout.write(jsonText(String(JSON.stringify(result, null, oneLine ? undefined : 2))));
}

function parseParams(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(
      `The parameters are not JSON: ${text.slice(0, 80)}`,
      'Quote them for the shell: \'{"name":"value"}\'',
    );
  }
}
