import { EventEmitter } from 'node:events';
import type { AccountSource } from '../../../../src/protocol/account-source.js';
import type { Account, AuthOutcome, RecoveryOutcome } from '../../../../src/protocol/outcomes.js';
import { Secret } from '../../../../src/protocol/secret.js';

type Question = 'load' | 'reload' | 'recover';

/** An account source whose outcomes are given by the path. */
export class ScriptedAccount extends EventEmitter<{ changed: [] }> implements AccountSource {
  readonly differsOnDisk = false;
  /** True while the chart loads the account. Other callers get the current one at once. */
  held = true;
  readonly #open = new Map<Question, (outcome: never) => void>();
  #current: AuthOutcome = {
    kind: 'ineligible',
    failure: { reason: 'authMissing', message: 'nobody', at: 0 },
  };
  #onChange: (account: Account | null) => void = () => {};

  /** Questions that wait for their outcome. */
  get waiting(): readonly Question[] {
    return [...this.#open.keys()];
  }

  answer(question: Question, outcome: unknown): void {
    const resolve = this.#open.get(question);
    if (resolve === undefined) throw new Error(`the question ${question} does not wait`);
    this.#open.delete(question);
    // The paths have outcomes of the right type for each question.
    const given = outcome as AuthOutcome | RecoveryOutcome;
    if (given.kind === 'usable' || given.kind === 'recovered')
      this.#current = { kind: 'usable', account: given.account };
    resolve(outcome as never);
  }

  /** Drops the questions of a state that was left. */
  drop(): void {
    this.#open.clear();
  }

  change(account: Account | null): void {
    if (account !== null) this.#current = { kind: 'usable', account };
    this.#onChange(account);
  }

  load(): AuthOutcome | Promise<AuthOutcome> {
    return this.held ? this.#hold('load') : this.#current;
  }

  reload(): Promise<AuthOutcome> {
    return this.#hold('reload');
  }

  recover(signal: AbortSignal): Promise<RecoveryOutcome> {
    signal.addEventListener('abort', () => this.#open.delete('recover'));
    return this.#hold('recover');
  }

  recovery(): ReturnType<AccountSource['recovery']> {
    return { next: (signal) => this.recover(signal), stop: () => {} };
  }

  succeeded(): void {}

  accessToken(): Secret {
    return new Secret('access-token');
  }

  watch(onChange: (account: Account | null) => void): void {
    this.#onChange = onChange;
  }

  close(): void {
    this.#open.clear();
  }

  #hold<T>(question: Question): Promise<T> {
    return new Promise((resolve) => {
      this.#open.set(question, resolve as (outcome: never) => void);
      this.emit('changed');
    });
  }
}
