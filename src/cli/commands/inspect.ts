import type { Inspector, InspectorOptions } from '../../inspector/index.js';
import { VERSION } from '../../protocol/version.js';
import { EXIT, usageError } from '../errors.js';
import { runWithoutOutput } from '../output/lifeline.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';
import { untilStopSignal } from '../signals.js';

export const inspect = defineCommand({
  name: 'inspect',
  description: 'Replay a timeline that the page of start --inspect has saved',
  positionals: {
    file: { type: 'string', description: 'The saved timeline', required: true, completes: 'files' },
  },
  options: {
    port: { type: 'integer', description: 'Port on 127.0.0.1', default: 'any free port' },
    ...JSON_OPTION,
  },
  examples: [['inspect rc-engine-timeline.json', 'Print a link to the replay; Ctrl-C stops it']],
  run: async ({ file, port = '0', json }) => {
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
      throw usageError(
        `--port must be a whole number from 0 to 65535, not ${JSON.stringify(port.slice(0, 40))}.`,
        'Correct it, or leave it out to use any free port.',
      );
    }
    const { openReplay } = await import('../../inspector/index.js');
    const replay = await openReplay(file, await inspectorOptions(Number(port)));
    const url = replay.link.reveal();
    if (json === true) printJson({ type: 'inspector', url });
    else stdout.print('', `  Inspector      ${url}`, '  Press Ctrl-C to stop.', '');
    runWithoutOutput(json === true ? 'json' : 'text');
    await untilStopSignal();
    await replay.close();
    return EXIT.ok;
  },
});

async function inspectorOptions(port: number): Promise<InspectorOptions> {
  const { chartHashes } = await import('../../engine/charts.js');
  const pageFile = new URL('./inspector.html', import.meta.url);
  return { port, pageFile, engine: VERSION, charts: chartHashes() };
}

/**
 * The inspector of `start --inspect`.
 * @param setting `PORT`, `stately` or `stately:PORT`
 */
export async function startInspector(setting: string): Promise<Inspector> {
  const [, stately, port = '0'] = /^(stately)?:?(\d+)?$/.exec(setting) ?? [];
  const { openInspector } = await import('../../inspector/index.js');
  return openInspector({
    ...(await inspectorOptions(Number(port))),
    ...(stately === undefined ? {} : { statelyFile: new URL('./stately.html', import.meta.url) }),
  });
}
