import type { AccountSummary } from '../../account/types.js';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { type AccountClient, type AccountFlags, connectAccount } from '../account-client.js';
import { openBrowser, whyNoBrowser } from '../open-browser.js';
import { EXIT, paint, printJson } from '../output/output.js';
import { signedIn } from './whoami.js';

/** Longer than the login server looks for a port, and than the issuer may take to give a code. */
const START_LIMIT = 60_000;
const CANCEL_LIMIT = 5_000;
const CANCELLED = 130;

export interface LoginFlags extends AccountFlags {
  readonly device?: boolean | undefined;
  readonly apiKeyStdin?: boolean | undefined;
  readonly browser?: boolean | undefined;
  readonly noBrowser?: boolean | undefined;
  readonly noQr?: boolean | undefined;
}

interface Completed {
  readonly loginId: unknown;
  readonly success: boolean;
  readonly error: string | null;
}

/** `rc-engine login`: signs in through the running engine, or on the home itself. Ctrl-C cancels. */
export async function login(flags: LoginFlags): Promise<number> {
  if (flags.device === true && flags.apiKeyStdin === true) {
    throw new EngineError('usage', 'Give --device or --api-key-stdin, not both.');
  }
  const key = flags.apiKeyStdin === true ? await keyFromStdin() : undefined;
  const client = await connectAccount(flags, true);
  try {
    const ends = watchEnds(client);
    if (key !== undefined) return await withKey(client, key, ends, flags);
    return await withPerson(client, ends, flags);
  } finally {
    client.close();
  }
}

async function withKey(
  client: AccountClient,
  apiKey: string,
  ends: Ends,
  flags: LoginFlags,
): Promise<number> {
  await client.request('account/login/start', { type: 'apiKey', apiKey }, START_LIMIT);
  return finish(client, await ends.of(null), flags);
}

async function withPerson(client: AccountClient, ends: Ends, flags: LoginFlags): Promise<number> {
  const type = flags.device === true ? 'chatgptDeviceCode' : 'chatgpt';
  const started = await client.request('account/login/start', { type }, START_LIMIT);
  if (!isRecord(started) || typeof started.loginId !== 'string') {
    throw new EngineError('internal', 'The engine began no sign-in.');
  }
  const { loginId } = started;
  const cancelled = cancelOnSignal(client, loginId);
  if (flags.json === true) printJson({ ...started, type: 'login', method: type });
  else if (flags.device === true) await showCode(started, flags);
  else await showAddress(String(started.authUrl), flags);
  const gone = client.closed.then((): never => {
    throw new EngineError('notRunning', 'The engine ended before the sign-in did.');
  });
  const end = await Promise.race([ends.of(loginId), cancelled.promise, gone]);
  cancelled.off();
  // The end of a cancelled sign-in may be heard before the answer to the cancel.
  if (end === 'cancelled' || (cancelled.asked() && !end.success)) {
    if (flags.json === true) printJson({ type: 'cancelled', loginId });
    else process.stdout.write('\nCancelled. Nothing was changed.\n');
    return CANCELLED;
  }
  return finish(client, end, flags);
}

async function finish(client: AccountClient, end: Completed, flags: LoginFlags): Promise<number> {
  if (!end.success) {
    const why = (end.error ?? 'no reason given').replace(/^Login server error: /, '');
    throw new EngineError('loginFailed', `The sign-in failed: ${why}`, {
      remediation: 'Try again with rc-engine login; on a machine without a browser with --device.',
    });
  }
  // The engine is this same program: its answer has the shape it was written with.
  const summary = (await client.request('engine/account/read', {})) as AccountSummary;
  if (flags.json === true) printJson({ type: 'completed', success: true, ...summary });
  else {
    const next = client.running
      ? 'The running engine uses it from now on.'
      : 'Start an engine with rc-engine start.';
    process.stdout.write(`Signed in ${signedIn(summary)}. ${next}\n`);
  }
  return EXIT.ok;
}

