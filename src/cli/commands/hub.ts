import { EXIT, usageError } from '../errors.js';
import { runWithoutOutput } from '../output/lifeline.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';
import { untilStopSignal } from '../signals.js';

const DEFAULT_ADDRESS = 'http://127.0.0.1:8787';
const DEFAULT_RATE = 500;

export const hub = defineCommand({
  name: 'hub',
  description: 'Run a node of a self-hosted backend for several machines, or manage its enrollment keys',
  notes:
    'Without words it runs a node until it is stopped. key create, key list and key revoke ID manage the keys with which\n' +
    'engines enroll; config shows the settings and where each is from; export FILE and import FILE save and restore the state. Exit codes: 0 done, 1 failed, 2 wrong usage.',
  positionals: {
    action: {
      type: 'string',
      description: 'key, config, export or import; nothing: run a node',
      completes: ['key', 'config', 'export', 'import'],
    },
    what: {
      type: 'string',
      description: 'With key: create, list or revoke. With export and import: the file',
      completes: ['create', 'list', 'revoke'],
    },
    id: { type: 'string', description: 'With key revoke: the id of the key, as key list shows it' },
  },
  options: {
    config: {
      type: 'string',
      description:
        'JSON file with these settings, such as {"listen": "https://0.0.0.0:443", "tlsCert": "cert.pem"}',
      variable: 'RC_ENGINE_HUB_CONFIG',
      completes: 'files',
    },
    listen: {
      type: 'string',
      description: 'Address: https://HOST:PORT, or http:// on a loopback address',
      variable: 'RC_ENGINE_HUB_LISTEN',
      default: DEFAULT_ADDRESS,
    },
    'tls-cert': {
      type: 'string',
      description: 'PEM file of the certificate',
      variable: 'RC_ENGINE_HUB_TLS_CERT',
    },
    'tls-key': {
      type: 'string',
      description: 'PEM file of its private key',
      variable: 'RC_ENGINE_HUB_TLS_KEY',
    },
    bus: {
      type: 'string',
      description: 'Broker: memory for one node, or nats://HOST:PORT (several with commas)',
      variable: 'RC_ENGINE_HUB_BUS',
      default: 'memory',
    },
    replicas: {
      type: 'integer',
      description: 'Copies of the state in a cluster of NATS, when it is created',
      variable: 'RC_ENGINE_HUB_REPLICAS',
      default: '1',
    },
    state: {
      type: 'string',
      description: 'State file of a hub without a broker',
      variable: 'RC_ENGINE_HUB_STATE',
      default: 'memory only',
      completes: 'files',
    },
    accounts: {
      type: 'string',
      description: 'Who may enroll engines: holders of keys, or anybody (loopback only)',
      variable: 'RC_ENGINE_HUB_ACCOUNTS',
      values: ['keys', 'any'],
      default: 'keys',
    },
    'connect-rate': {
      type: 'integer',
      description: 'Connections that a node accepts in a second; others get 503',
      variable: 'RC_ENGINE_HUB_CONNECT_RATE',
      default: String(DEFAULT_RATE),
    },
    'read-only-methods': {
      type: 'string',
      description: 'Methods that a read-only device may send, METHOD[,METHOD]',
      variable: 'RC_ENGINE_HUB_READ_ONLY_METHODS',
      default: 'methods that only read',
    },
    drain: {
      type: 'seconds',
      description: 'Over how many seconds a node that stops closes its connections',
      variable: 'RC_ENGINE_HUB_DRAIN',
      default: '10 with a broker, else 0',
    },
    account: { type: 'string', description: 'With key create: the account that the key is for' },
    role: {
      type: 'string',
      description: 'With key create: owner, or viewer, which only sees machines and devices',
      values: ['owner', 'viewer'],
      default: 'owner',
    },
    expires: { type: 'seconds', description: 'With key create: lifetime in seconds', default: 'for ever' },
    ...JSON_OPTION,
  },
  examples: [
    ['hub --accounts any', 'One node on this machine that accepts everybody, to try it'],
    ['hub key create --account team --state hub.json', 'A key for the engines of an account'],
    [
      'hub --listen https://0.0.0.0:443 --tls-cert c.pem --tls-key k.pem --bus nats://10.0.0.2:4222',
      'A node',
    ],
  ],
  run: async (args) => {
    errorOutput.json = args.json === true;
    const { readHubSettings, resolveHubSettings, shownHubSetting } = await import(
      '../settings/hub-settings.js'
    );
    if (args.action === 'config' && args.what === undefined) {
      const found = await resolveHubSettings(args);
      for (const one of found) {
        const shown = { name: one.name, value: shownHubSetting(one), origin: one.origin };
        if (args.json === true) printJson({ type: 'setting', ...shown });
        else stdout.print(`${shown.name}: ${shown.value}  (${shown.origin})`);
      }
      await readHubSettings(args);
      return EXIT.ok;
    }
    const settings = await readHubSettings(args);
    const { action, what, id, json = false } = args;
    if (action === undefined) return await runNode(settings, json);
    const { createKey, exportState, importState, listKeys, revokeKey } = await import('../hub-state.js');
    if (action === 'key' && what === 'create' && id === undefined)
      return await createKey(settings, args, json);
    if (action === 'key' && what === 'list' && id === undefined) return await listKeys(settings, json);
    if (action === 'key' && what === 'revoke' && id !== undefined) return await revokeKey(settings, id, json);
    if (action === 'export' && what !== undefined && id === undefined)
      return await exportState(settings, what, json);
    if (action === 'import' && what !== undefined && id === undefined)
      return await importState(settings, what, json);
    throw usageError(
      'The words after hub are not valid.',
      'Use: hub, hub config, hub key create --account NAME, hub key list, hub key revoke ID, hub export FILE or hub import FILE.',
    );
  },
});

async function runNode(settings: import('../../hub/index.js').HubOptions, json: boolean): Promise<number> {
  const { startHub } = await import('../../hub/index.js');
  const { readPageFile } = await import('../../inspector/page-file.js');
  const page = await readPageFile(new URL('./hub.html.br', import.meta.url));
  const running = await startHub(
    settings,
    (event, detail) => {
      const at = Date.now();
      if (json) printJson({ type: 'event', at, kind: event, ...detail });
      else stdout.print(`${new Date(at).toISOString()} ${event} ${JSON.stringify(detail)}`);
    },
    page,
  );
  if (json) printJson({ type: 'listening', baseUrl: running.url });
  else {
    stdout.print(
      `A node of the hub on ${running.url}`,
      `Open in a browser:  ${new URL(running.url).origin}`,
      `Connect an engine:  rc-engine start --base-url ${running.url}`,
      'Press Ctrl-C to stop; a second time to stop at once.',
    );
  }
  runWithoutOutput(json ? 'json' : 'text');
  await untilStopSignal();
  const closed = running.close();
  const again = untilStopSignal().then(() => running.close());
  await Promise.race([closed, again]);
  return EXIT.ok;
}
