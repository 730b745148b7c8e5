/** What `rc-engine hub` does with the state of a hub without running a node. */
import { open, readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { EnrollmentKeys, type KeyRole } from '../hub/enrollment-keys.js';
import { type HubOptions, openPorts } from '../hub/index.js';
import { BUCKET_NAMES, type StateStore, StateUnavailableError } from '../hub/state/state-store.js';
import { EngineError } from '../protocol/errors.js';
import { errnoText } from '../system/errno.js';
import { EXIT, usageError } from './errors.js';
import { printJson } from './output/print.js';
import { stdout } from './output/terminal.js';

/** Buckets of a backup. The others hold what is valid for minutes only, and owners that do not live any more. */
const SAVED = BUCKET_NAMES.filter((name) => !['tokens', 'codes', 'sessions', 'owners'].includes(name));

const BackupSchema = v.object({
  type: v.literal('rc-engine-hub'),
  version: v.literal(1),
  entries: v.array(v.object({ bucket: v.picklist(SAVED), key: v.string(), value: v.string() })),
});

async function withState<T>(settings: HubOptions, use: (store: StateStore) => Promise<T>): Promise<T> {
  if (settings.bus === 'memory' && settings.stateFile === undefined)
    throw usageError('This needs the state of a hub.', 'Add --state FILE, or --bus nats://HOST:PORT.');
  const ports = await openPorts(settings);
  try {
    return await use(ports.store);
  } catch (error) {
    if (!(error instanceof StateUnavailableError)) throw error;
    throw new EngineError('storeUnavailable', 'the state of the hub cannot be reached', { cause: error });
  } finally {
    await ports.close();
  }
}

interface NewKey {
  readonly account?: string | undefined;
  /** Seconds. */
  readonly expires?: number | undefined;
  readonly role?: KeyRole | undefined;
}

export async function createKey(
  settings: HubOptions,
  { account, expires, role = 'owner' }: NewKey,
  json: boolean,
): Promise<number> {
  if (account === undefined || !/^[\x21-\x7e]{1,128}$/.test(account))
    throw usageError(
      'hub key create needs --account with the name of an account.',
      'Add --account NAME, without spaces.',
    );
  const { key, secret } = await withState(settings, (store) =>
    new EnrollmentKeys(store, Date.now).create(
      account,
      expires === undefined ? undefined : expires * 1_000,
      role,
    ),
  );
  // The only place that shows it: nothing but its hash is stored.
  if (json) printJson({ type: 'key', ...key, key: secret.reveal() });
  else {
    stdout.print(
      `Key ${key.id} for the account ${account}. It is shown once:`,
      secret.reveal(),
      '',
      'On the machine of an engine:  rc-engine login --hub URL',
      'It asks for the key. Then:    rc-engine start --base-url URL',
    );
  }
  return EXIT.ok;
}

export async function listKeys(settings: HubOptions, json: boolean): Promise<number> {
  const keys = await withState(settings, (store) => new EnrollmentKeys(store, Date.now).list());
  if (json) printJson({ type: 'keys', keys });
  else if (keys.length === 0) stdout.print('There are no keys.');
  else {
    for (const { id, account, role, createdAt, expiresAt } of keys) {
      const end = expiresAt === null ? 'for ever' : `until ${new Date(expiresAt).toISOString()}`;
      stdout.print(`${id}  ${account}  ${role}  created ${new Date(createdAt).toISOString()}, valid ${end}`);
    }
  }
  return EXIT.ok;
}

export async function revokeKey(settings: HubOptions, id: string, json: boolean): Promise<number> {
  const revoked = await withState(settings, (store) => new EnrollmentKeys(store, Date.now).revoke(id));
  if (!revoked) throw usageError(`There is no key ${id}.`, 'hub key list shows the ids.');
  if (json) printJson({ type: 'revoked', id });
  else stdout.print(`The key ${id} is revoked. Engines that used it cannot renew their tokens.`);
  return EXIT.ok;
}

export async function exportState(settings: HubOptions, file: string, json: boolean): Promise<number> {
  const entries = await withState(settings, async (store) => {
    const all: { bucket: string; key: string; value: string }[] = [];
    for (const bucket of SAVED) {
      for (const { key, value } of await store.bucket(bucket).list()) all.push({ bucket, key, value });
    }
    return all;
  });
  try {
    const target = await open(file, 'wx', 0o600);
    try {
      await target.writeFile(`${JSON.stringify({ type: 'rc-engine-hub', version: 1, entries })}\n`);
      await target.sync();
    } finally {
      await target.close();
    }
  } catch (error) {
    throw usageError(
      `The file ${file} cannot be created: ${errnoText(error)}.`,
      'Choose another path.',
      error,
    );
  }
  if (json) printJson({ type: 'exported', file, entries: entries.length });
  else stdout.print(`${entries.length} entries are in ${file}. It holds hashes of tokens, no tokens.`);
  return EXIT.ok;
}

export async function importState(settings: HubOptions, file: string, json: boolean): Promise<number> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw usageError(`The file ${file} cannot be read: ${errnoText(error)}.`, 'Choose another path.', error);
  }
  const entries = readBackup(text);
  if (entries === undefined)
    throw usageError(`The file ${file} is no export of a hub.`, 'Make one with: rc-engine hub export FILE.');
  let added = 0;
  await withState(settings, async (store) => {
    // What exists is newer than the backup.
    for (const { bucket, key, value } of entries) {
      if ((await store.bucket(bucket).create(key, value)) !== undefined) added += 1;
    }
  });
  if (json) printJson({ type: 'imported', file, entries: entries.length, added });
  else stdout.print(`${added} of ${entries.length} entries were added; the others exist already.`);
  return EXIT.ok;
}

function readBackup(text: string): v.InferOutput<typeof BackupSchema>['entries'] | undefined {
  try {
    const parsed = v.safeParse(BackupSchema, JSON.parse(text));
    return parsed.success ? parsed.output.entries : undefined;
  } catch {
    return undefined;
  }
}
