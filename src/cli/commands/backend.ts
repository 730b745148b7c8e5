import { EXIT } from '../errors.js';
import { runWithoutOutput } from '../output/lifeline.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';
import { untilStopSignal } from '../signals.js';

const DEFAULT_ADDRESS = 'http://127.0.0.1:8787';

export const backend = defineCommand({
  name: 'backend',
  description: 'Run the embedded backend as a program of its own, for development',
  options: {
    listen: { type: 'string', description: 'Loopback address', default: DEFAULT_ADDRESS },
    'state-file': {
      type: 'string',
      description: 'File that stores identities across restarts',
      default: 'memory only',
    },
    'token-ttl': { type: 'seconds', description: 'Lifetime of a server token in seconds', default: '3600' },
    faults: { type: 'boolean', description: 'Serve POST /__faults, which makes the backend fail on request' },
    ...JSON_OPTION,
  },
  examples: [
    ['backend', 'Listen on the default address and print each event'],
    ['backend --listen http://127.0.0.1:0 --json', 'Listen on any free port, for programs'],
  ],
  run: async ({ listen = DEFAULT_ADDRESS, stateFile, tokenTtl, faults, json }) => {
    const { createBackend } = await import('../../backend/index.js');
    const running = await createBackend({
      listen,
      ...(stateFile === undefined ? {} : { stateFile }),
      ...(tokenTtl === undefined ? {} : { timing: { serverToken: tokenTtl * 1000 } }),
      ...(faults === undefined ? {} : { faults }),
    });
    if (json === true) printJson({ type: 'listening', baseUrl: running.url });
    else {
      stdout.print(
        `Embedded backend on ${running.url}`,
        `Connect an engine:  rc-engine start --base-url ${running.url}`,
        'It accepts any account token, so keep it on this machine. Press Ctrl-C to stop.',
      );
    }
    runWithoutOutput(json === true ? 'json' : 'text');
    running.on('event', ({ kind, at, detail }) => {
      if (json === true) printJson({ type: 'event', at, kind, ...detail });
      else {
        const clock = new Date(at).toISOString().slice(11, 23);
        stdout.print(`${clock} ${kind} ${JSON.stringify(detail)}`);
      }
    });
    await untilStopSignal();
    await running.close();
    return EXIT.ok;
  },
});
