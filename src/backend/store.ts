import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import * as v from 'valibot';
import { EngineError } from '../protocol/errors.js';

const Time = v.pipe(v.number(), v.integer(), v.minValue(0));
const Id = v.pipe(v.string(), v.nonEmpty());
const TokenSchema = v.object({ hash: Id, expiresAt: Time });
const ServerSchema = v.object({
  serverId: Id,
  environmentId: Id,
  accountId: Id,
  installationId: Id,
  name: v.string(),
  os: v.string(),
  arch: v.string(),
  appServerVersion: v.string(),
  createdAt: Time,
  lastSeenAt: Time,
  /** Newest last. Older ones stay good until they expire: an answer with a new one may have been lost. */
  tokens: v.array(TokenSchema),
});
const ClientSchema = v.object({
  clientId: Id,
  environmentId: Id,
  displayName: v.nullable(v.string()),
  tokenHash: Id,
  createdAt: Time,
  lastSeenAt: v.nullable(Time),
});
const StateSchema = v.object({
  version: v.literal(1),
  servers: v.array(ServerSchema),
  clients: v.array(ClientSchema),
});

export type ServerRecord = v.InferOutput<typeof ServerSchema>;
export type ClientRecord = v.InferOutput<typeof ClientSchema>;

const PRIVATE_FILE = 0o600;

/**
 * Identities and clients, in memory and, when there is a file, on disk. Changes are written soon after they are
 * announced with `changed`, several at once; the file is replaced whole, so a reader never sees half of it.
 */
export class Store {
  readonly servers = new Map<string, ServerRecord>();
  readonly clients = new Map<string, ClientRecord>();
  readonly #file: string | undefined;
  readonly #onSave: (failure: string | undefined) => void;
  #dirty = false;
  #saving: Promise<void> | undefined;

  private constructor(file: string | undefined, onSave: (failure: string | undefined) => void) {
    this.#file = file;
    this.#onSave = onSave;
  }

  /** Throws EngineError `storeUnavailable` when the file is there and cannot be read. */
  static async open(file: string | undefined, onSave: (failure: string | undefined) => void): Promise<Store> {
    const store = new Store(file, onSave);
    if (file === undefined) return store;
    const state = await readState(file);
    for (const server of state?.servers ?? []) store.servers.set(server.serverId, server);
    for (const client of state?.clients ?? []) store.clients.set(client.clientId, client);
    return store;
  }

  serverOfEnvironment(environmentId: string): ServerRecord | undefined {
    for (const server of this.servers.values()) if (server.environmentId === environmentId) return server;
    return undefined;
  }

  clientsOf(environmentId: string): ClientRecord[] {
    return [...this.clients.values()].filter((client) => client.environmentId === environmentId);
  }

  changed(): void {
    if (this.#file === undefined) return;
    this.#dirty = true;
    this.#saving ??= this.#saveAll(this.#file);
  }

  /** Resolves when all that was announced is on disk, or has failed and been reported. */
  async flush(): Promise<void> {
    await this.#saving;
  }

  async #saveAll(file: string): Promise<void> {
    // Let further changes of this turn join.
    await Promise.resolve();
    while (this.#dirty) {
      this.#dirty = false;
      const state = {
        version: 1,
        servers: [...this.servers.values()],
        clients: [...this.clients.values()],
      };
      try {
        await replaceFile(file, `${JSON.stringify(state, null, 1)}\n`);
        this.#onSave(undefined);
      } catch (error) {
        this.#onSave(error instanceof Error ? error.message : String(error));
      }
    }
    this.#saving = undefined;
  }
}

async function readState(file: string): Promise<v.InferOutput<typeof StateSchema> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new EngineError('storeUnavailable', `the backend's state file ${file} cannot be read`, { cause });
  }
  try {
    return v.parse(StateSchema, JSON.parse(text));
  } catch (cause) {
    throw new EngineError('storeUnavailable', `the backend's state file ${file} is not valid`, { cause });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const sibling = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(sibling, 'wx', PRIVATE_FILE);
    try {
      await file.chmod(PRIVATE_FILE);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(sibling, path);
  } catch (error) {
    await rm(sibling, { force: true });
    throw error;
  }
}
