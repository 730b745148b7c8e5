/**
 * What a hub stores: one fact under one key, in named buckets. Each change of an entry that exists compares its revision
 * first, so two nodes never overwrite each other. The adapters are in this directory: memory with a file, and NATS.
 */

export interface StateEntry {
  readonly key: string;
  readonly value: string;
  /** Grows with each change in the bucket. A later change of any key has a higher one. */
  readonly revision: number;
}

/** A change in a bucket. Without a value the key was deleted. */
export type StateChange = Omit<StateEntry, 'value'> & { readonly value: string | undefined };

/** The store cannot be reached, or did not answer in time. Whether a change was made is not known. */
export class StateUnavailableError extends Error {
  constructor(options?: ErrorOptions) {
    super('the state of the hub cannot be reached', options);
    this.name = 'StateUnavailableError';
  }
}

/** Every method throws StateUnavailableError. Keys are words (`isStateKey`), with dots between them. */
export interface StateBucket {
  get(key: string): Promise<StateEntry | undefined>;
  /** Writes unconditionally, and returns the new revision. */
  put(key: string, value: string): Promise<number>;
  /** Returns the new revision; undefined: the key exists. */
  create(key: string, value: string): Promise<number | undefined>;
  /** Returns the new revision; undefined: the entry was changed or deleted since that revision. */
  update(key: string, value: string, revision: number): Promise<number | undefined>;
  /** False: the entry was changed or deleted since that revision. Without a revision it deletes in any case. */
  delete(key: string, revision?: number): Promise<boolean>;
  /** All entries whose key begins with these words; all without one. */
  list(prefix?: string): Promise<readonly StateEntry[]>;
  /** Reports changes from now on, in their order. Returns a function that ends it. */
  watch(listener: (change: StateChange) => void): Promise<() => void>;
}

/** The buckets, and how long an entry lives after its last change, ms; undefined: until it is deleted. */
export const BUCKETS = {
  /** `serverId`: an enrolled machine. */
  servers: undefined,
  /** `environmentId`: its server and account. */
  environments: undefined,
  /** `ACCOUNT.serverId`: which machines an account has. */
  accounts: undefined,
  /** Hash of a server token: its server. Longer than any token lives. */
  tokens: 24 * 3_600_000,
  /** Hash of a pairing code: its environment, and whether it is claimed. */
  codes: 600_000,
  /** `environmentId.clientId`: a paired controller. */
  clients: undefined,
  /** Hash of a controller token: its environment and client. */
  controllerTokens: undefined,
  /** Hash of an enrollment key: its account. */
  keys: undefined,
  /** `clientId.SESSION`: the node that holds the socket of a session. The revision orders the sockets of a session. */
  sessions: 24 * 3_600_000,
  /** `environmentId`: the node that holds the socket of the engine. The revision is the epoch of the owner. */
  owners: undefined,
} as const satisfies Readonly<Record<string, number | undefined>>;

export type BucketName = keyof typeof BUCKETS;
export const BUCKET_NAMES: readonly BucketName[] = [
  ...(['servers', 'environments', 'accounts', 'tokens', 'codes'] as const),
  ...(['clients', 'controllerTokens', 'keys', 'sessions', 'owners'] as const),
];

export interface StateStore {
  bucket(name: BucketName): StateBucket;
  close(): Promise<void>;
}

const KEY = /^[\w=-]+(?:\.[\w=-]+)*$/;
const MAX_KEY_CHARS = 512;

/** Whether a text may be a key. */
export function isStateKey(text: string): boolean {
  return text.length <= MAX_KEY_CHARS && KEY.test(text);
}

/** Any text as one word of a key. */
export function keyWord(text: string): string {
  return Buffer.from(text).toString('base64url') || '_';
}
