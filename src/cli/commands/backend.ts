import { createBackend } from '../../backend/index.js';
import { EXIT, printJson } from '../output/output.js';

/** `rc-engine backend`: the embedded backend by itself, until a signal. */
export async function backend(args: {
  readonly listen: string;
  readonly stateFile?: string | undefined;
  readonly tokenTtl?: number | undefined;
  readonly faults?: boolean | undefined;
  readonly json?: boolean | undefined;
}): Promise<number> {
  const json = args.json === true;
  const running = await createBackend({
    listen: args.listen,
    ...(args.stateFile === undefined ? {} : { stateFile: args.stateFile }),
    ...(args.tokenTtl === undefined ? {} : { timing: { serverToken: args.tokenTtl * 1000 } }),
    ...(args.faults === undefined ? {} : { faults: args.faults }),
  });
  if (json) printJson({ type: 'listening', baseUrl: running.url });
  else {
    process.stdout.write(`Embedded backend for development on ${running.url}\n`);
    process.stdout.write(`Connect an engine:  rc-engine start --base-url ${running.url}\n`);
    process.stdout.write('It takes any account token: keep it on this machine. Ctrl-C ends it.\n');
  }
  running.on('event', ({ kind, at, detail }) => {
    if (json) printJson({ type: 'event', at, kind, ...detail });
    else
      process.stdout.write(`${new Date(at).toISOString().slice(11, 23)} ${kind} ${JSON.stringify(detail)}\n`);
  });
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await running.close();
  return EXIT.ok;
}
