/** A model server on 127.0.0.1 that speaks the Responses API with events. A test decides when each answer ends. */
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { listen, type RunningServer } from './http.js';

/** One request for an answer. */
export interface ModelRequest {
  readonly bearer: string | undefined;
  /** The text that the person wrote last. */
  readonly prompt: string;
  /** The client disconnected before the answer was complete. */
  readonly aborted: boolean;
  /** Sends the answer, which is complete with that. */
  answer(text: string): void;
  /** Asks for a call of a tool; the next request has its output. */
  call(tool: string, args: object): void;
}

interface Held extends ModelRequest {
  aborted: boolean;
}

const event = (type: string, data: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;

export class ModelServer {
  /** The requests for answers, in the order of their arrival. */
  readonly requests: ModelRequest[] = [];
  /** Credentials of all requests, also those for other paths. */
  readonly bearers: (string | undefined)[] = [];
  readonly #server: RunningServer<http.Server>;
  readonly #waiters = new Set<() => void>();
  readonly #refused = new Set<string>();
  #automatic: ((prompt: string) => string) | undefined;

  private constructor(server: RunningServer<http.Server>) {
    this.#server = server;
    server.server.on('request', (request, response) => this.#serve(request, response));
  }

  static async start(): Promise<ModelServer> {
    return new ModelServer(await listen(http.createServer()));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Answers each request at once from now on. */
  always(answer: (prompt: string) => string): void {
    this.#automatic = answer;
  }

  /** Answers requests with this credential with 401 from now on. */
  refuse(bearer: string): void {
    this.#refused.add(bearer);
  }

  /** Waits for the n-th request for an answer. */
  async asked(n = 1, limitMs = 20_000): Promise<ModelRequest> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = this.requests[n - 1];
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        reject(new Error(`the model server got ${this.requests.length} requests, not ${n}`));
      }, limitMs);
      this.#waiters.add(check);
      check();
    });
  }

  /** Writes the configuration of Codex CLI. `chatgpt`: it sends the bearer of the account, else none. */
  async configure(codexHome: string, { chatgpt = false } = {}): Promise<void> {
    const lines = [
      'model = "scripted"',
      'model_provider = "scripted"',
      `chatgpt_base_url = "${this.url}/backend-api/"`,
      'approval_policy = "never"',
      'check_for_update_on_startup = false',
      '[analytics]',
      'enabled = false',
      '[model_providers.scripted]',
      'name = "scripted"',
      `base_url = "${this.url}/v1"`,
      'wire_api = "responses"',
      'request_max_retries = 0',
      'stream_max_retries = 0',
      ...(chatgpt ? ['requires_openai_auth = true'] : ['env_key = "MODEL_KEY"']),
    ];
    await writeFile(join(codexHome, 'config.toml'), `${lines.join('\n')}\n`);
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    this.bearers.push(bearer);
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (request.method !== 'POST' || !(request.url ?? '').startsWith('/v1/responses')) {
        response.writeHead(404).end();
        return;
      }
      if (bearer !== undefined && this.#refused.has(bearer)) {
        response.writeHead(401).end();
        return;
      }
      this.#hold(bearer, promptOf(Buffer.concat(parts).toString()), response);
    });
  }

  #hold(bearer: string | undefined, prompt: string, response: http.ServerResponse): void {
    const id = `resp_${this.requests.length + 1}`;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event('response.created', { response: { id } }));
    const held: Held = {
      ...{ bearer, prompt, aborted: false },
      answer: (text) => response.end(answerEvents(id, text)),
      call: (name, args) => response.end(callEvents(id, name, args)),
    };
    response.once('close', () => {
      held.aborted = !response.writableFinished;
    });
    this.requests.push(held);
    for (const wake of [...this.#waiters]) wake();
    if (this.#automatic !== undefined) held.answer(this.#automatic(prompt));
  }
}

const USAGE = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };

function answerEvents(id: string, text: string): string {
  const content = [{ type: 'output_text', text, annotations: [] }];
  const item = { type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed', content };
  return [
    event('response.output_item.added', { output_index: 0, item: { ...item, content: [] } }),
    event('response.output_text.delta', { item_id: item.id, output_index: 0, content_index: 0, delta: text }),
    event('response.output_item.done', { output_index: 0, item }),
    event('response.completed', { response: { id, usage: USAGE } }),
  ].join('');
}

function callEvents(id: string, name: string, args: object): string {
  const item = {
    type: 'function_call',
    id: `fc_${id}`,
    call_id: `call_${id}`,
    name,
    arguments: JSON.stringify(args),
  };
  return [
    event('response.output_item.done', { output_index: 0, item }),
    event('response.completed', { response: { id, usage: USAGE } }),
  ].join('');
}

interface InputItem {
  readonly role?: string;
  readonly content?: readonly { readonly text?: string }[];
}

function promptOf(body: string): string {
  const { input = [] } = JSON.parse(body) as { input?: readonly InputItem[] };
  const last = input.filter(({ role }) => role === 'user').at(-1);
  return last?.content?.at(-1)?.text ?? '';
}
