import type { Inspector, InspectorOptions } from '../../inspector/index.js';
import { VERSION } from '../../protocol/version.js';
import { EXIT, usageError } from '../errors.js';
import { runWithoutOutput } from '../output/lifeline.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout, text } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { untilStopSignal } from '../signals.js';

export const inspect = defineCommand({
  name: 'inspect',
  description: 'Watch the statecharts of the running engine, or replay a timeline that the page has saved',
  notes:
    '--attach opens a page for an engine that was started without --inspect. Its history begins with this command, and the\n' +
    'page ends with it. On another machine, forward the port: ssh -L PORT:127.0.0.1:PORT …\n' +
    'Exit codes: 0 ended, or no difference; 1 the engine refused, or the timelines differ; 5 no engine running.',
  positionals: {
    file: { type: 'string', description: 'The saved timeline', completes: 'files' },
  },
  options: {
    attach: { type: 'boolean', description: 'Watch the running engine until Ctrl-C' },
    compare: {
      type: 'string',
      description: 'Compare the saved timeline with this one, and say where they first differ',
      completes: 'files',
    },
    open: { type: 'boolean', description: 'Open the page in the browser of this machine' },
    port: { type: 'integer', description: 'Port on 127.0.0.1', default: 'any free port' },
    ...HOME_OPTION,
    ...JSON_OPTION,
  },
  examples: [
    ['inspect --attach --open', 'Watch the running engine in the browser'],
    ['inspect before.json --compare after.json', 'Say where two saved timelines first differ'],
    ['inspect rc-engine-timeline.json', 'Print a link to the replay; Ctrl-C stops it'],
  ],
  run: async ({ file, attach = false, compare, open = false, port, home, json = false }) => {
    errorOutput.json = json;
    const portNumber = checkPort(port);
    if (compare !== undefined && (attach || open || port !== undefined)) {
      throw usageError('--compare shows no page, so it takes no --attach, --open or --port.', 'Remove them.');
    }
    if (attach) {
      if (file !== undefined) {
        throw usageError('--attach and a saved timeline contradict each other.', 'Remove one of the two.');
      }
      const { attachToEngine } = await import('../attach.js');
      return attachToEngine({ home, port: portNumber, open, json });
    }
    if (file === undefined) {
      throw usageError('inspect needs FILE or --attach.', 'Run: rc-engine inspect --help');
    }
    if (home !== undefined) {
      throw usageError('--home has no effect on a saved timeline.', 'Remove it, or use --attach.');
    }
    return compare === undefined
      ? replay(file, portNumber, open, json)
      : printComparison(file, compare, json);
  },
});

function checkPort(port = '0'): number {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw usageError(
      `--port must be a whole number from 0 to 65535, not ${JSON.stringify(port.slice(0, 40))}.`,
      'Correct it, or leave it out to use any free port.',
    );
  }
  return Number(port);
}

async function replay(file: string, port: number, open: boolean, json: boolean): Promise<number> {
  const { openReplay } = await import('../../inspector/index.js');
  const shown = await openReplay(file, await inspectorOptions(port));
  const url = shown.link.reveal();
  if (json) printJson({ type: 'inspector', url });
  else stdout.print('', `  Inspector      ${url}`, '  Press Ctrl-C to stop.', '');
  runWithoutOutput(json ? 'json' : 'text');
  const { openWithNote } = await import('../attach.js');
  let onUsed = () => {};
  const opened = open
    ? await openWithNote(
        shown.newLink({ purpose: 'file', fromFile: true, onUsed: () => onUsed() }),
        undefined,
        json,
      )
    : undefined;
  onUsed = () => void opened?.remove();
  await untilStopSignal();
  await opened?.remove();
  await shown.close();
  return EXIT.ok;
}

async function printComparison(left: string, right: string, json: boolean): Promise<number> {
  const { readTimeline } = await import('../../inspector/saved-timeline.js');
  const { compareTimelines } = await import('../../inspector/compare.js');
  const { same, words, actors } = compareTimelines(await readTimeline(left), await readTimeline(right));
  if (json) {
    const differences = actors.flatMap(({ name, chart, differsAt, left: a, right: b }) =>
      differsAt === null
        ? []
        : [
            {
              actor: name,
              chart,
              step: differsAt,
              a: a[differsAt]?.words ?? null,
              b: b[differsAt]?.words ?? null,
            },
          ],
    );
    printJson({ type: 'comparison', same, words, differences });
  } else stdout.print(...words.map((line) => text`${line}`));
  return same ? EXIT.ok : EXIT.failed;
}

async function inspectorOptions(port: number): Promise<InspectorOptions> {
  const { chartHashes } = await import('../../engine/charts.js');
  const pageFile = new URL('./inspector.html.br', import.meta.url);
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
    ...(stately === undefined ? {} : { statelyFile: new URL('./stately.html.br', import.meta.url) }),
  });
}

/** The inspector of `inspect --attach`, in the process of the engine. */
export async function attachInspector(port: number): Promise<Inspector> {
  const { openInspector } = await import('../../inspector/index.js');
  return openInspector({ ...(await inspectorOptions(port)), attachedAt: Date.now() });
}
