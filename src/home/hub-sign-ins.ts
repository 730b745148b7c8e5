/** The hubs that this home is signed in at, in `hubs.json` (mode 0600): a key and its account for each base URL. HUB-41 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';
import { replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { acquireFileLock, withLocks } from '../system/file-lock.js';

/** The key of one hub. */
export interface HubSignIn {
  /** In the form of `Target.baseUrl`, with a trailing slash. */
  readonly baseUrl: string;
  readonly account: string;
  readonly key: Secret;
}

/** Visible ASCII, because it becomes a header. */
export const HubKey = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,4096}$/));
export const HubAccount = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,128}$/));
const FileSchema = v.object({
  version: v.literal(1),
  hubs: v.array(v.object({ base_url: v.pipe(v.string(), v.nonEmpty()), account: HubAccount, key: HubKey })),
});
/** More would be a mistake, bytes. */
const MAX_FILE_BYTES = 1024 * 1024;
/** How long another process may hold the lock, ms: it only reads and writes a small file. */
const LOCK_LIMIT = 10_000;

export const hubsFile = (homeDir: string): string => join(homeDir, 'hubs.json');

/** @throws EngineError `storeUnavailable` when the file cannot be read or is damaged */
export function loadHubSignIns(file: string): readonly HubSignIn[] {
  let text: string;
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw unusable(file, 'is too large');
    text = withoutByteOrderMark(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof EngineError) throw error;
    if (errnoOf(error) === 'ENOENT') return [];
    throw unusable(file, `cannot be read: ${errnoText(error)}`, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error of the parser would quote the content.
    throw unusable(file, 'is not JSON');
  }
  const parsed = v.safeParse(FileSchema, value);
  if (!parsed.success) throw unusable(file, 'is damaged, or of a newer version');
  return parsed.output.hubs.map(({ base_url, account, key }) => ({
    baseUrl: base_url,
    account,
    key: new Secret(key),
  }));
}

/** The sign-in for a base URL, with or without `/backend-api` and a slash at its end. HUB-36. @throws as `loadHubSignIns` */
export function hubSignInOf(file: string, baseUrl: string): HubSignIn | undefined {
  const wanted = canonical(baseUrl);
  return loadHubSignIns(file).find((one) => canonical(one.baseUrl) === wanted);
}

const canonical = (baseUrl: string): string =>
  (URL.canParse(baseUrl) ? new URL(baseUrl).href : baseUrl).replace(/\/+$/, '').replace(/\/backend-api$/, '');

/** Stores the sign-in; it replaces the one of the same hub. @throws EngineError `storeWriteFailed`, `storeUnavailable` */
export async function saveHubSignIn(file: string, signIn: HubSignIn): Promise<void> {
  await change(file, (known) => [...known.filter((one) => !isSame(one, signIn.baseUrl)), signIn]);
}

/** False: there was none. @throws as `saveHubSignIn` */
export async function removeHubSignIn(file: string, baseUrl: string): Promise<boolean> {
  if (hubSignInOf(file, baseUrl) === undefined) return false;
  await change(file, (known) => known.filter((one) => !isSame(one, baseUrl)));
  return true;
}

const isSame = (one: HubSignIn, baseUrl: string): boolean => canonical(one.baseUrl) === canonical(baseUrl);

/** While no other process does the same, and as a whole. A damaged file stays as it is. */
async function change(
  file: string,
  edit: (known: readonly HubSignIn[]) => readonly HubSignIn[],
): Promise<void> {
  try {
    const done = await withLocks(
      acquireFileLock,
      [`${file}.lock`],
      LOCK_LIMIT,
      new AbortController().signal,
      () => replaceFile(file, textOf(edit(loadHubSignIns(file))), true),
    );
    if (done !== undefined) return;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw notWritten(file, errnoText(error), error);
  }
  throw notWritten(file, 'another process holds its lock');
}

function textOf(signIns: readonly HubSignIn[]): string {
  const hubs = signIns.map(({ baseUrl, account, key }) => ({
    base_url: baseUrl,
    account,
    key: key.reveal(),
  }));
  return `${JSON.stringify({ version: 1, hubs }, null, 1)}\n`;
}

const notWritten = (file: string, problem: string, cause?: unknown): EngineError =>
  new EngineError('storeWriteFailed', `The file ${file} cannot be written: ${problem}.`, { cause });

function unusable(file: string, problem: string, cause?: unknown): EngineError {
  return new EngineError('storeUnavailable', `The file ${file} ${problem}.`, {
    cause,
    remediation: 'Restore it, or remove it and sign in again with rc-engine login --hub URL.',
  });
}
