import { chartHashes } from '../../engine/charts.js';
import { type Inspector, type InspectorStart, openInspector, openReplay } from '../../inspector/index.js';
import { EngineError } from '../../protocol/errors.js';
import { VERSION } from '../../protocol/version.js';
import { EXIT, printJson } from '../output/output.js';

const startOn = (port: number): InspectorStart => ({
  port,
  pageFile: new URL('./inspector.html', import.meta.url),
  engine: VERSION,
  charts: chartHashes(),
});

/**
 * For `start --inspect`.
 * @param wish `PORT`, `stately` or `stately:PORT`
 */
export function inspectorOf(wish: string): Promise<Inspector> {
  const [, stately, port = '0'] = /^(stately)?:?(\d+)?$/.exec(wish) ?? [];
  return openInspector({
    ...startOn(Number(port)),
    ...(stately === undefined ? {} : { statelyFile: new URL('./stately.html', import.meta.url) }),
  });
}

/** `rc-engine inspect FILE`: serves a saved timeline until a signal. */
export async function inspect(args: {
  readonly file: string;
  readonly port?: string | undefined;
  readonly json?: boolean | undefined;
}): Promise<number> {
  const { file, port = '0' } = args;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new EngineError(
      'usage',
      `--port must be a whole number from 0 to 65535, not ${port.slice(0, 40)}.`,
    );
  }
  const replay = await openReplay(file, startOn(Number(port)));
  const url = replay.link.reveal();
  if (args.json === true) printJson({ type: 'inspector', url });
  else process.stdout.write(`\n  Inspector      ${url}\n  Ctrl-C ends it.\n\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await replay.close();
  return EXIT.ok;
}
