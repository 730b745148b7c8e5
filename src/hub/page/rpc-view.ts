/** Requests that a person writes, and the last messages in both directions. */
import { appendTo, byId, el, note } from './dom.js';
import type { JsonRpcLink } from './json-rpc-link.js';
import { type Json, textOf } from './values.js';

const MOST_MESSAGES = 300;
const MOST_REQUESTS = 50;
/** Longer messages are cut where they are shown. */
const MOST_CHARS = 20_000;

export class RpcView {
  #link: JsonRpcLink | undefined;
  readonly #sent: { readonly method: string; readonly params: string }[] = [];
  /** Index into `#sent` while the arrows walk through it. */
  #shown = 0;

  constructor() {
    byId('request').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId('method').addEventListener('keydown', (event) => {
      const step = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0;
      if (step === 0) return;
      event.preventDefault();
      this.#recall(step);
    });
    byId('params').addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#submit();
    });
    byId('clear-log').addEventListener('click', () => byId('log').replaceChildren());
  }

  use(link: JsonRpcLink): void {
    this.#link = link;
    byId('log').replaceChildren();
  }

  show(direction: 'sent' | 'received', message: Json): void {
    const text = JSON.stringify(message, undefined, 1);
    const shown =
      text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS)}\n… ${text.length} characters` : text;
    const sign = direction === 'sent' ? '→' : '←';
    const time = new Date().toLocaleTimeString();
    appendTo(byId('log'), el('div', `message ${direction}`, `${sign} ${time} ${shown}`), MOST_MESSAGES);
  }

  #submit(): void {
    const method = byId<HTMLInputElement>('method').value.trim();
    const params = byId<HTMLTextAreaElement>('params').value.trim();
    let value: unknown;
    try {
      value = params === '' ? undefined : JSON.parse(params);
    } catch (error) {
      note(`The params are not JSON: ${error instanceof Error ? error.message : ''}`);
      return;
    }
    note('');
    this.#remember(method, params);
    // The log shows the response, an error too.
    this.#link?.request(method, value).catch((error: unknown) => {
      const lost = error instanceof Error && /connection/.test(error.message);
      if (lost) note(error.message);
    });
  }

  #remember(method: string, params: string): void {
    this.#sent.push({ method, params });
    if (this.#sent.length > MOST_REQUESTS) this.#sent.shift();
    this.#shown = this.#sent.length;
    const methods = [...new Set(this.#sent.map((one) => one.method))];
    byId('methods').replaceChildren(
      ...methods.map((one) => {
        const option = el('option');
        option.setAttribute('value', one);
        return option;
      }),
    );
  }

  #recall(step: number): void {
    this.#shown = Math.min(this.#sent.length - 1, Math.max(0, this.#shown + step));
    const found = this.#sent[this.#shown];
    if (found === undefined) return;
    byId<HTMLInputElement>('method').value = textOf(found.method);
    byId<HTMLTextAreaElement>('params').value = found.params;
  }
}
