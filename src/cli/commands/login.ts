import { statSync } from 'node:fs';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { AccountClient } from '../account-client.js';
import { EXIT, usageError } from '../errors.js';
import { describeSignIn } from '../output/account-rows.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { nowWaitingFor } from '../output/waiting.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { ACCOUNT_SETTING_NAMES, refuseWithHub } from '../settings/account-settings.js';
import { stopSignals } from '../signals.js';
import { command } from '../suggested.js';

/** Longer than the login server looks for a free port, and than the issuer may take to give a code, in ms. */
const START_TIMEOUT = 60_000;
const CANCEL_TIMEOUT = 5_000;
const MAX_KEY_LENGTH = 4_096;

export const login = defineCommand({
  name: 'login',
  description: 'Sign in with a browser, on another device, or with an API key',
  progress: 'Starting the sign-in',
  notes:
    'With a running engine the sign-in goes through it, and the account settings of that engine apply.\n' +
    'Ctrl-C cancels the sign-in and changes nothing (exit code 130), unless it is saved already (exit code 0).',
  settings: [...ACCOUNT_SETTING_NAMES, 'caCert'],
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    device: { type: 'boolean', description: 'Show a code to enter in a browser on another device' },
    'api-key-stdin': {
      type: 'boolean',
      description: 'Read an API key from stdin; a terminal does not show what is typed',
    },
    hub: {
      type: 'string',
      description: 'Sign in at this hub instead: its key comes from a prompt or stdin',
    },
    'no-browser': { type: 'boolean', description: 'Print the address instead of opening a browser' },
    'no-qr': { type: 'boolean', description: 'With --device: show no QR code' },
    yes: {
      type: 'boolean',
      description:
        'Do not ask before a ChatGPT sign-in is replaced by an API key, or a sign-in outside the home',
    },
  },
  examples: [
    ['login', 'Sign in with the browser of this machine'],
    ['login --device', 'Sign in on a machine without a browser'],
    ['login --hub https://hub.example', 'Store the key of a hub, for start --base-url'],
    ['login --api-key-stdin', 'Store an API key, for the app server only'],
  ],
  run: async (args) => {
    if (args.hub !== undefined) return await loginAtHub(args.hub, args);
    const { device = false, apiKeyStdin = false, json = false, noBrowser = false, noQr = false } = args;
    if (device && apiKeyStdin) {
      throw usageError('--device and --api-key-stdin cannot be used together.', 'Remove one of the two.');
    }
    if (noQr && !device) throw usageError('--no-qr needs --device.', 'Remove --no-qr, or add --device.');
    if (noBrowser && (device || apiKeyStdin)) {
      const other = device ? '--device' : '--api-key-stdin';
      throw usageError(
        `--no-browser cannot be used with ${other}, which opens none.`,
        'Remove --no-browser.',
      );
    }
    // What is piped can be checked before anything is asked for.
    const piped = apiKeyStdin && process.stdin.isTTY !== true ? await readApiKey() : undefined;
    const { connectToAccount } = await import('../account-client.js');
    const client = await connectToAccount(args, 'signIn');
    try {
      if (!(await mayReplace(client, apiKeyStdin, { yes: args.yes === true, json }))) return EXIT.failed;
      const apiKey = apiKeyStdin ? (piped ?? (await readApiKey())) : undefined;
      const completions = watchCompletions(client);
      if (apiKey === undefined) {
        return await loginInteractively(client, completions, { device, json, noBrowser, noQr });
      }
      await client.request('account/login/start', { type: 'apiKey', apiKey }, START_TIMEOUT);
      return await reportResult(client, await completions.of(null), json);
    } finally {
      client.close();
    }
  },
});

interface HubFlags {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly [flag: string]: unknown;
}

