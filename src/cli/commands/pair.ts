import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { isReason } from '../../protocol/reasons.js';
import { type ControlClient, readStatus } from '../control-client.js';
import { EXIT } from '../errors.js';
import { printJson } from '../output/print.js';
import { connectionOf } from '../output/summary.js';
import { stdout, text } from '../output/terminal.js';
import { COLOURS, formatDuration } from '../output/text.js';
import { nowWaitingFor } from '../output/waiting.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** In ms. */
const POLL_INTERVAL = 2_000;
const REQUEST_TIMEOUT = 120_000;
const CONNECT_TIMEOUT = 20_000;
const CONNECT_POLL = 250;

export const pair = defineCommand({
  name: 'pair',
  description: 'Show a pairing code, which a controller claims to get access',
  progress: 'Waiting for the connection',
  notes:
    'Refused while remote control is off or not connected (exit code 1), because nobody could use the code.\n' +
    'A connection that is being opened is waited for, for 20 s.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    'no-qr': { type: 'boolean', description: 'Show no QR code on a terminal' },
    wait: { type: 'boolean', description: 'Wait until a controller has claimed the code' },
  },
  examples: [
    ['pair', 'Show a pairing code to enter on another device'],
    ['pair --wait', 'The same, and return when the code is claimed'],
  ],
  run: async ({ home, json, wait, noQr }) => {
    const { connectToEngine } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      await untilConnected(client);
      nowWaitingFor('Requesting a pairing code');
      const answer = await client.request(
        'remoteControl/pairing/start',
        { manualCode: true },
        REQUEST_TIMEOUT,
      );
      if (!isRecord(answer)) {
        throw new EngineError('internal', 'The engine answered remoteControl/pairing/start without a code.');
      }
      if (json === true) printJson({ type: 'pairing', ...answer });
      else await printCode(answer, noQr !== true);
      if (wait !== true) return EXIT.ok;
      nowWaitingFor('Waiting for a device to claim the code');
      await untilClaimed(client, answer);
      if (json === true) printJson({ type: 'claimed' });
      else stdout.print('Claimed.');
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});

/**
 * Waits while the connection is being opened.
 * @throws EngineError with the reason why there is none: nobody could use the code. RC-103
 */
async function untilConnected(client: ControlClient): Promise<void> {
  const deadline = performance.now() + CONNECT_TIMEOUT;
  for (;;) {
    const status = await readStatus(client);
    const { word, why, reason } = connectionOf(status);
    if (status.remoteControl.status === 'connected') return;
    if (word !== 'connecting' || performance.now() >= deadline) {
      const cause = why === '' ? 'The connection is still being opened.' : why;
      throw new EngineError(
        isReason(reason) && reason !== 'stopped' ? reason : 'pairingUnavailable',
        `No pairing code: remote control is ${word === 'connecting' ? 'not connected yet' : word}. ${cause}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, CONNECT_POLL));
  }
}

type Pairing = Readonly<Record<string, unknown>>;

const expiryOf = (pairing: Pairing): number => Number(pairing.expiresAt) * 1000;

async function printCode(pairing: Pairing, withQr: boolean): Promise<void> {
  const code = String(pairing.manualPairingCode ?? pairing.pairingCode);
  const bold = stdout.paint(COLOURS.bold, code);
  const validFor = formatDuration(expiryOf(pairing) - Date.now());
  if (withQr && stdout.isTTY) {
    const { qrCode } = await import('../output/qr.js');
    const qr = qrCode(String(pairing.pairingCode), stdout, process.env);
    if (qr !== undefined) stdout.print('', ...qr, '');
  }
  stdout.print(text`Enter this code on the other device: ${bold}`, `It works once, for ${validFor}.`);
}

async function untilClaimed(client: ControlClient, pairing: Pairing): Promise<void> {
  const query =
    pairing.manualPairingCode == null
      ? { pairingCode: pairing.pairingCode }
      : { manualPairingCode: pairing.manualPairingCode };
  for (;;) {
    const answer = await client.request('remoteControl/pairing/status', query, REQUEST_TIMEOUT);
    if (isRecord(answer) && answer.claimed === true) return;
    if (Date.now() >= expiryOf(pairing)) {
      throw new EngineError('pairingExpired', 'No controller claimed the pairing code before it expired.');
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}
