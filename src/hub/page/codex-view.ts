/** Threads of a Codex app server: a turn with streamed text. */
import { appendTo, button, byId, el, note } from './dom.js';
import type { JsonRpcLink } from './json-rpc-link.js';
import { type Json, listOf, recordOf, textOf } from './values.js';

const MOST_ITEMS = 400;
const MOST_THREADS = 25;
const MOST_CHARS = 200_000;

const TITLES: Readonly<Record<string, string>> = {
  userMessage: 'You',
  agentMessage: 'Agent',
  commandExecution: 'Command',
  fileChange: 'Files',
  reasoning: 'Thoughts',
};

export class CodexView {
  #link: JsonRpcLink | undefined;
  #threadId = '';
  #turnId = '';
  readonly #items = new Map<string, { readonly body: HTMLElement; text: string }>();

  constructor() {
    byId('list-threads').addEventListener('click', () => this.#try(() => this.#list()));
    byId('new-thread').addEventListener('click', () => this.#try(() => this.#start()));
    byId('interrupt').addEventListener('click', () =>
      this.#try(async () => {
        await this.#ask('turn/interrupt', { threadId: this.#threadId, turnId: this.#turnId });
      }),
    );
    byId('prompt').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#try(() => this.#send());
    });
    byId('prompt-text').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      this.#try(() => this.#send());
    });
  }

  /** Forgets the machine before. */
  use(link: JsonRpcLink): void {
    this.#link = link;
    this.#leaveThread();
    byId('threads').replaceChildren();
  }

  /** True: the app server of the machine has threads. Called after each reconnection. */
  async ready(): Promise<boolean> {
    try {
      if (this.#threadId === '') await this.#list();
      else await this.#resume(this.#threadId);
      return true;
    } catch {
      return false;
    }
  }

  notified(method: string, params: Json): void {
    if (textOf(params.threadId) !== this.#threadId || this.#threadId === '') return;
    switch (method) {
      case 'turn/started':
        this.#turn(textOf(recordOf(params.turn).id));
        break;
      case 'turn/completed': {
        this.#turn('');
        const { error } = recordOf(params.turn);
        const message = textOf(recordOf(error).message);
        if (message !== '') note(`The turn failed: ${message}`);
        break;
      }
      case 'item/started':
      case 'item/completed':
        this.#show(recordOf(params.item));
        break;
      case 'item/agentMessage/delta':
        this.#grow(textOf(params.itemId), 'agentMessage', textOf(params.delta));
        break;
      case 'item/commandExecution/outputDelta':
        this.#grow(textOf(params.itemId), 'commandExecution', textOf(params.delta));
        break;
    }
  }

  #try(work: () => Promise<void>): void {
    note('');
    work().catch((error: unknown) => note(error instanceof Error ? error.message : 'The request failed.'));
  }

  async #ask(method: string, params: Json): Promise<Json> {
    if (this.#link === undefined) throw new Error('No machine is open.');
    return recordOf(await this.#link.request(method, params));
  }

  async #list(): Promise<void> {
    const { data } = await this.#ask('thread/list', { limit: MOST_THREADS });
    this.#leaveThread();
    const rows = listOf(data).map((thread) => {
      const id = textOf(thread.id);
      const row = el('li', 'row');
      row.append(button(textOf(thread.preview).slice(0, 200) || id, () => this.#try(() => this.#resume(id))));
      return row;
    });
    byId('threads').replaceChildren(...(rows.length === 0 ? [el('li', 'muted', 'No thread yet.')] : rows));
  }

  async #start(): Promise<void> {
    const { thread } = await this.#ask('thread/start', {});
    this.#enter(recordOf(thread));
  }

  async #resume(threadId: string): Promise<void> {
    const { thread } = await this.#ask('thread/resume', { threadId });
    this.#enter(recordOf(thread));
  }

  #enter(thread: Json): void {
    this.#leaveThread();
    this.#threadId = textOf(thread.id);
    byId('threads').replaceChildren();
    byId('prompt').hidden = false;
    for (const turn of listOf(thread.turns)) {
      for (const item of listOf(turn.items)) this.#show(item);
      if (turn.status === 'inProgress') this.#turn(textOf(turn.id));
    }
    byId('prompt-text').focus();
  }

  #leaveThread(): void {
    this.#threadId = '';
    this.#turn('');
    this.#items.clear();
    byId('transcript').replaceChildren();
    byId('prompt').hidden = true;
  }

  async #send(): Promise<void> {
    const field = byId<HTMLTextAreaElement>('prompt-text');
    const text = field.value.trim();
    if (text === '') return;
    const { turn } = await this.#ask('turn/start', {
      ...{ threadId: this.#threadId, input: [{ type: 'text', text }] },
    });
    field.value = '';
    if (recordOf(turn).status === 'inProgress') this.#turn(textOf(recordOf(turn).id));
  }

  #turn(id: string): void {
    this.#turnId = id;
    byId('interrupt').hidden = id === '';
  }

  #show(item: Json): void {
    const type = textOf(item.type);
    this.#write(textOf(item.id) || `${type}-${this.#items.size}`, type, () => bodyOf(item));
  }

  #grow(id: string, type: string, delta: string): void {
    this.#write(id, type, (before) => before + delta);
  }

  #write(id: string, type: string, change: (before: string) => string): void {
    let shown = this.#items.get(id);
    if (shown === undefined) {
      const item = el('div', `item ${TITLES[type] === undefined ? 'other' : type}`);
      const body = el('span');
      item.append(el('b', '', TITLES[type] ?? type), body);
      shown = { body, text: '' };
      this.#items.set(id, shown);
      appendTo(byId('transcript'), item, MOST_ITEMS);
    }
    shown.text = change(shown.text).slice(0, MOST_CHARS);
    shown.body.textContent = shown.text;
    const area = byId('transcript');
    area.scrollTop = area.scrollHeight;
  }
}

function bodyOf(item: Json): string {
  const content = listOf(item.content).map(({ text }) => textOf(text));
  switch (item.type) {
    case 'agentMessage':
      return textOf(item.text);
    case 'userMessage':
      return content.join('\n');
    case 'commandExecution':
      return `$ ${textOf(item.command)}\n${textOf(item.aggregatedOutput)}`;
    case 'fileChange':
      return listOf(item.changes)
        .map(({ path }) => textOf(path))
        .join('\n');
    case 'reasoning':
      return Array.isArray(item.summary) ? item.summary.map(textOf).join('\n') : '';
    default:
      return textOf(item.text) || textOf(item.status);
  }
}
