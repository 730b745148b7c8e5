/** The environments that this installation is paired with, in `controllers.json` of the home (mode 0600). RC-95 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { type ClaimedController, ControllerId, ControllerToken } from '../controller/claim.js';
import { peerText } from '../observe/peer-text.js';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';
import { replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { acquireFileLock, withLocks } from '../system/file-lock.js';

/** One environment, with the token that controls it. */
export interface PairedEnvironment extends ClaimedController {
  readonly baseUrl: string;
  /** Wall-clock ms. */
  readonly pairedAt: number;
}

/** The largest time that a `Date` can hold, ms. */
const MAX_TIME = 8.64e15;
/** More would be a mistake: each environment takes less than 6 KiB. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const FileSchema = v.object({
  version: v.literal(1),
  environments: v.array(
    v.object({
      base_url: v.pipe(v.string(), v.nonEmpty()),
      environment_id: ControllerId,
      server_name: v.string(),
      client_id: ControllerId,
      controller_token: ControllerToken,
      paired_at: v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_TIME)),
    }),
  ),
});

export const pairedFile = (homeDir: string): string => join(homeDir, 'controllers.json');

/** @throws EngineError `storeUnavailable` when the file cannot be read or is damaged */
export function loadPaired(file: string): PairedEnvironment[] {
  let text: string;
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw unusable(file, 'is too large');
    // An editor may have put a byte order mark in front.
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
  return parsed.output.environments.map((entry) => ({
    baseUrl: entry.base_url,
    environmentId: entry.environment_id,
    serverName: peerText(entry.server_name),
    clientId: entry.client_id,
    token: new Secret(entry.controller_token),
    pairedAt: entry.paired_at,
  }));
}

/** How long another process may hold the lock, ms: it only reads and writes a small file. */
const LOCK_LIMIT = 10_000;

/**
 * Changes the file while no other process does, and replaces it as a whole. A file that is damaged stays as it is.
 * @throws EngineError `storeUnavailable` as `loadPaired`, `storeWriteFailed` when it cannot be written or locked
 */
export async function changePaired(
  file: string,
  change: (known: readonly PairedEnvironment[]) => readonly PairedEnvironment[],
): Promise<void> {
  try {
    const done = await withLocks(
      acquireFileLock,
      [`${file}.lock`],
      LOCK_LIMIT,
      new AbortController().signal,
      () => replaceFile(file, pairedText(change(loadPaired(file))), true),
    );
    if (done !== undefined) return;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw notWritten(file, errnoText(error), error);
  }
  throw notWritten(file, 'another process holds its lock');
}

const notWritten = (file: string, problem: string, cause?: unknown): EngineError =>
  new EngineError('storeWriteFailed', `The file ${file} cannot be written: ${problem}.`, { cause });

/** The environments with this one, which replaces an earlier pairing with the same one. */
export function withEnvironment(
  known: readonly PairedEnvironment[],
  added: PairedEnvironment,
): PairedEnvironment[] {
  const others = known.filter(
    ({ baseUrl, environmentId }) => baseUrl !== added.baseUrl || environmentId !== added.environmentId,
  );
  return [...others, added];
}

function pairedText(environments: readonly PairedEnvironment[]): string {
  const entries = environments.map((one) => ({
    base_url: one.baseUrl,
    environment_id: one.environmentId,
    server_name: one.serverName,
    client_id: one.clientId,
    controller_token: one.token.reveal(),
    paired_at: one.pairedAt,
  }));
  return `${JSON.stringify({ version: 1, environments: entries }, null, 1)}\n`;
}

function unusable(file: string, problem: string, cause?: unknown): EngineError {
  return new EngineError('storeUnavailable', `The file ${file} ${problem}.`, {
    cause,
    remediation: 'Restore it, or remove it and pair again with rc-engine connect --code-stdin.',
  });
}
