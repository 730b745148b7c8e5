import { randomInt, randomUUID } from 'node:crypto';
import { environmentsNamed } from '../protocol/environment-name.js';
import { Secret } from '../protocol/secret.js';
import type {
  ClaimResult,
  PairingStarted,
  PresentedCode,
  ServerIdentity,
  StatusResult,
} from './directory.js';
import { FailedAttempts } from './failed-attempts.js';
import { hashToken, mintToken } from './identities.js';
import type { ControllerRecord, ServerRecord, Store } from './store.js';

/** Without characters that look alike. */
const MANUAL_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
/**
 * Twelve characters hold 60 bits. The programs of a machine have millions of loopback addresses, so counting by address
 * does not stop guesses, and a code that wrong guesses use up lets strangers lock the owner out. So the length does it:
 * 20,000 guesses a second for ten minutes find one of sixteen codes with a probability of 2^-32 (RFC 8628, 5.1).
 */
const MANUAL_LENGTH = 12;
const MANUAL_GROUP = 4;
/** Codes of one server at a time; the oldest is removed first. */
const MAX_CODES = 16;
/** Wrong codes of one peer within a minute. */
export const MAX_WRONG_OF_PEER = 10;
/** Wrong codes of all peers together within a minute. */
export const MAX_WRONG = 100;
const ALL = 'all';
/** Controllers of one environment. */
export const MAX_CONTROLLERS = 1_000;

interface Code {
  readonly serverId: string;
  readonly hash: string;
  readonly manualHash: string | null;
  readonly expiresAt: number;
  claimed: boolean;
}

/** Pairing codes, in memory only, and the controllers that claim them. RC-47, RC-48 */
export class Pairing {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #codeLifetime: number;
  #codes: Code[] = [];
  readonly #failedClaims: FailedAttempts;
  readonly #allFailedClaims: FailedAttempts;
  readonly #failedChecks: FailedAttempts;

  constructor(store: Store, now: () => number, codeLifetime: number) {
    this.#store = store;
    this.#now = now;
    this.#codeLifetime = codeLifetime;
    this.#failedClaims = new FailedAttempts(now, MAX_WRONG_OF_PEER);
    this.#allFailedClaims = new FailedAttempts(now, MAX_WRONG);
    this.#failedChecks = new FailedAttempts(now, MAX_WRONG_OF_PEER);
  }

  start(server: ServerIdentity, withManualCode: boolean): PairingStarted {
    this.#removeExpired();
    const pairingCode = mintToken('rcp');
    const manual = withManualCode ? createManualCode() : null;
    const expiresAt = this.#now() + this.#codeLifetime;
    this.#codes.push({
      serverId: server.serverId,
      hash: hashToken(pairingCode.reveal()),
      manualHash: manual === null ? null : hashToken(normalizeManualCode(manual)),
      expiresAt,
      claimed: false,
    });
    const ofServer = this.#codes.filter((code) => code.serverId === server.serverId);
    if (ofServer.length > MAX_CODES) this.#codes = this.#codes.filter((code) => code !== ofServer[0]);
    return { pairingCode, manualPairingCode: manual === null ? null : new Secret(manual), expiresAt };
  }

  /** A code that is unknown, expired, or of another server is an unknown code. */
  status(server: ServerIdentity, presented: PresentedCode): StatusResult {
    const retryAfterSeconds = this.#failedChecks.retryAfterSeconds(server.serverId);
    if (retryAfterSeconds > 0) return { kind: 'tooManyAttempts', retryAfterSeconds };
    const code = this.#find(presented);
    if (code?.serverId === server.serverId) return { kind: 'known', claimed: code.claimed };
    this.#failedChecks.add(server.serverId);
    return { kind: 'unknownCode' };
  }

  /**
   * Wrong codes count for the peer that sent them and for all peers together. A right code is always accepted, so that a
   * program that guesses, from the same address or from many, does not keep the owner out. RC-52
   * @param peer Address of the peer.
   * @param expected Id or name of the environment that the code must be for; the code of another one is not used up.
   */
  claim(presented: PresentedCode, displayName: string | null, peer: string, expected?: string): ClaimResult {
    const code = this.#find(presented);
    const server = code === undefined ? undefined : this.#store.servers.get(code.serverId);
    if (code === undefined || code.claimed || server === undefined) return this.#wrongClaim(peer);
    const { environmentId, name: serverName } = server;
    if (expected !== undefined && environmentsNamed([{ environmentId, serverName }], expected).length === 0)
      return { kind: 'otherEnvironment' };
    return this.#accept(code, server, displayName);
  }

  #wrongClaim(peer: string): ClaimResult {
    const retryAfterSeconds = Math.max(
      this.#failedClaims.retryAfterSeconds(peer),
      this.#allFailedClaims.retryAfterSeconds(ALL),
    );
    if (retryAfterSeconds > 0) return { kind: 'tooManyAttempts', retryAfterSeconds };
    this.#failedClaims.add(peer);
    this.#allFailedClaims.add(ALL);
    return { kind: 'unknownCode' };
  }

  #accept(code: Code, server: ServerRecord, displayName: string | null): ClaimResult {
    const now = this.#now();
    if (this.#store.controllersOf(server.environmentId).length >= MAX_CONTROLLERS)
      return { kind: 'tooManyControllers' };
    code.claimed = true;
    const token = mintToken('rcc');
    const controller: ControllerRecord = {
      clientId: `cli_${randomUUID()}`,
      environmentId: server.environmentId,
      displayName,
      tokenHash: hashToken(token.reveal()),
      createdAt: now,
      lastSeenAt: null,
    };
    this.#store.controllers.set(controller.clientId, controller);
    this.#store.scheduleSave();
    return { kind: 'claimed', controller, token, server };
  }

  #find(presented: PresentedCode): Code | undefined {
    this.#removeExpired();
    const hash = hashToken(
      presented.kind === 'manual' ? normalizeManualCode(presented.text) : presented.text,
    );
    return this.#codes.find((code) => (presented.kind === 'manual' ? code.manualHash : code.hash) === hash);
  }

  #removeExpired(): void {
    const now = this.#now();
    this.#codes = this.#codes.filter((code) => code.expiresAt > now);
  }
}

export function createManualCode(): string {
  let text = '';
  for (let n = 0; n < MANUAL_LENGTH; n += 1) {
    if (n > 0 && n % MANUAL_GROUP === 0) text += '-';
    text += MANUAL_ALPHABET.charAt(randomInt(MANUAL_ALPHABET.length));
  }
  return text;
}

/** The form in which manual codes are compared: people type them in lower case, with or without the dashes. */
export function normalizeManualCode(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, '');
}