/** Stores the key of a hub beside the account file, which stays as it is. HUB-40 */
async function loginAtHub(url: string, args: HubFlags): Promise<number> {
  refuseWithHub(args, ['device', 'apiKeyStdin', 'noBrowser', 'noQr', 'yes', ...ACCOUNT_SETTING_NAMES]);
  const { hubBaseUrl, readHubKey, signInAtHub } = await import('../hub-sign-in.js');
  const baseUrl = await hubBaseUrl(url);
  const { openHome } = await import('../../home/home.js');
  const home = openHome(args.home);
  const { resolveStartSettings } = await import('../settings/resolve-settings.js');
  const { caCert } = await resolveStartSettings({ caCert: args.caCert }, process.env, home.configFile);
  const { account } = await signInAtHub({ homeDir: home.dir, baseUrl, caCert }, await readHubKey());
  if (args.json === true) printJson({ type: 'completed', success: true, hub: baseUrl, account });
  else {
    stdout.print(
      `Signed in at the hub ${baseUrl} for the account ${account}.`,
      `Start an engine with: ${command(`start --base-url ${baseUrl}`, home.dir)}`,
      'An engine that runs already uses the key after rc-engine restart.',
    );
  }
  return EXIT.ok;
}

/** Asks before a sign-in goes that this command could not bring back. ACC-120 */
async function mayReplace(
  client: AccountClient,
  withApiKey: boolean,
  { yes, json }: { readonly yes: boolean; readonly json: boolean },
): Promise<boolean> {
  const { isOutside, readAccount } = await import('../account-client.js');
  const summary = await readAccount(client).catch(() => undefined);
  if (summary === undefined || summary.source === 'parent') return true;
  const { confirm } = await import('../confirm.js');
  const { file, mode } = summary;
  const who = describeSignIn(summary).replace(/^with /, '');
  const outside = file !== null && isOutside(file, client.home.dir) && holdsSomething(file);
  if (mode === 'chatgpt' && withApiKey) {
    const warning = `The API key replaces the sign-in with ${who}${file === null ? '' : ` in ${file}`}, and remote control does not work with an API key.`;
    return confirm({ warning, question: 'Replace the sign-in?', yes, json });
  }
  if (!outside) return true;
  const what = mode === null ? `the content of ${file}` : `the sign-in (${who}) in ${file}`;
  const warning = `This replaces ${what}, which is outside of the home directory ${client.home.dir}: other programs, such as Codex CLI, use it too.`;
  return confirm({ warning, question: 'Replace it?', yes, json });
}

/** More than an empty object. */
const holdsSomething = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 3;

interface Choices {
  readonly device: boolean;
  readonly json: boolean;
  readonly noBrowser: boolean;
  readonly noQr: boolean;
}

async function loginInteractively(
  client: AccountClient,
  completions: Completions,
  { device, json, noBrowser, noQr }: Choices,
): Promise<number> {
  const type = device ? 'chatgptDeviceCode' : 'chatgpt';
  const started = await client.request('account/login/start', { type }, START_TIMEOUT);
  if (!isRecord(started) || typeof started.loginId !== 'string') {
    throw new EngineError('internal', 'The engine answered account/login/start without a login id.');
  }
  const { loginId } = started;
  const cancellation = cancelOnSignal(client, loginId);
  if (json) printJson({ ...started, type: 'login', method: type });
  else {
    const { showBrowserAddress, showDeviceCode } = await import('../output/sign-in-prompt.js');
    if (device) await showDeviceCode(started, !noQr);
    else await showBrowserAddress(String(started.authUrl), !noBrowser);
  }
  nowWaitingFor('Waiting for the sign-in');
  const engineGone = client.closed.then((): never => {
    throw new EngineError('notRunning', 'The engine stopped before the sign-in was complete.');
  });
  const result = await Promise.race([completions.of(loginId), cancellation.confirmed, engineGone]);
  cancellation.stopListening();
  // The failure of a cancelled sign-in may arrive before the response to the cancellation.
  if (result === 'unanswered') {
    throw new EngineError(
      'timeout',
      'The engine did not answer the cancellation; the sign-in may be complete.',
      {
        remediation: 'Run rc-engine whoami to see who is signed in.',
      },
    );
  }
  if (result === 'cancelled' || (cancellation.requested() && !result.success)) {
    if (json) printJson({ type: 'cancelled', loginId });
    else stdout.print('', 'Cancelled. Nothing was changed.');
    return EXIT.cancelled;
  }
  return reportResult(client, result, json);
}

