import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import type {
  ClaimResult,
  Directory,
  EnrollRequest,
  PairingStarted,
  PresentedCode,
  ServerGrant,
  ServerIdentity,
  StatusResult,
} from '../backend/directory.js';
import { FailedAttempts } from '../backend/failed-attempts.js';
import { HttpError, headerOf, requireBearer, requireHeader } from '../backend/http.js';
import { hashToken, mintToken } from '../backend/identities.js';
import {
  createManualCode,
  MAX_CONTROLLERS,
  MAX_WRONG,
  MAX_WRONG_OF_PEER,
  normalizeManualCode,
} from '../backend/pairing.js';
import { WrongTokens } from '../backend/wrong-tokens.js';
import { environmentsNamed } from '../protocol/environment-name.js';
import { Secret } from '../protocol/secret.js';
import type { EnrollmentKeys, KeyRole } from './enrollment-keys.js';
import { Facts } from './state/facts.js';
import { BUCKETS, keyWord, type StateStore } from './state/state-store.js';

const Time = v.pipe(v.number(), v.integer(), v.minValue(0));
const Id = v.pipe(v.string(), v.nonEmpty());
const ServerSchema = v.object({
  ...{ serverId: Id, environmentId: Id, accountId: Id, installationId: Id, name: v.string() },
  ...{ os: v.string(), arch: v.string(), appServerVersion: v.string() },
  ...{ createdAt: Time, lastSeenAt: Time },
});
const EnvironmentSchema = v.object({ serverId: Id, accountId: Id });
const TokenSchema = v.object({ serverId: Id, expiresAt: Time });
const CodeSchema = v.object({ serverId: Id, expiresAt: Time, claimed: v.boolean() });
/** A manual code names the key of the pairing code that was issued with it. */
const ManualCodeSchema = v.object({ code: Id });
/** A `read-only` device may send requests of an allow-list only. HUB-51 */
export const DEVICE_ROLES = ['controller', 'read-only'] as const;
export type DeviceRole = (typeof DEVICE_ROLES)[number];
const ClientSchema = v.object({
  ...{ clientId: Id, environmentId: Id, displayName: v.nullable(v.string()), tokenHash: Id },
  ...{ createdAt: Time, lastSeenAt: v.nullable(Time) },
  /** Devices of before have none. */
  role: v.optional(v.picklist(DEVICE_ROLES), 'controller'),
});
const ControllerTokenSchema = v.object({ clientId: Id, environmentId: Id });

export type ServerFact = v.InferOutput<typeof ServerSchema>;
export type ClientFact = v.InferOutput<typeof ClientSchema>;

/** Machines of one account. One more is refused; none is removed for it. */
const MAX_SERVERS_OF_ACCOUNT = 1_000;
/** `lastSeenAt` is written at most once in this time, ms. */
const SEEN_INTERVAL = 600_000;
/** Names of manual codes, so that they differ from pairing codes. */
const MANUAL = 'manual';

/** Which account tokens are accepted: any that is not empty (loopback only), or enrollment keys. */
export type HubAccounts = { readonly kind: 'any' } | { readonly kind: 'keys'; readonly keys: EnrollmentKeys };

/** Whom a key belongs to. */
export interface KeyIdentity {
  readonly account: string;
  /** Wall-clock milliseconds; null: for ever. */
  readonly expiresAt: number | null;
  readonly role: KeyRole;
}

interface DirectoryDeps {
  readonly store: StateStore;
  readonly accounts: HubAccounts;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** Lifetime of a server token, ms; less than a day. */
  readonly tokenLifetime: number;
  /** A controller was revoked: close its sockets on all nodes. */
  readonly onRevoke: (environmentId: string, clientId: string) => void;
}

