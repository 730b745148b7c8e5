/** Holds each request of the engine to its issuer, its backend and the parent app until the path answers it. */
import { type LoopbackIssuer, MARK, oauthError, type Scripted, type Seen } from '../../../support/issuer.js';

const HELD = ['refresh', 'revoke', 'exchange', 'usercode', 'devicePoll', 'check'] as const;
export type Question = (typeof HELD)[number] | 'externalTokens';

interface Waiting {
  readonly question: Question;
  readonly answer: (answer: unknown) => void;
}

export class Questions {
  readonly #waiting = new Set<Waiting>();

  constructor(at: LoopbackIssuer) {
    for (const route of HELD) {
      at.always(route, (seen: Seen) => this.#hold<Scripted>(route, seen.gone));
    }
  }

  /** The response of the parent app. */
  requestExternalTokens<T>(): Promise<T> {
    return this.#hold<T>('externalTokens');
  }

  get waiting(): readonly Question[] {
    return [...this.#waiting].map(({ question }) => question);
  }

  answer(question: Question, answer: unknown): void {
    const one = [...this.#waiting].find((waiting) => waiting.question === question);
    if (one === undefined) {
      throw new Error(`there is no request ${question}; waiting: ${this.waiting.join(', ') || 'nothing'}`);
    }
    this.#waiting.delete(one);
    one.answer(answer);
  }

  #hold<T>(question: Question, gone?: AbortSignal): Promise<T> {
    return new Promise((resolve) => {
      const one: Waiting = { question, answer: (answer) => resolve(answer as T) };
      this.#waiting.add(one);
      gone?.addEventListener('abort', () => this.#waiting.delete(one));
    });
  }
}

export const REFUSED_FOR_GOOD: Scripted = oauthError(401, 'refresh_token_expired');
export const BROKEN: Scripted = { status: 500 };
/** A device sign-in outlives everything but this. ACC-110 */
export const DENIED: Scripted = { status: 400, json: { error: 'access_denied' } };
export const USER_CODE: Scripted = {
  json: { device_auth_id: `dev-${MARK}`, user_code: 'ABCD-1234', interval: '1' },
};
export const DEVICE_CODE: Scripted = {
  json: { authorization_code: `code-${MARK}`, code_challenge: 'x', code_verifier: `ver-${MARK}` },
};