async function showCode(started: Readonly<Record<string, unknown>>, flags: LoginFlags): Promise<void> {
  const colour = paint(process.stdout);
  const [url, code] = [colour(36, String(started.verificationUrl)), colour(1, String(started.userCode))];
  const picture =
    flags.noQr === true
      ? undefined
      : await pictureOf(String(started.verificationUrlComplete ?? started.verificationUrl));
  const warning = 'Only enter it if you began this sign-in yourself. It works for 15 minutes.';
  const lines =
    picture === undefined
      ? [
          '',
          '  1. Open this address on any device and sign in:',
          `     ${url}`,
          '  2. Enter this code:',
          `     ${code}`,
          '',
          `  ${warning}`,
          '  Waiting; Ctrl-C cancels.',
        ]
      : // Few lines, so that the picture stays in sight.
        [
          '',
          ...picture,
          `  1. Scan it, or open ${url}`,
          `  2. Enter this code: ${code} (Ctrl-C cancels)`,
          `  ${warning}`,
        ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The picture saves typing an address on a telephone; the text beside it says all that it does. */
async function pictureOf(address: string): Promise<readonly string[] | undefined> {
  if (process.stdout.isTTY !== true) return undefined;
  const { qrCode: qrFor } = await import('../output/qr.js');
  return qrFor(address, process.stdout, process.env);
}

async function showAddress(url: string, flags: LoginFlags): Promise<void> {
  const colour = paint(process.stdout);
  const because =
    flags.noBrowser === true ? 'you asked for none' : whyNoBrowser(process.env, process.platform);
  const opened = because === undefined && (await openBrowser(url, process.env, process.platform));
  const lines = opened
    ? ['', '  Your browser opens to sign in. If it does not, open this address on this machine:']
    : ['', `  Open this address in a browser on this machine (${because ?? 'no browser could be started'}):`];
  lines.push(`  ${colour(36, url)}`, '');
  if (!opened) {
    const port = new URL(new URL(url).searchParams.get('redirect_uri') ?? 'http://127.0.0.1:1455').port;
    lines.push(
      '  The browser comes back to this machine. Over SSH, connect with',
      `    ssh -L ${port}:127.0.0.1:${port} …`,
      '  or use rc-engine login --device, which needs no browser here.',
      '',
    );
  }
  lines.push('  Waiting for the browser; Ctrl-C cancels.', '');
  process.stdout.write(lines.join('\n'));
}

interface Ends {
  of(loginId: string | null): Promise<Completed>;
}

/** Listens from the first moment on, so that no end is missed. */
function watchEnds(client: AccountClient): Ends {
  const seen: Completed[] = [];
  const wake = new Set<() => void>();
  client.onNotification((method, params) => {
    if (method !== 'account/login/completed' || !isRecord(params)) return;
    const { loginId, success, error } = params;
    seen.push({ loginId, success: success === true, error: typeof error === 'string' ? error : null });
    for (const look of wake) look();
  });
  return {
    of: (loginId) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = seen.find((end) => end.loginId === loginId);
          if (found !== undefined) resolve(found);
        };
        wake.add(look);
        look();
      }),
  };
}

/** The first Ctrl-C cancels the sign-in, a second one ends at once. */
function cancelOnSignal(
  client: AccountClient,
  loginId: string,
): { readonly promise: Promise<'cancelled'>; readonly asked: () => boolean; readonly off: () => void } {
  let asked = false;
  let onSignal: () => void = () => {};
  const promise = new Promise<'cancelled'>((resolve) => {
    onSignal = () => {
      if (asked) process.exit(CANCELLED);
      asked = true;
      void client
        .request('account/login/cancel', { loginId }, CANCEL_LIMIT)
        .then((answer) => {
          // Not found: it is a success by now, or over; its own end tells.
          if (isRecord(answer) && answer.status === 'canceled') resolve('cancelled');
        })
        .catch(() => resolve('cancelled'));
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
  return {
    promise,
    asked: () => asked,
    off: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

const KEY_LIMIT = 4_096;

async function keyFromStdin(): Promise<string> {
  if (process.stdin.isTTY === true) process.stderr.write('API key, then Enter and Ctrl-D: ');
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8')) {
    text += String(part);
    if (text.length > KEY_LIMIT)
      throw new EngineError('usage', 'What stdin holds is too long for an API key.');
  }
  const key = text.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new EngineError('usage', 'stdin must hold the API key and nothing else.');
  }
  return key;
}
