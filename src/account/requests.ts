import { waitFor } from 'xstate';
import type { AccountEvent, AccountResponse } from '../../machines/account/types.js';
import type { AccountActor } from './chart.js';
import { AccountRefusal } from './types.js';

/** Requests to the `account` chart, each with a ticket that its answer carries. */
export class AccountRequests {
  readonly #actor: AccountActor;
  readonly #now: () => number;
  #lastTicket = 0;

  constructor(actor: AccountActor, now: () => number) {
    this.#actor = actor;
    this.#now = now;
  }

  /** Sends a request and waits for its answer. Throws an AccountRefusal for any but a good one. */
  async request(event: (ticket: number) => AccountEvent): Promise<void> {
    const answer = await this.ask(event);
    if (answer.kind === 'done') return;
    if (answer.kind === 'failed') throw new AccountRefusal(answer.failure, false);
    const reason = answer.kind === 'refused' ? answer.reason : 'engineFault';
    throw new AccountRefusal({ reason, message: reason, at: this.#now() }, true);
  }

  async ask(event: (ticket: number) => AccountEvent): Promise<AccountResponse> {
    const ticket = ++this.#lastTicket;
    this.#actor.send(event(ticket));
    const snapshot = await waitFor(
      this.#actor,
      ({ context }) => context.response?.ticket === ticket,
      FOR_EVER,
    );
    const { response: answer } = snapshot.context;
    if (answer === null) throw new Error('a request to the account was not answered');
    return answer;
  }

  /** For a request that the chart answers at once. */
  askNow(event: (ticket: number) => AccountEvent): AccountResponse | null {
    const ticket = ++this.#lastTicket;
    this.#actor.send(event(ticket));
    const { response: answer } = this.#actor.getSnapshot().context;
    return answer?.ticket === ticket ? answer : null;
  }
}

const FOR_EVER = { timeout: Number.POSITIVE_INFINITY };
