import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GivenToken } from '../account/credentials.js';
import { type Backend, createBackend } from '../backend/index.js';
import { Secret } from '../protocol/secret.js';

/** A backend in this process, for trying things out: its only account belongs to this engine. */
export interface Embedded {
  readonly backend: Backend;
  /** Its only account. */
  readonly accessToken: GivenToken;
  /** The home to use: the given one, or a fresh folder that `close` removes. */
  readonly home: string;
  close(): Promise<void>;
}

export async function startEmbedded(givenHome: string | undefined): Promise<Embedded> {
  const token = new Secret(randomBytes(32).toString('base64url'));
  const backend = await createBackend({ accounts: { kind: 'only', token } });
  const home = givenHome ?? (await mkdtemp(join(tmpdir(), 'rc-engine-')));
  return {
    backend,
    accessToken: { token, accountId: 'embedded' },
    home,
    close: async () => {
      await backend.close();
      if (givenHome === undefined) await rm(home, { recursive: true, force: true });
    },
  };
}
