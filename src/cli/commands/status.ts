import type { EngineStatus } from '../../engine/status.js';
import { EXIT } from '../errors.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

export const status = defineCommand({
  name: 'status',
  description: 'Show the status of the running engine',
  notes:
    'Exit codes: 0 connected, 1 not connected, 5 no engine running, 6 connected, but the app server fails.',
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [
    ['status', 'Show status, reason, next step, identity and clients'],
    ['status --json', 'The same for programs'],
  ],
  run: async ({ home, json }) => {
    const { connectToEngine, readStatus } = await import('../control-client.js');
    const client = await connectToEngine(home);
    const answer = await readStatus(client);
    client.close();
    if (json === true) {
      const { printJson } = await import('../output/print.js');
      printJson(answer);
    } else {
      const { statusRows } = await import('../output/status-rows.js');
      const { stdout } = await import('../output/terminal.js');
      const { formatRows } = await import('../output/text.js');
      const { paint } = stdout;
      stdout.print(...formatRows(statusRows(answer, paint), paint));
    }
    if (answer.remoteControl.status !== 'connected') return EXIT.failed;
    return appServerFails(answer) ? EXIT.appServerDown : EXIT.ok;
  },
});

/** True when a client that connects now is not expected to be served. RC-69 */
export function appServerFails({ appServerHealth }: EngineStatus): boolean {
  // An older engine does not say.
  const health = appServerHealth ?? undefined;
  return health !== undefined && (!health.ready || health.state === 'failing');
}
