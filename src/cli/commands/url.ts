import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { Secret } from '../../protocol/secret.js';
import type { ControlClient } from '../control-client.js';
import { EXIT, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

export const url = defineCommand({
  name: 'url',
  description:
    'Print the URL with which a local client connects to the running engine, or a link to its inspector',
  progress: 'Asking the engine',
  notes:
    'The URL has the token of the listener, where the listener has one: everybody who knows it can connect. The token is\n' +
    'new at each start of the engine. --new replaces it now: the old one is refused from then on, and clients that are\n' +
    'connected stay.\n' +
    'Exit codes: 0 printed, 1 the engine has no listener, no token of its own or no inspector, 5 no engine running.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    new: {
      type: 'boolean',
      description: 'Replace the token first, for example when somebody has seen the URL',
    },
    inspector: {
      type: 'boolean',
      description: 'Print a new link to the page of start --inspect instead; it works once',
    },
    open: { type: 'boolean', description: 'With --inspector: open the page in the browser of this machine' },
  },
  examples: [
    ['url', 'Print the connect URL, for example: codex --remote "$(rc-engine url)"'],
    ['url --new', 'Make the old URL worthless; connected clients stay'],
    ['url --inspector', 'Open the inspector in another browser'],
  ],
  run: async ({ home, json = false, inspector = false, open = false, new: rotate = false }) => {
    errorOutput.json = json;
    if (open && !inspector) {
      throw usageError('--open needs --inspector.', 'Run: rc-engine url --inspector --open');
    }
    if (rotate && inspector) {
      throw usageError(
        '--new and --inspector cannot be used together: each link to the inspector is new.',
        'Remove one of the two.',
      );
    }
    const { connectToEngine } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      if (inspector) return await printInspectorLink(client, { home, json, open });
      const connectUrl = rotate ? await newUrl(client) : await currentUrl(client);
      if (json) printJson({ type: 'url', connectUrl, new: rotate });
      else stdout.print(connectUrl);
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});

async function currentUrl(client: ControlClient): Promise<string> {
  const answer = await client.request('engine/connectUrl/read', {});
  const connectUrl = isRecord(answer) ? answer.connectUrl : null;
  if (typeof connectUrl !== 'string') throw noListener();
  return connectUrl;
}

/** The URL with a token that was made now. RC-125 */
async function newUrl(client: ControlClient): Promise<string> {
  const answer = await client.request('engine/connectUrl/rotate', {});
  if (!isRecord(answer) || answer.hasListener !== true) throw noListener();
  const { connectUrl } = answer;
  if (typeof connectUrl === 'string') return connectUrl;
  throw new EngineError('remoteRefused', 'The connect URL of the running engine holds no token.', {
    remediation:
      'Its clients present a credential of yours (--ws-auth): replace that file, and run rc-engine restart.',
  });
}

const noListener = (): EngineError =>
  new EngineError('listenerFailed', 'The running engine has no listener (--listen off or stdio).', {
    remediation: 'Start it with --listen ws://127.0.0.1:0, or another address.',
  });

async function printInspectorLink(
  client: ControlClient,
  { home, json, open }: { readonly home: string | undefined; readonly json: boolean; readonly open: boolean },
): Promise<number> {
  const answer = await client.request('engine/inspectorLink/create', { fileLink: open });
  const { link, fileLink } = isRecord(answer) ? answer : {};
  if (typeof link !== 'string') {
    throw new EngineError('listenerFailed', 'The running engine was started without --inspect.', {
      remediation: 'Run: rc-engine inspect --attach',
    });
  }
  if (json) printJson({ type: 'inspector', url: link });
  else stdout.print(link);
  if (typeof fileLink !== 'string') return EXIT.ok;
  const { openWithNote, usedOrLate } = await import('../attach.js');
  const { locateHome, resolveHome } = await import('../../home/home.js');
  const used = usedOrLate(client);
  // The link alone stays on stdout, for scripts.
  const opened = await openWithNote(new Secret(fileLink), locateHome(resolveHome(home)).dir, true);
  if (opened.obstacle === undefined) await used;
  await opened.remove();
  return EXIT.ok;
}
