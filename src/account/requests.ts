import { waitFor } from 'xstate';
import type { AccountEvent, AccountResponse } from '../../machines/account/types.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { AccountActor } from './actor.js';

/** A request that changed nothing. */
export class AccountRequestError extends Error {
  readonly failure: Failure;
  /** The `account` chart refused it; false: it was tried and failed. */
  readonly refused: boolean;

  constructor(failed: Failure, refused: boolean) {
    super(failed.message);
    this.name = 'AccountRequestError';
    this.failure = failed;
    this.refused = refused;
  }
}

/** Sends requests to the `account` chart. Each has a ticket, which the response carries too. */
export class AccountRequests {
  readonly #actor: AccountActor;
  readonly #now: () => number;
  #lastTicket = 0;

  constructor(actor: AccountActor, now: () => number) {
    this.#actor = actor;
    this.#now = now;
  }

  /**
   * Sends a request and waits until it is done.
   * @throws AccountRequestError when it is refused or fails.
   */
  async run(event: (ticket: number) => AccountEvent): Promise<void> {
    const response = await this.send(event);
    if (response.kind === 'done') return;
    if (response.kind === 'failed') throw new AccountRequestError(response.failure, false);
    const reason = response.kind === 'refused' ? response.reason : 'engineFault';
    throw new AccountRequestError(failure(reason, reason, this.#now()), true);
  }

  /** Sends a request and waits for the response. */
  async send(event: (ticket: number) => AccountEvent): Promise<AccountResponse> {
    const ticket = ++this.#lastTicket;
    this.#actor.send(event(ticket));
    const { context } = await waitFor(
      this.#actor,
      (snapshot) => snapshot.context.response?.ticket === ticket,
    );
    if (context.response === null) throw new Error('a request to the account got no response');
    return context.response;
  }

  /** For a request that the chart responds to at once; null: it did not. */
  sendNow(event: (ticket: number) => AccountEvent): AccountResponse | null {
    const ticket = ++this.#lastTicket;
    this.#actor.send(event(ticket));
    const { response } = this.#actor.getSnapshot().context;
    return response?.ticket === ticket ? response : null;
  }
}
