import { randomInt, randomUUID } from 'node:crypto';
import { Secret } from '../protocol/secret.js';
import { hashOf, mintToken } from './credentials.js';
import type { ClientRecord, ServerRecord, Store } from './store.js';

/** Without characters that look alike. Eight of them are 40 bits: enough with few tries and a short life. */
const MANUAL_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const MANUAL_LENGTH = 8;
/** Failed claims within the window before further ones are put off. */
const MAX_FAILED_CLAIMS = 10;
const FAILED_CLAIM_WINDOW = 60_000;
/** Codes of one server at a time; the oldest goes first. */
const MAX_CODES = 16;
/** Clients of one environment. */
const MAX_CLIENTS = 1_000;

export interface PairingStarted {
  readonly pairingCode: Secret;
  readonly manualPairingCode: Secret | null;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}
/** One of the two codes, as the peer gave it. */
export type GivenCode = { readonly kind: 'pairing' | 'manual'; readonly text: string };

export type ClaimResult =
  | {
      readonly kind: 'claimed';
      readonly client: ClientRecord;
      readonly token: Secret;
      readonly server: ServerRecord;
    }
  | { readonly kind: 'unknownCode' }
  | { readonly kind: 'tooManyTries'; readonly retryAfterSeconds: number }
  | { readonly kind: 'tooManyClients' };

interface Code {
  readonly serverId: string;
  readonly hash: string;
  readonly manualHash: string | null;
  readonly expiresAt: number;
  claimed: boolean;
}

/** Pairing codes, kept in memory only, and what they are claimed for. RC-47, RC-48 */
export class Pairing {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #codeLife: number;
  #codes: Code[] = [];
  #failedClaims: number[] = [];

  constructor(store: Store, now: () => number, codeLife: number) {
    this.#store = store;
    this.#now = now;
    this.#codeLife = codeLife;
  }

  start(server: ServerRecord, withManualCode: boolean): PairingStarted {
    this.#forgetExpired();
    const pairingCode = mintToken('rcp');
    const manual = withManualCode ? manualCode() : null;
    const expiresAt = this.#now() + this.#codeLife;
    this.#codes.push({
      serverId: server.serverId,
      hash: hashOf(pairingCode.reveal()),
      manualHash: manual === null ? null : hashOf(plain(manual)),
      expiresAt,
      claimed: false,
    });
    const own = this.#codes.filter((code) => code.serverId === server.serverId);
    if (own.length > MAX_CODES) this.#codes = this.#codes.filter((code) => code !== own[0]);
    return { pairingCode, manualPairingCode: manual === null ? null : new Secret(manual), expiresAt };
  }

  /** Undefined: this server has no such code, or it has expired. */
  isClaimed(server: ServerRecord, given: GivenCode): boolean | undefined {
    const code = this.#find(given);
    return code?.serverId === server.serverId ? code.claimed : undefined;
  }

  claim(given: GivenCode, displayName: string | null): ClaimResult {
    const now = this.#now();
    this.#failedClaims = this.#failedClaims.filter((at) => at > now - FAILED_CLAIM_WINDOW);
    const [oldest] = this.#failedClaims;
    if (oldest !== undefined && this.#failedClaims.length >= MAX_FAILED_CLAIMS) {
      // Before the code is looked at, so that going on guessing tells nothing.
      return {
        kind: 'tooManyTries',
        retryAfterSeconds: Math.ceil((oldest + FAILED_CLAIM_WINDOW - now) / 1_000),
      };
    }
    const code = this.#find(given);
    const server = code === undefined ? undefined : this.#store.servers.get(code.serverId);
    if (code === undefined || code.claimed || server === undefined) {
      this.#failedClaims.push(now);
      return { kind: 'unknownCode' };
    }
    if (this.#store.clientsOf(server.environmentId).length >= MAX_CLIENTS) return { kind: 'tooManyClients' };
    code.claimed = true;
    const token = mintToken('rcc');
    const client: ClientRecord = {
      clientId: `cli_${randomUUID()}`,
      environmentId: server.environmentId,
      displayName,
      tokenHash: hashOf(token.reveal()),
      createdAt: now,
      lastSeenAt: null,
    };
    this.#store.clients.set(client.clientId, client);
    this.#store.changed();
    return { kind: 'claimed', client, token, server };
  }

  #find(given: GivenCode): Code | undefined {
    this.#forgetExpired();
    const hash = hashOf(given.kind === 'manual' ? plain(given.text) : given.text);
    return this.#codes.find((code) => (given.kind === 'manual' ? code.manualHash : code.hash) === hash);
  }

  #forgetExpired(): void {
    const now = this.#now();
    this.#codes = this.#codes.filter((code) => code.expiresAt > now);
  }
}

function manualCode(): string {
  let text = '';
  for (let n = 0; n < MANUAL_LENGTH; n += 1) {
    if (n === MANUAL_LENGTH / 2) text += '-';
    text += MANUAL_ALPHABET.charAt(randomInt(MANUAL_ALPHABET.length));
  }
  return text;
}

/** A manual code as it is compared: people type it in small letters, with or without the dash. */
function plain(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, '');
}
