import { randomInt, randomUUID } from 'node:crypto';
import { Secret } from '../protocol/secret.js';
import { hashToken, mintToken } from './identities.js';
import type { ControllerRecord, ServerRecord, Store } from './store.js';

/** Without characters that look alike. Eight of them hold 40 bits: enough with few attempts and a short lifetime. */
const MANUAL_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const MANUAL_LENGTH = 8;
/** Failed claims within the window; above it, further claims are refused for a while. */
const MAX_FAILED_CLAIMS = 10;
const FAILED_CLAIM_WINDOW = 60_000;
/** Codes of one server at a time; the oldest is removed first. */
const MAX_CODES = 16;
/** Controllers of one environment. */
const MAX_CONTROLLERS = 1_000;

export interface PairingStarted {
  readonly pairingCode: Secret;
  readonly manualPairingCode: Secret | null;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}
/** One of the two codes, as the peer sent it. */
export type PresentedCode = { readonly kind: 'pairing' | 'manual'; readonly text: string };

type ClaimResult =
  | {
      readonly kind: 'claimed';
      readonly controller: ControllerRecord;
      readonly token: Secret;
      readonly server: ServerRecord;
    }
  | { readonly kind: 'unknownCode' }
  | { readonly kind: 'tooManyAttempts'; readonly retryAfterSeconds: number }
  | { readonly kind: 'tooManyControllers' };

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
  #failedClaims: number[] = [];

  constructor(store: Store, now: () => number, codeLifetime: number) {
    this.#store = store;
    this.#now = now;
    this.#codeLifetime = codeLifetime;
  }

  start(server: ServerRecord, withManualCode: boolean): PairingStarted {
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

  /** Undefined when the code is unknown, expired, or of another server. */
  isClaimed(server: ServerRecord, presented: PresentedCode): boolean | undefined {
    const code = this.#find(presented);
    return code?.serverId === server.serverId ? code.claimed : undefined;
  }

  claim(presented: PresentedCode, displayName: string | null): ClaimResult {
    const now = this.#now();
    this.#failedClaims = this.#failedClaims.filter((at) => at > now - FAILED_CLAIM_WINDOW);
    const [oldest] = this.#failedClaims;
    if (oldest !== undefined && this.#failedClaims.length >= MAX_FAILED_CLAIMS) {
      // Checked before the code, so that further guesses reveal nothing.
      return {
        kind: 'tooManyAttempts',
        retryAfterSeconds: Math.ceil((oldest + FAILED_CLAIM_WINDOW - now) / 1_000),
      };
    }
    const code = this.#find(presented);
    const server = code === undefined ? undefined : this.#store.servers.get(code.serverId);
    if (code === undefined || code.claimed || server === undefined) {
      this.#failedClaims.push(now);
      return { kind: 'unknownCode' };
    }
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

function createManualCode(): string {
  let text = '';
  for (let n = 0; n < MANUAL_LENGTH; n += 1) {
    if (n === MANUAL_LENGTH / 2) text += '-';
    text += MANUAL_ALPHABET.charAt(randomInt(MANUAL_ALPHABET.length));
  }
  return text;
}

/** The form in which manual codes are compared: people type them in lower case, with or without the dash. */
function normalizeManualCode(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, '');
}