async function reportResult(client: AccountClient, result: Completion, json: boolean): Promise<number> {
  if (!result.success) {
    const cause = (result.error ?? 'no reason given').replace(/^Login server error: /, '');
    throw new EngineError('loginFailed', `The sign-in failed: ${cause}`, {
      remediation: 'Run rc-engine login again, on a machine without a browser with --device.',
    });
  }
  const { readAccount } = await import('../account-client.js');
  const summary = await readAccount(client);
  if (json) printJson({ type: 'completed', success: true, ...summary });
  else {
    const next = client.running
      ? 'The running engine uses it now.'
      : `Start an engine with: ${command('start', client.home.dir)}`;
    stdout.print(`Signed in ${describeSignIn(summary)}. ${next}`);
  }
  return EXIT.ok;
}

/** The parameters of `account/login/completed`. */
interface Completion {
  readonly loginId: unknown;
  readonly success: boolean;
  readonly error: string | null;
}

interface Completions {
  /** The end of one sign-in. The one of an API key has the id null. */
  of(loginId: string | null): Promise<Completion>;
}

/** Listens from the start, so that no completion is missed. */
function watchCompletions(client: AccountClient): Completions {
  const received: Completion[] = [];
  const waiting = new Set<() => void>();
  client.onNotification((method, params) => {
    if (method !== 'account/login/completed' || !isRecord(params)) return;
    const { loginId, success, error } = params;
    received.push({ loginId, success: success === true, error: typeof error === 'string' ? error : null });
    for (const check of waiting) check();
  });
  return {
    of: (loginId) =>
      new Promise((resolve) => {
        const check = (): void => {
          const found = received.find((completion) => completion.loginId === loginId);
          if (found !== undefined) resolve(found);
        };
        waiting.add(check);
        check();
      }),
  };
}

interface Cancellation {
  /** Resolves when the engine has cancelled the sign-in, or does not answer the request. */
  readonly confirmed: Promise<'cancelled' | 'unanswered'>;
  readonly requested: () => boolean;
  readonly stopListening: () => void;
}

/** The first Ctrl-C cancels the sign-in; a second one ends the process at once. */
function cancelOnSignal(client: AccountClient, loginId: string): Cancellation {
  let requested = false;
  let onSignal: () => void = () => {};
  const confirmed = new Promise<'cancelled' | 'unanswered'>((resolve) => {
    onSignal = () => {
      if (requested) process.exit(EXIT.cancelled);
      requested = true;
      void client
        .request('account/login/cancel', { loginId }, CANCEL_TIMEOUT)
        .then((answer) => {
          // Otherwise the sign-in is complete or over, and its completion says so.
          if (isRecord(answer) && answer.status === 'canceled') resolve('cancelled');
        })
        .catch(() => resolve('unanswered'));
    };
    for (const signal of stopSignals()) process.on(signal, onSignal);
  });
  return {
    confirmed,
    requested: () => requested,
    stopListening: () => {
      for (const signal of stopSignals()) process.off(signal, onSignal);
    },
  };
}

async function readApiKey(): Promise<string> {
  let text = '';
  if (process.stdin.isTTY === true) {
    const { readHidden } = await import('../hidden-input.js');
    text = await readHidden('API key (it is not shown; press Enter at its end): ', MAX_KEY_LENGTH);
  } else
    for await (const part of process.stdin.setEncoding('utf8')) {
      text += String(part);
      if (text.length > MAX_KEY_LENGTH) {
        throw usageError(
          `stdin holds more than ${MAX_KEY_LENGTH} characters, which is too long for an API key.`,
          'Pass the API key alone on stdin.',
        );
      }
    }
  const key = text.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw usageError(
      'stdin does not hold an API key: it is empty, or holds spaces or characters outside of ASCII.',
      'Pass the API key alone on stdin.',
    );
  }
  return key;
}
