import { peerText } from '../../observe/peer-text.js';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Controller } from '../../protocol/outcomes.js';
import type { ControlClient } from '../control-client.js';
import { EXIT, suggest, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { ask, stdout, type Text, text } from '../output/terminal.js';
import { COLOURS, formatDuration } from '../output/text.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** In ms. */
const REQUEST_TIMEOUT = 60_000;
const PAGE_SIZE = 100;
/** Pages that are read; more devices than that are a mistake of the backend. */
const MAX_PAGES = 100;

export const devices = defineCommand({
  name: 'devices',
  description: 'List the devices that are paired with this machine, and revoke them',
  notes:
    'ACTION is list (the default) or revoke. A revoked device loses its connections at once and cannot come back.\n' +
    'A running engine is needed: the requests go through it. Exit codes: 0 done, 1 refused or not found, 5 no engine.',
  positionals: {
    action: { type: 'string', description: 'list or revoke' },
    device: { type: 'string', description: 'With revoke: id or name of the device' },
  },
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    yes: { type: 'boolean', description: 'With revoke: do not ask' },
  },
  examples: [
    ['devices', 'List the paired devices'],
    ['devices revoke phone', 'Revoke a device by its name, after a question'],
    ['devices revoke cli_5f0c --yes', 'Revoke it by its id, without a question'],
  ],
  run: async ({ home, json, yes, action = 'list', device }) => {
    errorOutput.json = json === true;
    if (action !== 'list' && action !== 'revoke') {
      throw usageError(`Unknown action ${JSON.stringify(action)}.`, suggest(action, ['list', 'revoke']));
    }
    if (action === 'list' && device !== undefined)
      throw usageError('devices list takes no device.', 'To revoke one: rc-engine devices revoke DEVICE');
    if (action === 'revoke' && device === undefined)
      throw usageError(
        'The device to revoke is missing.',
        'List them with rc-engine devices, then name one.',
      );
    const { connectToEngine } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      const environmentId = await environmentOf(client);
      const known = await listDevices(client, environmentId);
      if (device === undefined) printDevices(known, json === true);
      else await revoke(client, environmentId, selectDevice(known, device), { json, yes });
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});

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

const nameOf = ({ displayName }: Controller): string => peerText(displayName ?? 'unnamed');

function printDevices(known: readonly Controller[], json: boolean): void {
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

function deviceRow(device: Controller): Text {
  const { clientId, lastSeenAt, platform, deviceModel } = device;
  const seen =
    lastSeenAt === null
      ? 'never connected'
      : `last seen ${formatDuration(Date.now() - lastSeenAt * 1000)} ago`;
  const kind = [deviceModel, platform].flatMap((part) => (part === null ? [] : [peerText(part)])).join(', ');
  const name = stdout.paint(COLOURS.bold, nameOf(device));
  return text`${name}  ${peerText(clientId)}  ${seen}${kind === '' ? '' : `  ${kind}`}`;
}

/** @throws EngineError when no device, or more than one, has this id or name */
function selectDevice(known: readonly Controller[], wanted: string): Controller {
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
  device: Controller,
  { json, yes }: RevokeFlags,
): Promise<void> {
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
      return;
    }
  }
  await client.request('remoteControl/client/revoke', { environmentId, clientId }, REQUEST_TIMEOUT);
  if (json === true) printJson({ type: 'revoked', clientId, displayName: device.displayName });
  else stdout.print(text`Revoked ${shown}.`);
}