/** Machines, their tokens, pairing codes and controllers in the state of the hub. Throws StateUnavailableError. */
export class HubDirectory implements Directory {
  readonly #deps: DirectoryDeps;
  readonly #servers: Facts<typeof ServerSchema>;
  readonly #environments: Facts<typeof EnvironmentSchema>;
  readonly #tokens: Facts<typeof TokenSchema>;
  readonly #codes: Facts<typeof CodeSchema>;
  readonly #manualCodes: Facts<typeof ManualCodeSchema>;
  readonly #clients: Facts<typeof ClientSchema>;
  readonly #controllerTokens: Facts<typeof ControllerTokenSchema>;
  readonly #wrongTokens: WrongTokens;
  readonly #failedClaims: FailedAttempts;
  readonly #allFailedClaims: FailedAttempts;
  readonly #failedChecks: FailedAttempts;

  constructor(deps: DirectoryDeps) {
    this.#deps = deps;
    const { store, now } = deps;
    this.#servers = new Facts(store.bucket('servers'), ServerSchema);
    this.#environments = new Facts(store.bucket('environments'), EnvironmentSchema);
    this.#tokens = new Facts(store.bucket('tokens'), TokenSchema);
    this.#codes = new Facts(store.bucket('codes'), CodeSchema);
    this.#manualCodes = new Facts(store.bucket('codes'), ManualCodeSchema);
    this.#clients = new Facts(store.bucket('clients'), ClientSchema);
    this.#controllerTokens = new Facts(store.bucket('controllerTokens'), ControllerTokenSchema);
    this.#wrongTokens = new WrongTokens(now);
    this.#failedClaims = new FailedAttempts(now, MAX_WRONG_OF_PEER);
    this.#allFailedClaims = new FailedAttempts(now, MAX_WRONG);
    this.#failedChecks = new FailedAttempts(now, MAX_WRONG_OF_PEER);
  }

  // --- machines

  async authenticateAccount(request: IncomingMessage): Promise<string> {
    const { accounts } = this.#deps;
    const token = requireBearer(request);
    if (accounts.kind === 'any') return requireHeader(request, 'chatgpt-account-id');
    const key = await accounts.keys.find(token);
    if (key === undefined) throw this.wrongToken(request, token);
    const { account, role } = key;
    if (role !== 'owner' && request.method !== 'GET')
      throw new HttpError(403, 'This key is for viewing only');
    if (requireHeader(request, 'chatgpt-account-id') !== account)
      throw new HttpError(403, `The key is for another account than the one in chatgpt-account-id`);
    return account;
  }

  /** Whose key the bearer token is. Without keys any token counts, and the header names the account. Throws HttpError 401. */
  async identify(request: IncomingMessage): Promise<KeyIdentity> {
    const { accounts } = this.#deps;
    const token = requireBearer(request);
    if (accounts.kind === 'any')
      return {
        account: headerOf(request, 'chatgpt-account-id') ?? 'default',
        expiresAt: null,
        role: 'owner',
      };
    const key = await accounts.keys.find(token);
    if (key === undefined) throw this.wrongToken(request, token);
    return { account: key.account, expiresAt: key.expiresAt, role: key.role };
  }

