import { EXIT } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

const DEFAULT_TIMEOUT_SECONDS = 30;

export const stop = defineCommand({
  name: 'stop',
  description: 'Stop the running engine in good order, and wait until it has ended',
  progress: 'Stopping the engine',
  notes:
    'A service manager does not start it again: for systemd and launchd this is a clean exit.\n' +
    'Exit codes: 0 ended, 1 not ended within --timeout, 5 no engine running.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    timeout: {
      type: 'seconds',
      description: 'Longest wait in seconds',
      default: String(DEFAULT_TIMEOUT_SECONDS),
    },
  },
  examples: [['stop', 'Stop the engine of the default home directory']],
  run: async ({ home, json = false, timeout = DEFAULT_TIMEOUT_SECONDS }) => {
    errorOutput.json = json;
    const { stopEngine } = await import('../engine-end.js');
    const { pid } = await stopEngine(home, timeout * 1000);
    if (json) printJson({ type: 'stopped', pid });
    else stdout.print(pid === null ? 'Stopped the engine.' : `Stopped the engine with pid ${pid}.`);
    return EXIT.ok;
  },
});
