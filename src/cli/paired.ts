import { lstatSync, readFileSync } from 'node:fs';
import {
  loadPaired,
  type PairedEnvironment,
  pairedFile,
  pairedText,
  withEnvironment,
} from '../connect/paired-environments.js';
import { claim } from '../controller/claim.js';
import type { Home } from '../home/home.js';
import { serverName } from '../home/installation.js';
import type { Dialer } from '../net/dialer.js';
import { peerText } from '../observe/peer-text.js';
import { replaceFile } from '../system/atomic-file.js';
import { errnoText } from '../system/errno.js';
import { claimCodeOf } from './controller-file.js';
import { usageError } from './errors.js';
import { stdout, type Text, text } from './output/terminal.js';
import { COLOURS } from './output/text.js';

const PAIR_FIRST =
  'Run rc-engine pair on the other machine, then rc-engine connect --code-stdin here and enter its code.';

/** Claims a pairing code and stores the environment, so that the next `connect` needs no code. RC-95 */
export async function pairEnvironment(
  home: Home,
  baseUrl: string,
  code: string,
  dialer: Dialer,
  displayName: string | undefined,
): Promise<PairedEnvironment> {
  const file = pairedFile(home.dir);
  // A code can be claimed only once, so the file is read and written before that.
  await store(file, loadPaired(file), 'Free some space or choose another --home.');
  const claimed = await claim({ baseUrl }, claimCodeOf(code), {
    displayName: displayName ?? serverName(),
    dialer,
  });
  const paired = { ...claimed, serverName: peerText(claimed.serverName), baseUrl, pairedAt: Date.now() };
  await store(
    file,
    withEnvironment(loadPaired(file), paired),
    'The pairing code is used up: free some space, then pair again.',
  );
  return paired;
}

async function store(
  file: string,
  environments: readonly PairedEnvironment[],
  nextStep: string,
): Promise<void> {
  try {
    await replaceFile(file, pairedText(environments), true);
  } catch (error) {
    throw usageError(`The file ${file} cannot be written: ${errnoText(error)}.`, nextStep, error);
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
  const exact = known.filter(({ environmentId }) => environmentId === name);
  const named = known.filter(({ serverName: server }) => server.toLowerCase() === name.toLowerCase());
  const begins = known.filter(({ environmentId }) => environmentId.startsWith(name));
  const [found, ...further] = [exact, named, begins].find((matches) => matches.length > 0) ?? [];
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
  const known = read();
  if (known !== undefined && known.length >= 32) return known;
  const { randomBytes } = await import('node:crypto');
  const token = randomBytes(32).toString('base64url');
  await replaceFile(path, `${token}\n`, false);
  return token;
}