  /** The machines of an account, in the order of their enrollment. */
  async machinesOf(account: string): Promise<readonly ServerFact[]> {
    const prefix = keyWord(account);
    const listed = await this.#deps.store.bucket('accounts').list(prefix);
    const found = await Promise.all(listed.map(({ key }) => this.#servers.get(key.slice(prefix.length + 1))));
    return found
      .flatMap((entry) => (entry?.value.accountId === account ? [entry.value] : []))
      .sort((a, b) => a.createdAt - b.createdAt);
  }

  async enroll(request: EnrollRequest): Promise<ServerGrant> {
    const { accountId } = request;
    const accounts = this.#deps.store.bucket('accounts');
    if ((await accounts.list(keyWord(accountId))).length >= MAX_SERVERS_OF_ACCOUNT)
      throw new HttpError(429, 'This account has too many machines', { 'retry-after': '3600' });
    const now = this.#deps.now();
    const server: ServerFact = {
      serverId: `srv_${randomBytes(12).toString('hex')}`,
      environmentId: `env_${randomBytes(12).toString('hex')}`,
      ...request,
      ...{ createdAt: now, lastSeenAt: now },
    };
    const { serverId, environmentId } = server;
    await accounts.put(`${keyWord(accountId)}.${serverId}`, '');
    await this.#environments.put(environmentId, { serverId, accountId });
    await this.#servers.put(serverId, server);
    return await this.grant(server);
  }

  async findServer(serverId: string, accountId: string): Promise<ServerIdentity | undefined> {
    const server = (await this.#servers.get(serverId))?.value;
    return server?.accountId === accountId ? server : undefined;
  }

  async grant(server: ServerIdentity): Promise<ServerGrant> {
    const token = mintToken('rcs');
    const expiresAt = this.#deps.now() + this.#deps.tokenLifetime;
    await this.#tokens.put(hashToken(token.reveal()), { serverId: server.serverId, expiresAt });
    return { server, token, expiresAt };
  }

  async serverOfToken(token: string): Promise<ServerIdentity | undefined> {
    const fact = (await this.#tokens.get(hashToken(token)))?.value;
    if (fact === undefined || fact.expiresAt <= this.#deps.now()) return undefined;
    return (await this.#servers.get(fact.serverId))?.value;
  }

  /** The server of this id, whatever its account. */
  async serverOf(serverId: string): Promise<ServerIdentity | undefined> {
    return (await this.#servers.get(serverId))?.value;
  }

  wrongToken(request: IncomingMessage, token: string): HttpError {
    return this.#wrongTokens.refusal(request, token);
  }

  async accountOf(environmentId: string): Promise<string | undefined> {
    return (await this.#environments.get(environmentId))?.value.accountId;
  }

  /** Records that a machine has connected, and the name that it has now. */
  async markSeen(serverId: string, name: string): Promise<void> {
    const now = this.#deps.now();
    const entry = await this.#servers.get(serverId);
    if (entry === undefined) return;
    const { value, revision } = entry;
    if (value.name === name && now - value.lastSeenAt < SEEN_INTERVAL) return;
    // Another node has written it at the same time: that is as good.
    await this.#servers.update(serverId, { ...value, name, lastSeenAt: now }, revision);
  }

  // --- pairing

  async startPairing({ serverId }: ServerIdentity, withManualCode: boolean): Promise<PairingStarted> {
    const pairingCode = mintToken('rcp');
    const manual = withManualCode ? createManualCode() : null;
    const expiresAt = this.#deps.now() + BUCKETS.codes;
    const code = hashToken(pairingCode.reveal());
    await this.#codes.put(code, { serverId, expiresAt, claimed: false });
    if (manual !== null) await this.#manualCodes.put(manualKey(manual), { code });
    return { pairingCode, manualPairingCode: manual === null ? null : new Secret(manual), expiresAt };
  }

  async pairingStatus({ serverId }: ServerIdentity, presented: PresentedCode): Promise<StatusResult> {
    const retryAfterSeconds = this.#failedChecks.retryAfterSeconds(serverId);
    if (retryAfterSeconds > 0) return { kind: 'tooManyAttempts', retryAfterSeconds };
    const code = await this.#findCode(presented);
    if (code?.value.serverId === serverId) return { kind: 'known', claimed: code.value.claimed };
    this.#failedChecks.add(serverId);
    return { kind: 'unknownCode' };
  }

  async claim(
    presented: PresentedCode,
    displayName: string | null,
    peer: string,
    expected: string | undefined,
  ): Promise<ClaimResult> {
    const code = await this.#findCode(presented);
    const server = code === undefined ? undefined : (await this.#servers.get(code.value.serverId))?.value;
    if (code === undefined || code.value.claimed || server === undefined) return this.#wrongClaim(peer);
    const { environmentId, name: serverName } = server;
    if (expected !== undefined && environmentsNamed([{ environmentId, serverName }], expected).length === 0)
      return { kind: 'otherEnvironment' };
    if ((await this.controllersOf(environmentId)).length >= MAX_CONTROLLERS)
      return { kind: 'tooManyControllers' };
    // Of two claims at once, on whatever nodes, one gets the code.
    if ((await this.#codes.update(code.key, { ...code.value, claimed: true }, code.revision)) === undefined)
      return this.#wrongClaim(peer);
    const token = mintToken('rcc');
    const controller: ClientFact = {
      ...{ clientId: `cli_${randomUUID()}`, environmentId, displayName },
      ...{ tokenHash: hashToken(token.reveal()), createdAt: this.#deps.now(), lastSeenAt: null },
      role: 'controller',
    };
    const { clientId, tokenHash } = controller;
    await this.#clients.put(`${environmentId}.${clientId}`, controller);
    await this.#controllerTokens.put(tokenHash, { clientId, environmentId });
    return { kind: 'claimed', controller, token, server };
  }

  #wrongClaim(peer: string): ClaimResult {
    const retryAfterSeconds = Math.max(
      this.#failedClaims.retryAfterSeconds(peer),
      this.#allFailedClaims.retryAfterSeconds(''),
    );
    if (retryAfterSeconds > 0) return { kind: 'tooManyAttempts', retryAfterSeconds };
    this.#failedClaims.add(peer);
    this.#allFailedClaims.add('');
    return { kind: 'unknownCode' };
  }

  async #findCode({ kind, text }: PresentedCode): ReturnType<Facts<typeof CodeSchema>['get']> {
    const key =
      kind === 'manual' ? (await this.#manualCodes.get(manualKey(text)))?.value.code : hashToken(text);
    const code = key === undefined ? undefined : await this.#codes.get(key);
    return code !== undefined && code.value.expiresAt > this.#deps.now() ? code : undefined;
  }

  // --- controllers

  async controllersOf(environmentId: string): Promise<readonly ClientFact[]> {
    return await this.#clients.list(environmentId);
  }

  /** The controller of a token, while it is not revoked. */
  async controllerOfToken(token: string): Promise<ClientFact | undefined> {
    const fact = (await this.#controllerTokens.get(hashToken(token)))?.value;
    return fact === undefined ? undefined : await this.controller(fact.environmentId, fact.clientId);
  }

  async controller(environmentId: string, clientId: string): Promise<ClientFact | undefined> {
    return (await this.#clients.get(`${environmentId}.${clientId}`))?.value;
  }

  async markControllerSeen({ environmentId, clientId, lastSeenAt }: ClientFact): Promise<void> {
    const now = this.#deps.now();
    if (lastSeenAt !== null && now - lastSeenAt < SEEN_INTERVAL) return;
    const key = `${environmentId}.${clientId}`;
    const entry = await this.#clients.get(key);
    if (entry !== undefined)
      await this.#clients.update(key, { ...entry.value, lastSeenAt: now }, entry.revision);
  }

  /** Undefined: the device does not exist; false: another node has changed it at the same time. */
  async setRole(environmentId: string, clientId: string, role: DeviceRole): Promise<boolean | undefined> {
    const key = `${environmentId}.${clientId}`;
    const entry = await this.#clients.get(key);
    if (entry === undefined) return undefined;
    return (await this.#clients.update(key, { ...entry.value, role }, entry.revision)) !== undefined;
  }

  async revoke(environmentId: string, clientId: string): Promise<boolean> {
    const key = `${environmentId}.${clientId}`;
    const entry = await this.#clients.get(key);
    if (entry === undefined) return false;
    await this.#clients.delete(key);
    await this.#controllerTokens.delete(entry.value.tokenHash);
    this.#deps.onRevoke(environmentId, clientId);
    return true;
  }
}

const manualKey = (text: string): string => `${MANUAL}.${hashToken(normalizeManualCode(text))}`;
