import { lstatSync, readFileSync } from 'node:fs';
import {
  changePaired,
  type PairedEnvironment,
  pairedFile,
  withEnvironment,
} from '../connect/paired-environments.js';
import { claim } from '../controller/claim.js';
import type { Home } from '../home/home.js';
import { serverName } from '../home/installation.js';
import type { Dialer } from '../net/dialer.js';
import { peerText } from '../observe/peer-text.js';
import { environmentsNamed } from '../protocol/environment-name.js';
import { EngineError } from '../protocol/errors.js';
import { createFile } from '../system/atomic-file.js';
import { claimCodeOf } from './controller-file.js';
import { usageError } from './errors.js';
import { shellQuote } from './output/shell.js';
import { stdout, type Text, text } from './output/terminal.js';
import { COLOURS } from './output/text.js';

const PAIR_FIRST =
  'Run rc-engine pair on the other machine, then rc-engine connect --code-stdin here and enter its code.';

interface PairRequest {
  readonly baseUrl: string;
  readonly code: string;
  /** Name of this device. Default: the host name. */
  readonly displayName: string | undefined;
  /** ENVIRONMENT of the command line. */
  readonly environment: string | undefined;
  readonly signal: AbortSignal;
}

/** Claims a pairing code and stores the environment, so that the next `connect` needs no code. RC-95 */
export async function pairEnvironment(
  home: Home,
  dialer: Dialer,
  { baseUrl, code, displayName, environment, signal }: PairRequest,
): Promise<PairedEnvironment> {
  const file = pairedFile(home.dir);
  // A code can be claimed only once, so the file is read and written before that.
  await store(file, (known) => known, 'Free some space or choose another --home.');
  const claimed = await claim({ baseUrl }, claimCodeOf(code), {
    displayName: displayName ?? serverName(),
    environment,
    dialer,
    signal,
  });
  const paired = { ...claimed, serverName: peerText(claimed.serverName), baseUrl, pairedAt: Date.now() };
  await store(
    file,
    (known) => withEnvironment(known, paired),
    'The pairing code is used up: correct that, then pair again.',
  );
  // A backend may ignore the expected environment.
  if (environment === undefined || environmentsNamed([paired], environment).length > 0) return paired;
  throw usageError(
    `The pairing code was for ${JSON.stringify(paired.serverName)}, which is not called ${JSON.stringify(environment)}. It is paired now.`,
    `Connect to it: rc-engine connect ${shellQuote(paired.environmentId)}`,
  );
}

async function store(
  file: string,
  change: (known: readonly PairedEnvironment[]) => readonly PairedEnvironment[],
  nextStep: string,
): Promise<void> {
  try {
    await changePaired(file, change);
  } catch (error) {
    if (error instanceof EngineError && error.code === 'storeWriteFailed')
      throw usageError(error.message, nextStep, error);
    throw error;
  }
}

/**
 * The environment that `name` means: its id, its name, or the beginning of one id. Without a name, the only one.
 * @throws EngineError `usage`
 */
export function selectEnvironment(
  known: readonly PairedEnvironment[],
  name: string | undefined,
): PairedEnvironment {
  if (known.length === 0) throw usageError('No environment is paired with this home directory.', PAIR_FIRST);
  if (name === undefined) {
    const [only, ...others] = known;
    if (only !== undefined && others.length === 0) return only;
    stdout.print(...environmentRows(known));
    throw usageError(
      `${known.length} environments are paired.`,
      'Name one of them: rc-engine connect ENVIRONMENT',
    );
  }
  const [found, ...further] = environmentsNamed(known, name);
  if (found !== undefined && further.length === 0) return found;
  stdout.print(...environmentRows(known));
  throw found === undefined
    ? usageError(`No paired environment is called ${JSON.stringify(name)}.`, 'Choose one of the list.')
    : usageError(`Several paired environments match ${JSON.stringify(name)}.`, 'Name one by its id.');
}

/** One line for each environment. */
export function environmentRows(known: readonly PairedEnvironment[]): Text[] {
  return known.map(({ serverName: server, environmentId, baseUrl, pairedAt }) => {
    const name = stdout.paint(COLOURS.bold, server);
    return text`${name}  ${environmentId}  ${baseUrl}  paired ${new Date(pairedAt).toISOString().slice(0, 10)}`;
  });
}

/** The bearer token of a `ws://` endpoint, in a private file of the home; created when it is missing. RC-96 */
export async function endpointToken(path: string): Promise<string> {
  const read = (): string | undefined => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!found.isFile() || (process.platform !== 'win32' && (found.mode & 0o077) !== 0)) {
      throw usageError(
        `The token file ${path} can be read by other users, or is not a file.`,
        `Remove ${path}.`,
      );
    }
    return readFileSync(path, 'utf8').trim();
  };
  if (read() === undefined) {
    const { randomBytes } = await import('node:crypto');
    // Of two that start at the same moment, the second uses the token of the first.
    await createFile(path, `${randomBytes(32).toString('base64url')}\n`);
  }
  const token = read() ?? '';
  if (token.length >= 32) return token;
  throw usageError(
    `The token file ${path} holds no token of 32 or more characters.`,
    `Remove ${path}, and connect makes a new one.`,
  );
}
