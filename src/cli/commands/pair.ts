import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { ControlClient } from '../control-client.js';
import { EXIT } from '../errors.js';
import { printJson } from '../output/print.js';
import { stdout, text } from '../output/terminal.js';
import { COLOURS, formatDuration } from '../output/text.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** In ms. */
const POLL_INTERVAL = 2_000;
const REQUEST_TIMEOUT = 120_000;

export const pair = defineCommand({
  name: 'pair',
  description: 'Show a pairing code, which a controller claims to get access',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    wait: { type: 'boolean', description: 'Wait until a controller has claimed the code' },
  },
  examples: [
    ['pair', 'Show a pairing code to enter on another device'],
    ['pair --wait', 'The same, and return when the code is claimed'],
  ],
  run: async ({ home, json, wait }) => {
    const { connectToEngine } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      const answer = await client.request(
        'remoteControl/pairing/start',
        { manualCode: true },
        REQUEST_TIMEOUT,
      );
      if (!isRecord(answer)) {
        throw new EngineError('internal', 'The engine answered remoteControl/pairing/start without a code.');
      }
      if (json === true) printJson({ type: 'pairing', ...answer });
      else printCode(answer);
      if (wait !== true) return EXIT.ok;
      await untilClaimed(client, answer);
      if (json === true) printJson({ type: 'claimed' });
      else stdout.print('Claimed.');
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});

type Pairing = Readonly<Record<string, unknown>>;

const expiryOf = (pairing: Pairing): number => Number(pairing.expiresAt) * 1000;

function printCode(pairing: Pairing): void {
  const code = String(pairing.manualPairingCode ?? pairing.pairingCode);
  const bold = stdout.paint(COLOURS.bold, code);
  const validFor = formatDuration(expiryOf(pairing) - Date.now());
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
