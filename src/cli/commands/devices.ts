import { peerText } from '../../observe/peer-text.js';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Controller } from '../../protocol/outcomes.js';
import type { ControlClient } from '../control-client.js';
import { deviceNamesFile, nameDevice, readDeviceNames } from '../device-names.js';
import { EXIT, suggest, usageError } from '../errors.js';
import { ask } from '../output/ask.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout, type Text, text } from '../output/terminal.js';
import { COLOURS, formatDuration } from '../output/text.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** In ms. */
const REQUEST_TIMEOUT = 60_000;
const PAGE_SIZE = 100;
/** Pages that are read; more devices than that are a mistake of the backend. */
const MAX_PAGES = 100;

export const devices = defineCommand({
  name: 'devices',
  description: 'List, rename and revoke the devices that are paired with this machine',
  progress: 'Reading the devices',
  notes:
    'ACTION is list (the default), rename or revoke. A revoked device loses its connections at once and cannot come\n' +
    'back. rename gives a device a name of your own: it is stored in this home, and the device does not see it.\n' +
    'A running engine is needed: the requests go through it. Exit codes: 0 done, 1 refused or not found, 5 no engine.',
  positionals: {
    action: {
      type: 'string',
      description: 'list, rename or revoke',
      completes: ['list', 'rename', 'revoke'],
    },
    device: { type: 'string', description: 'With rename and revoke: id or name of the device' },
    name: { type: 'string', description: 'With rename: its new name; empty for the name that it has itself' },
  },
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    yes: { type: 'boolean', description: 'With revoke: do not ask' },
  },
  examples: [
    ['devices', 'List the paired devices'],
    ['devices rename cli_5f0c old-phone', 'Give it a name that you know it by'],
    ['devices revoke phone', 'Revoke a device by its name, after a question'],
    ['devices revoke cli_5f0c --yes', 'Revoke it by its id, without a question'],
  ],
  run: async ({ home: homeDir, json, yes, action = 'list', device, name }) => {
    errorOutput.json = json === true;
    checkArguments(action, device, name);
    const { connectToEngine } = await import('../control-client.js');
    const { locateHome, resolveHome } = await import('../../home/home.js');
    const names = deviceNamesFile(locateHome(resolveHome(homeDir)).dir);
    const client = await connectToEngine(homeDir);
    try {
      const environmentId = await environmentOf(client);
      const known = withNames(await listDevices(client, environmentId), await readDeviceNames(names));
      if (device === undefined) printDevices(known, json === true);
      else if (action === 'rename') {
        await rename(names, selectDevice(known, device), name ?? '', json === true);
      } else {
        const selected = selectDevice(known, device);
        if (await revoke(client, environmentId, selected, { json, yes })) {
          await nameDevice(names, selected.clientId, '');
        }
      }
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});

const ACTIONS = ['list', 'rename', 'revoke'];

function checkArguments(action: string, device: string | undefined, name: string | undefined): void {
  if (!ACTIONS.includes(action)) {
    throw usageError(`Unknown action ${JSON.stringify(action)}.`, suggest(action, ACTIONS));
  }
  if (action === 'list' && device !== undefined) {
    throw usageError('devices list takes no device.', 'To revoke one: rc-engine devices revoke DEVICE');
  }
  if (action !== 'list' && device === undefined) {
    throw usageError(
      `The device to ${action} is missing.`,
      'List them with rc-engine devices, then name one.',
    );
  }
  if (action === 'rename' && name === undefined) {
    throw usageError('The new name is missing.', 'Run: rc-engine devices rename DEVICE NAME');
  }
  if (action === 'revoke' && name !== undefined) {
    throw usageError('devices revoke takes one device.', 'Quote a name that has spaces.');
  }
}

/** A device with the name that the owner has given to it; null: none. */
type NamedDevice = Controller & { readonly name: string | null };

const withNames = (devices: readonly Controller[], names: ReadonlyMap<string, string>): NamedDevice[] =>
  devices.map((device) => ({ ...device, name: names.get(device.clientId) ?? null }));

async function rename(file: string, device: NamedDevice, name: string, json: boolean): Promise<void> {
  const { clientId, displayName } = device;
  await nameDevice(file, clientId, name);
  if (json) printJson({ type: 'renamed', clientId, displayName, name: name === '' ? null : name });
  else if (name === '')
    stdout.print(text`${peerText(clientId)} has its own name again: ${ownNameOf(device)}.`);
  else stdout.print(text`${nameOf(device)} is called ${name} now.`);
}

async function environmentOf(client: ControlClient): Promise<string> {
  const status = await client.request('remoteControl/status/read', {}, REQUEST_TIMEOUT);
  if (isRecord(status) && typeof status.environmentId === 'string') return status.environmentId;
  throw new EngineError('identityMissing', 'This machine has no environment at the backend now.');
}

async function listDevices(client: ControlClient, environmentId: string): Promise<Controller[]> {
  const found: Controller[] = [];
  let cursor: unknown;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await client.request(
      'remoteControl/client/list',
      { environmentId, limit: PAGE_SIZE, order: 'asc', ...(cursor === undefined ? {} : { cursor }) },
      REQUEST_TIMEOUT,
    );
    if (!isRecord(answer) || !Array.isArray(answer.data)) break;
    // The engine is the same program, so its response has the type that it was written with.
    found.push(...(answer.data as Controller[]));
    if (typeof answer.nextCursor !== 'string') return found;
    cursor = answer.nextCursor;
  }
  return found;
}

