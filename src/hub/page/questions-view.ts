/** Requests of the machine: approvals get buttons, any other one a field for its result. */
import { button, byId, el, note } from './dom.js';
import type { JsonRpcLink } from './json-rpc-link.js';
import { type Json, recordOf, textOf } from './values.js';

const MOST_CHARS = 4_000;
const METHOD_NOT_FOUND = -32601;

export class QuestionsView {
  #link: JsonRpcLink | undefined;
  readonly #cards = new Map<string, HTMLElement>();

  use(link: JsonRpcLink): void {
    this.#link = link;
    this.clear();
  }

  /** After a reconnection the machine asks again what is still open. */
  clear(): void {
    for (const card of this.#cards.values()) card.remove();
    this.#cards.clear();
  }

  ask(id: unknown, method: string, params: Json): void {
    const card = el('div', 'question');
    card.append(el('b', '', titleOf(method)), el('p', 'output item', describe(params)));
    const row = el('div', 'row');
    if (method.endsWith('/requestApproval')) {
      const decide = (decision: string): void => this.#answer(id, { result: { decision } });
      row.append(
        button('Accept', () => decide('accept'), 'main'),
        button('Decline', () => decide('decline')),
      );
    } else this.#addResult(card, row, id);
    card.append(row);
    this.resolved(id);
    this.#cards.set(keyOf(id), card);
    byId('questions').append(card);
  }

  /** Somebody has answered it. */
  resolved(id: unknown): void {
    this.#cards.get(keyOf(id))?.remove();
    this.#cards.delete(keyOf(id));
  }

  #addResult(card: HTMLElement, row: HTMLElement, id: unknown): void {
    const field = document.createElement('textarea');
    field.rows = 2;
    field.value = '{}';
    field.setAttribute('aria-label', 'Result, JSON');
    card.append(field);
    const send = (): void => {
      try {
        this.#answer(id, { result: JSON.parse(field.value) as unknown });
      } catch {
        note('The result is not JSON.');
      }
    };
    const refusal = { error: { code: METHOD_NOT_FOUND, message: 'The person refused this request' } };
    row.append(
      button('Send result', send, 'main'),
      button('Refuse', () => this.#answer(id, refusal)),
    );
  }

  #answer(id: unknown, answer: { readonly result: unknown } | { readonly error: Json }): void {
    if (this.#link?.respond(id, answer) === true) this.resolved(id);
    else note('Not connected now. The machine asks again after the next connection.');
  }
}

const keyOf = (id: unknown): string => JSON.stringify(id) ?? '';

function titleOf(method: string): string {
  if (method === 'item/commandExecution/requestApproval') return 'Run this command?';
  if (method === 'item/fileChange/requestApproval') return 'Change these files?';
  return method.endsWith('/requestApproval') ? `Allow this? (${method})` : `The machine asks: ${method}`;
}

function describe(params: Json): string {
  const { command, cwd, reason } = recordOf(params);
  const words = [textOf(command), textOf(cwd) && `in ${textOf(cwd)}`, textOf(reason)].filter(Boolean);
  const text = textOf(command) === '' ? JSON.stringify(params, undefined, 1) : words.join('\n');
  return text.slice(0, MOST_CHARS);
}
