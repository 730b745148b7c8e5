import type { Controller } from '../../controller/controller.js';
import { protocolOfInitialize } from '../../protocol/agent-protocol.js';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Secret } from '../../protocol/secret.js';
import { VERSION } from '../../protocol/version.js';
import { EXIT, usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { json as jsonText, stdout } from '../output/terminal.js';
import { CODE_OPTIONS, type Lines, readCode } from '../pairing-code.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';

const DEFAULT_TIMEOUT_SECONDS = 30;
/** In ms. */
const PAIRING_TIMEOUT = 60_000;

export const call = defineCommand({
  name: 'call',
  description: 'Send requests to an environment, as a controller does (embedded backend only)',
  progress: 'Calling the environment',
  notes:
    'Without METHOD, each line of stdin is a request: METHOD PARAMS.\n' +
    'Without --initialize, call introduces itself as a client of Codex does. Agents of MCP and ACP need their own.\n' +
    'With --home neither a URL nor a code is needed: it calls the engine of this machine as a controller would.\n' +
    'Without a code and without --controller, call asks for the code on a terminal.',
  positionals: {
    method: { type: 'string', description: 'JSON-RPC method' },
    params: { type: 'string', description: 'Its parameters, as JSON [default: {}]' },
  },
  options: {
    'base-url': { type: 'string', description: 'URL of the embedded backend [env: RC_ENGINE_BASE_URL]' },
    home: {
      type: 'string',
      description:
        'Take the URL and the code from the engine that runs on this home, and store the controller in its call.json',
    },
    ...CODE_OPTIONS,
    controller: {
      type: 'string',
      description:
        'File (mode 0600) that stores the controller made from the code, for later calls without a code',
    },
    initialize: {
      type: 'string',
      description:
        'Parameters of initialize for an agent other than Codex, as JSON; none sends no initialize (MCP 2026-07-28, raw agents)',
    },
    timeout: {
      type: 'seconds',
      description: 'Longest time of the whole call in seconds; for requests from stdin, of each response',
      default: String(DEFAULT_TIMEOUT_SECONDS),
    },
    ...JSON_OPTION,
  },
  examples: [
    ['call --home ~/.rc-engine engine/status/read', 'Call the engine of this machine through the backend'],
    [
      'call --base-url http://127.0.0.1:8787/backend-api engine/status/read',
      'Ask for a pairing code, claim it and send one request',
    ],
    [
      'call --base-url http://127.0.0.1:8787/backend-api --controller me.json engine/echo \'{"payload":1}\'',
      'Call again with the stored controller',
    ],
    [
      'call --base-url http://127.0.0.1:8787/backend-api --initialize \'{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"me","version":"1"}}\' tools/list',
      'Call an MCP server',
    ],
  ],
  run: async ({
    baseUrl: givenUrl,
    home,
    code: codeOption,
    codeStdin,
    controller: file,
    method,
    params,
    initialize,
    timeout = DEFAULT_TIMEOUT_SECONDS,
    json,
  }) => {
    const local = await localTarget(home, givenUrl, file);
    const baseUrl = local?.baseUrl ?? givenUrl ?? (process.env.RC_ENGINE_BASE_URL || undefined);
    if (baseUrl === undefined) {
      throw usageError(
        'call needs --base-url.',
        'Give the URL of the embedded backend, or --home of an engine that runs on this machine.',
      );
    }
    const { parseTarget } = await import('../../net/target.js');
    const target = parseTarget(baseUrl, { allowHosts: [] });
    if (!target.ok) throw new EngineError('targetRefused', target.message);
    const parsed = params === undefined ? {} : parseParams(params);
    const hello = greetingOf(initialize);
    const needed = file === undefined && local === undefined;
    const { lines, code } = await readCode(codeOption, codeStdin === true, needed);
    const timeoutMs = timeout * 1000;
    const deadline = performance.now() + timeoutMs;
    const left = (): number => Math.max(Math.round(deadline - performance.now()), 1);
    const controller = await connectController({ baseUrl, code, file, local }, left);
    try {
      // Before initialize: the first notification may arrive together with its response.
      if (method === undefined) {
        controller.onNotification((name, body) => printJson({ method: name, params: body }));
      }
      if (hello !== null) {
        await controller.request('initialize', hello.params, left());
        if (hello.initialized !== null) controller.notify(hello.initialized);
      }
      if (method === undefined) {
        await sendLines(lines, (name, body) => controller.request(name, body, timeoutMs));
      } else printResult(await controller.request(method, parsed, left()), json === true);
      return EXIT.ok;
    } finally {
      await controller.close();
    }
  },
});

/** The engine of this machine, and where its controller is stored. */
interface LocalTarget {
  readonly baseUrl: string;
  readonly file: string;
  /** A new pairing code. */
  code(): Promise<string>;
}

async function localTarget(
  homeDir: string | undefined,
  baseUrl: string | undefined,
  file: string | undefined,
): Promise<LocalTarget | undefined> {
  if (homeDir === undefined) return undefined;
  if (baseUrl !== undefined) {
    throw usageError('--home and --base-url cannot be used together.', 'Remove one of the two.');
  }
  const { connectToEngine, readStatus } = await import('../control-client.js');
  const { locateHome, resolveHome } = await import('../../home/home.js');
  const { join } = await import('node:path');
  const client = await connectToEngine(homeDir);
  const { remoteControl } = await readStatus(client).finally(() => client.close());
  return {
    baseUrl: remoteControl.baseUrl,
    file: file ?? join(locateHome(resolveHome(homeDir)).dir, 'call.json'),
    code: async () => {
      const paired = await connectToEngine(homeDir);
      try {
        const answer = await paired.request(
          'remoteControl/pairing/start',
          { manualCode: true },
          PAIRING_TIMEOUT,
        );
        if (isRecord(answer) && typeof answer.pairingCode === 'string') return answer.pairingCode;
        throw new EngineError('internal', 'The engine answered remoteControl/pairing/start without a code.');
      } finally {
        paired.close();
      }
    },
  };
}

interface Access {
  readonly baseUrl: string;
  readonly code: string | undefined;
  readonly file: string | undefined;
  readonly local: LocalTarget | undefined;
}

/** Connects with a code, or with the stored controller; for a local engine, a controller that is not accepted is replaced. */
async function connectController(
  { baseUrl, code, file, local }: Access,
  left: () => number,
): Promise<Controller> {
  const { claimController, loadController } = await import('../controller-file.js');
  const { Controller } = await import('../../controller/controller.js');
  const connect = async (token: Secret): Promise<Controller> => {
    const controller = new Controller({ baseUrl, token, jsonrpc: true, timeout: left() });
    await controller.connect();
    return controller;
  };
  if (code !== undefined) return connect((await claimController(baseUrl, code, local?.file ?? file)).token);
  if (local === undefined) return connect((await loadController(file)).token);
  try {
    return await connect((await loadController(local.file)).token);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // There is none yet, or the backend does not know it: that of `start --base-url embedded` is new at each start.
    return connect((await claimController(baseUrl, await local.code(), local.file)).token);
  }
}

interface Greeting {
  /** Of `initialize`. */
  readonly params: unknown;
  /** The notification that follows it in the protocol; null: none does. */
  readonly initialized: string | null;
}

/** How the call introduces itself; null: not at all. */
function greetingOf(given: string | undefined): Greeting | null {
  if (given === 'none') return null;
  if (given === undefined) {
    const clientInfo = { name: 'rc-engine-call', version: VERSION };
    return { params: { clientInfo, capabilities: { experimentalApi: true } }, initialized: 'initialized' };
  }
  const params = parseParams(given, '--initialize is');
  const protocol = protocolOfInitialize(params);
  if (protocol === 'acp') return { params, initialized: null };
  return { params, initialized: protocol === 'mcp' ? 'notifications/initialized' : 'initialized' };
}

/** Sends each line of stdin. An error is printed as JSON and does not end the command. */
async function sendLines(
  lines: Lines,
  send: (method: string, params: unknown) => Promise<unknown>,
): Promise<void> {
  const reader = lines();
  for await (const line of { [Symbol.asyncIterator]: () => reader }) {
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

function parseParams(text: string, what = 'The parameters are'): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(
      `${what} not JSON: ${text.slice(0, 80)}`,
      'Quote them for the shell: \'{"name":"value"}\'',
    );
  }
}