const ownNameOf = ({ displayName }: Controller): string => peerText(displayName ?? 'unnamed');
const nameOf = (device: NamedDevice): string => device.name ?? ownNameOf(device);

function printDevices(known: readonly NamedDevice[], json: boolean): void {
  if (json) {
    for (const device of known) printJson({ type: 'device', ...device });
    return;
  }
  if (known.length === 0) {
    stdout.print('No device is paired.', 'To pair one: rc-engine pair');
    return;
  }
  stdout.print(...known.map(deviceRow), '', 'Revoke one: rc-engine devices revoke DEVICE');
}

function deviceRow(device: NamedDevice): Text {
  const { clientId, lastSeenAt, platform, deviceModel } = device;
  const seen =
    lastSeenAt === null
      ? 'never connected'
      : `last seen ${formatDuration(Date.now() - lastSeenAt * 1000)} ago`;
  const own = device.name === null ? [] : [`calls itself ${ownNameOf(device)}`];
  const kind = [
    ...own,
    ...[deviceModel, platform].flatMap((part) => (part === null ? [] : [peerText(part)])),
  ].join(', ');
  const name = stdout.paint(COLOURS.bold, nameOf(device));
  return text`${name}  ${peerText(clientId)}  ${seen}${kind === '' ? '' : `  ${kind}`}`;
}

/** @throws EngineError when no device, or more than one, has this id or name */
function selectDevice(known: readonly NamedDevice[], wanted: string): NamedDevice {
  const byId = known.filter(({ clientId }) => clientId === wanted);
  const byName = known.filter((device) => nameOf(device).toLowerCase() === wanted.toLowerCase());
  const [found, ...others] = byId.length > 0 ? byId : byName;
  if (found === undefined) {
    throw new EngineError('remoteRefused', `No paired device is called ${JSON.stringify(wanted)}.`, {
      remediation: 'List them with rc-engine devices.',
    });
  }
  if (others.length > 0) {
    throw new EngineError(
      'remoteRefused',
      `${others.length + 1} devices are called ${JSON.stringify(wanted)}.`,
      { remediation: 'Name one by its id, which rc-engine devices shows.' },
    );
  }
  return found;
}

interface RevokeFlags {
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

async function revoke(
  client: ControlClient,
  environmentId: string,
  device: NamedDevice,
  { json, yes }: RevokeFlags,
): Promise<boolean> {
  const { clientId } = device;
  const shown = `${nameOf(device)} (${peerText(clientId)})`;
  if (yes !== true) {
    if (json === true || process.stdin.isTTY !== true || !stdout.isTTY) {
      throw usageError(`Revoking ${shown} needs a confirmation.`, 'Add --yes.');
    }
    stdout.print(text`${shown} loses its connections now and must be paired again to come back.`);
    const answer = await ask('Revoke it? [y/N] ', 'stdout');
    if (!/^y(es)?$/i.test(answer)) {
      stdout.print('Nothing was changed.');
      return false;
    }
  }
  await client.request('remoteControl/client/revoke', { environmentId, clientId }, REQUEST_TIMEOUT);
  if (json === true) printJson({ type: 'revoked', clientId, displayName: device.displayName });
  else stdout.print(text`Revoked ${shown}.`);
  return true;
}
