import { isRecord } from '../../protocol/jsonrpc.js';
import { EXIT } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout, text } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** Enabling waits for the answer of the backend, in ms. */
const REQUEST_TIMEOUT = 300_000;

const OPTIONS = {
  ...HOME_OPTION,
  ...JSON_OPTION,
  ephemeral: {
    type: 'boolean',
    description: 'Only until the engine stops; the stored preference stays as it is',
  },
} as const;

const PREFERENCE =
  'The preference is stored for the account. The next start follows it only with --remote-control preference;\n' +
  'by default a start switches remote control on.';

export const enable = defineCommand({
  name: 'enable',
  description: 'Switch remote control of the running engine on',
  progress: 'Switching remote control on',
  notes: `${PREFERENCE}\nExit codes: 0 done, 1 refused, 5 no engine running.`,
  options: OPTIONS,
  examples: [['enable', 'Let paired controllers reach this machine again']],
  run: ({ home, json, ephemeral }) => change('enable', home, json === true, ephemeral === true),
});

export const disable = defineCommand({
  name: 'disable',
  description: 'Switch remote control of the running engine off: controllers lose their connections',
  progress: 'Switching remote control off',
  notes: `${PREFERENCE}\nThe engine keeps running, and local clients stay connected.\nExit codes: 0 done, 1 refused, 5 no engine running.`,
  options: OPTIONS,
  examples: [
    ['disable', 'Cut off all controllers, and store that for the account'],
    ['disable --ephemeral', 'Only until the engine stops'],
  ],
  run: ({ home, json, ephemeral }) => change('disable', home, json === true, ephemeral === true),
});

async function change(
  what: 'enable' | 'disable',
  home: string | undefined,
  json: boolean,
  ephemeral: boolean,
): Promise<number> {
  errorOutput.json = json;
  const { connectToEngine } = await import('../control-client.js');
  const client = await connectToEngine(home);
  try {
    const status = await client.request(`remoteControl/${what}`, { ephemeral }, REQUEST_TIMEOUT);
    if (json) {
      printJson({ type: 'remoteControl', ephemeral, ...(isRecord(status) ? status : {}) });
      return EXIT.ok;
    }
    const forHowLong = ephemeral ? ' until the engine stops' : '';
    if (what === 'disable') stdout.print(`Remote control is off${forHowLong}.`);
    else {
      const state = isRecord(status) ? String(status.status) : 'unknown';
      stdout.print(text`Remote control is on${forHowLong}: ${state}.`);
      if (state !== 'connected') stdout.print('To see when it is connected: rc-engine wait');
    }
    return EXIT.ok;
  } finally {
    client.close();
  }
}
