import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { connectControl } from '../control-client.js';
import { duration, EXIT, paint, printJson } from '../output/output.js';

const LOOK_AGAIN = 2_000;
const REQUEST_LIMIT = 120_000;

/** `rc-engine pair`: shows a pairing code; with `--wait` until it is claimed. */
export async function pair(args: {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly wait?: boolean | undefined;
}): Promise<number> {
  const client = await connectControl(args.home);
  try {
    const answer = await client.request('remoteControl/pairing/start', { manualCode: true }, REQUEST_LIMIT);
    if (!isRecord(answer)) throw new EngineError('internal', 'The engine answered no pairing code.');
    const code = String(answer.manualPairingCode ?? answer.pairingCode);
    const endsAt = Number(answer.expiresAt) * 1000;
    if (args.json === true) printJson({ type: 'pairing', ...answer });
    else {
      const bold = paint(process.stdout)(1, code);
      process.stdout.write(
        `Enter this code on the other device: ${bold}\nIt works once, for ${duration(endsAt - Date.now())}.\n`,
      );
    }
    if (args.wait !== true) return EXIT.ok;
    const query =
      answer.manualPairingCode == null
        ? { pairingCode: answer.pairingCode }
        : { manualPairingCode: answer.manualPairingCode };
    for (;;) {
      const known = await client.request('remoteControl/pairing/status', query, REQUEST_LIMIT);
      if (isRecord(known) && known.claimed === true) break;
      if (Date.now() >= endsAt) throw new EngineError('pairingExpired', 'Nobody claimed the code in time.');
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    }
    if (args.json === true) printJson({ type: 'claimed' });
    else process.stdout.write('Claimed.\n');
    return EXIT.ok;
  } finally {
    client.close();
  }
}
