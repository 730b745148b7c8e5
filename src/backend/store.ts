import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import * as v from 'valibot';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
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
  /** Newest last. Older ones stay valid until they expire: the response with a newer one may have been lost. */
  tokens: v.array(TokenSchema),
});
const ControllerSchema = v.object({
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
  clients: v.array(ControllerSchema),
});

export type ServerRecord = v.InferOutput<typeof ServerSchema>;
export type ControllerRecord = v.InferOutput<typeof ControllerSchema>;

const PRIVATE_FILE = 0o600;

/**
 * Identities and paired controllers, in memory and, with a file, on disk. `scheduleSave` writes the file a moment
 * later, so one write covers several changes. The file is replaced atomically, so a reader never sees a part of it.
 */
export class Store {
  readonly servers = new Map<string, ServerRecord>();
  readonly controllers = new Map<string, ControllerRecord>();
  readonly #file: string | undefined;
  readonly #onSave: (failure: string | undefined) => void;
  #dirty = false;
  #saving: Promise<void> | undefined;

  private constructor(file: string | undefined, onSave: (failure: string | undefined) => void) {
    this.#file = file;
    this.#onSave = onSave;
  }

  /** Throws EngineError `storeUnavailable` when the file exists but cannot be read or is not valid. */
  static async open(file: string | undefined, onSave: (failure: string | undefined) => void): Promise<Store> {
    const store = new Store(file, onSave);
    if (file === undefined) return store;
    const state = await readState(file);
    for (const server of state?.servers ?? []) store.servers.set(server.serverId, server);
    for (const controller of state?.clients ?? []) store.controllers.set(controller.clientId, controller);
    return store;
  }

  serverOfEnvironment(environmentId: string): ServerRecord | undefined {
    for (const server of this.servers.values()) if (server.environmentId === environmentId) return server;
    return undefined;
  }

  controllersOf(environmentId: string): ControllerRecord[] {
    return [...this.controllers.values()].filter((controller) => controller.environmentId === environmentId);
  }

  scheduleSave(): void {
    if (this.#file === undefined) return;
    this.#dirty = true;
    this.#saving ??= this.#saveAll(this.#file);
  }

  /** Resolves when every scheduled change is on disk, or its failure is reported. */
  async flush(): Promise<void> {
    await this.#saving;
  }

  async #saveAll(file: string): Promise<void> {
    // Include further changes of this turn in the same write.
    await Promise.resolve();
    while (this.#dirty) {
      this.#dirty = false;
      const state = {
        version: 1,
        servers: [...this.servers.values()],
        clients: [...this.controllers.values()],
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
    text = withoutByteOrderMark(await readFile(file, 'utf8'));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new EngineError(
      'storeUnavailable',
      `the state file ${file} of the embedded backend cannot be read`,
      {
        cause,
        remediation: 'Check the owner and mode of the file, or choose another file.',
      },
    );
  }
  try {
    return v.parse(StateSchema, JSON.parse(text));
  } catch (cause) {
    throw new EngineError('storeUnavailable', `the state file ${file} of the embedded backend is not valid`, {
      cause,
      remediation: 'Restore the file, or remove it to start without identities.',
    });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', PRIVATE_FILE);
    try {
      await file.chmod(PRIVATE_FILE);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
