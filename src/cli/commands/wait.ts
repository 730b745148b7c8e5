import type { EngineStatus } from '../../engine/status.js';
import { EngineError } from '../../protocol/errors.js';
import type { ControlClient } from '../control-client.js';
import { EXIT } from '../errors.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { meaningOf } from '../output/text.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** In ms. */
const POLL_INTERVAL = 250;

export const wait = defineCommand({
  name: 'wait',
  description: 'Wait until the engine is connected',
  notes: 'Exit codes: 0 connected, 1 not connected within --timeout, 5 no engine running within --timeout.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    timeout: { type: 'seconds', description: 'Longest wait in seconds', default: 'no limit' },
  },
  examples: [['wait --timeout 60', 'Wait at most a minute, also for an engine that still starts']],
  run: async ({ home, json, timeout }) => {
    const { connectIfRunning, connectToEngine, readStatus } = await import('../control-client.js');
    const deadline = timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeout * 1000;
    let client: ControlClient | undefined;
    let last: EngineStatus | undefined;
    try {
      for (;;) {
        // An engine that still starts is waited for, too.
        client ??= await (Date.now() < deadline ? connectIfRunning : connectToEngine)(home);
        if (client !== undefined) {
          last = await readStatus(client).catch((error: unknown) => {
            if (!(error instanceof EngineError && error.code === 'notRunning')) throw error;
            client = undefined;
            return last;
          });
          if (client !== undefined && last?.remoteControl.status === 'connected') {
            return printConnected(last, json === true);
          }
        }
        if (Date.now() >= deadline) throw notConnectedInTime(last, timeout ?? 0);
        const pause = Math.min(POLL_INTERVAL, Math.max(deadline - Date.now(), 1));
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    } finally {
      client?.close();
    }
  },
});

function printConnected({ remoteControl }: EngineStatus, json: boolean): number {
  const { status, state, environmentId } = remoteControl;
  if (json) printJson({ type: 'connected', status, state, environmentId });
  else stdout.print(`Connected as environment ${environmentId}`);
  return EXIT.ok;
}

function notConnectedInTime(last: EngineStatus | undefined, seconds: number): EngineError {
  const link = last?.remoteControl;
  const detail =
    link === undefined
      ? 'no engine is running'
      : `${link.status}, ${link.state}: ${link.detail ?? meaningOf(link.reason)}`;
  return new EngineError('timeout', `Not connected within ${seconds} s (${detail}).`);
}
