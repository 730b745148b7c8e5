/** `inspect --attach`: the page of a running engine, for as long as the command runs. RC-191 */
import { locateHome, resolveHome } from '../home/home.js';
import { EngineError } from '../protocol/errors.js';
import { isRecord } from '../protocol/jsonrpc.js';
import { Secret } from '../protocol/secret.js';
import { type ControlClient, connectToEngine } from './control-client.js';
import { EXIT } from './errors.js';
import { type OpenedPage, openPage } from './open-page.js';
import { runWithoutOutput } from './output/lifeline.js';
import { printJson } from './output/print.js';
import { stderr, stdout } from './output/terminal.js';
import { untilStopSignal } from './signals.js';

interface AttachOptions {
  readonly home: string | undefined;
  readonly port: number;
  readonly open: boolean;
  readonly json: boolean;
}

interface AttachedPage {
  readonly link: string;
  readonly fileLink: string | null;
  /** False: the engine has had the page since its start, and keeps it. */
  readonly attached: boolean;
}

/** How long the engine has to close its page, ms. */
const DETACH_TIMEOUT = 3_000;

export async function attachToEngine({ home, port, open, json }: AttachOptions): Promise<number> {
  const client = await connectToEngine(home);
  const interrupted = untilStopSignal();
  let opened: OpenedPage | undefined;
  try {
    const page = await requestPage(client, port, open);
    show(page, json);
    client.onNotification((method) => {
      if (method === 'engine/inspector/opened') void opened?.remove();
    });
    const used = usedOrLate(client);
    if (page.fileLink !== null) {
      opened = await openWithNote(new Secret(page.fileLink), locateHome(resolveHome(home)).dir, json);
    }
    if (!page.attached) {
      if (opened !== undefined && opened.obstacle === undefined) await used;
      return EXIT.ok;
    }
    runWithoutOutput(json ? 'json' : 'text');
    const end = await Promise.race([
      interrupted.then(() => 'interrupted' as const),
      client.closed.then(() => 'engineStopped' as const),
    ]);
    if (end === 'engineStopped') stderr.print('The engine has stopped, and its page with it.');
    else await client.request('engine/inspector/detach', {}, DETACH_TIMEOUT).catch(() => {});
    return EXIT.ok;
  } finally {
    await opened?.remove();
    client.close();
  }
}

async function requestPage(client: ControlClient, port: number, open: boolean): Promise<AttachedPage> {
  const params = { port, fileLink: open };
  const answer = await client.request('engine/inspector/attach', params).catch((error: unknown) => {
    // An earlier version has an app server there, which does not know the method.
    if (
      error instanceof EngineError &&
      error.code === 'remoteRefused' &&
      /attach|method/i.test(error.message)
    ) {
      throw new EngineError(
        'listenerFailed',
        'The running engine cannot be watched: it is an earlier version.',
        {
          remediation: 'Restart it with this version, or with --inspect.',
        },
      );
    }
    throw error;
  });
  const { link, fileLink, attached } = isRecord(answer) ? answer : {};
  if (typeof link !== 'string') {
    throw new EngineError('listenerFailed', 'The running engine has no inspector.', {
      remediation: 'Restart it with --inspect.',
    });
  }
  return { link, fileLink: typeof fileLink === 'string' ? fileLink : null, attached: attached === true };
}

function show({ link, attached }: AttachedPage, json: boolean): void {
  if (json) {
    printJson({ type: 'inspector', url: link, attached });
    return;
  }
  stdout.print(
    '',
    `  Inspector      ${link}`,
    attached
      ? '  The link works once. The history begins now. Press Ctrl-C to end the page.'
      : '  The link works once. The engine was started with --inspect: its page stays.',
    '',
  );
}

/** Opens the page, or says why it cannot be opened here. */
export async function openWithNote(
  link: Secret,
  directory: string | undefined,
  json: boolean,
): Promise<OpenedPage> {
  const opened = await openPage(link, directory);
  if (opened.obstacle !== undefined) {
    const { port } = new URL(link.reveal());
    stderr.print(
      `No browser was opened: ${opened.obstacle}. Open the link in a browser on this machine, or forward the port: ssh -L ${port}:127.0.0.1:${port} …`,
    );
  } else if (!json) stdout.print('  Your browser opens the page. If it does not, open the link.', '');
  return opened;
}

/** How long a browser has to read the file of a command that ends, ms. */
const BROWSER_START = 20_000;

/** Resolves when the browser has opened the link, or too much time has passed. Call it before the browser starts. */
export function usedOrLate(client: ControlClient): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, BROWSER_START);
    timer.unref();
    void client.closed.then(resolve);
    client.onNotification((method) => {
      if (method !== 'engine/inspector/opened') return;
      clearTimeout(timer);
      resolve();
    });
  });
}
