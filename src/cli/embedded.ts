import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GivenToken } from '../account/credentials.js';
import { type Backend, createBackend } from '../backend/index.js';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';
import { errnoText } from '../system/errno.js';
import { onSuddenEnd } from './signals.js';

/** The backend of `start --base-url embedded`, in this process. Its only account belongs to this engine. */
interface EmbeddedBackend {
  readonly backend: Backend;
  /** The access token of the only account. */
  readonly accessToken: GivenToken;
  /** The given home directory, or a temporary one that `close` removes. */
  readonly home: string;
  close(): Promise<void>;
}

export async function startEmbeddedBackend(givenHome: string | undefined): Promise<EmbeddedBackend> {
  const token = new Secret(randomBytes(32).toString('base64url'));
  const home = givenHome ?? (await temporaryHome());
  const backend = await createBackend({ accounts: { kind: 'only', token } });
  const removed =
    givenHome === undefined ? onSuddenEnd(() => rmSync(home, { recursive: true, force: true })) : () => {};
  return {
    backend,
    accessToken: { token, accountId: 'embedded' },
    home,
    close: async () => {
      await backend.close();
      if (givenHome === undefined) await rm(home, { recursive: true, force: true });
      removed();
    },
  };
}

async function temporaryHome(): Promise<string> {
  const parent = tmpdir();
  try {
    return await mkdtemp(join(parent, 'rc-engine-'));
  } catch (error) {
    throw new EngineError(
      'homeUnusable',
      `No temporary home directory can be made in ${parent}: ${errnoText(error)}.`,
      {
        cause: error,
        remediation: 'Name a home directory with --home, or set TMPDIR to a directory that you can write to.',
      },
    );
  }
}
