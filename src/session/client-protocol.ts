import {
  type AgentProtocol,
  type AgentProtocolSetting,
  needsNoInitialize,
  protocolOfInitialize,
} from '../protocol/agent-protocol.js';
import { withJsonrpc } from '../protocol/jsonrpc.js';
import type { Message } from '../protocol/message.js';
import { type Authority, covers } from './authority-table.js';
import { type InitializeParams, parseInitialize, readForeignInitialize } from './initialize.js';

/** Names that belong to the engine whatever agent is behind it. */
const ENGINE_NAMES = /^(?:engine|remoteControl)\//i;
/** Names that belong to the engine where the agent is an app server of Codex. */
const ACCOUNT_NAMES = /^account\//i;
const RATE_LIMITS = 'account/rateLimits/updated';

/** What one client speaks, and what follows from it for the engine's own part of the conversation. WSA-40 */
export class ClientProtocol {
  readonly #setting: AgentProtocolSetting;
  /** Undefined until the first message decides. */
  #name: AgentProtocol | undefined;
  #jsonrpc = false;
  #wantsNotifications = false;

  /** @param hint What the connection says: its path or its subprotocol. Used where the setting is `auto`. */
  constructor(setting: AgentProtocolSetting, hint: AgentProtocol | undefined) {
    this.#setting = setting === 'auto' ? (hint ?? 'auto') : setting;
    if (this.#setting !== 'auto') this.#name = this.#setting;
  }

  get name(): AgentProtocol | undefined {
    return this.#name;
  }

  /** `initialize` is a message like any other, and the agent serves from the first moment. */
  get isRaw(): boolean {
    return this.#name === 'raw';
  }

  /**
   * The client expects `jsonrpc` in the engine's messages once it has written it itself. Codex does not write it, so
   * there `initialize` decides: some clients add it to single messages and read none. WSA-42
   */
  note(message: Message): void {
    if (this.#jsonrpc || !message.hasJsonrpc) return;
    this.#jsonrpc = this.#name !== 'codex' || isInitialize(message);
  }

  /** A message of the engine as this client expects it. */
  own(text: string): string {
    return this.#jsonrpc ? withJsonrpc(text) : text;
  }

  /** Reads the params of `initialize`, which decide the protocol where nothing else has. WSA-41 */
  initialize(params: unknown): InitializeParams | { readonly invalid: string } {
    const name = this.#name ?? protocolOfInitialize(params);
    if (name === 'codex') {
      const parsed = parseInitialize(params);
      if ('invalid' in parsed) return this.#name === undefined ? withHint(parsed.invalid) : parsed;
      this.#name = name;
      return parsed;
    }
    this.#name = name;
    const read = readForeignInitialize(params);
    this.#wantsNotifications = read.wantsNotifications;
    return read;
  }

  /** True for a message that is served without `initialize`; from then on the client needs none. WSA-44 */
  servesAtOnce(message: Message): boolean {
    if (!needsNoInitialize(this.#name ?? this.#setting, message)) return false;
    this.#name ??= 'mcp';
    return true;
  }

  /** The engine answers this method of its own; otherwise it is the agent's. WSA-43 */
  answers(method: string): boolean {
    return this.#name === 'codex' || ENGINE_NAMES.test(method);
  }

  /** The client knows the notifications and requests of the engine, or asked for them. WSA-43 */
  get knowsEngine(): boolean {
    return this.#name === 'codex' || this.#wantsNotifications;
  }

  /**
   * Whether a notification of the agent may reach the client: not one that only the engine sends. What an agent that is
   * not Codex says about its account reaches those who may use the account. WSA-32, WSA-43
   */
  mayPass(method: string, authority: Authority): boolean {
    if (/^remoteControl\//i.test(method)) return false;
    if (!ACCOUNT_NAMES.test(method)) return true;
    // It says how much of a limit is used, nothing about the sign-in. ACC-106
    if (method === RATE_LIMITS) return covers(authority, 'remote');
    return this.#name !== undefined && this.#name !== 'codex' && covers(authority, 'listener');
  }

  /**
   * Whether a request of the agent may reach the client: not one about the account. Codex CLI sends its request for new
   * tokens to every connection and takes the first response, so any client could put its own account there. ACC-105
   */
  mayRequest(method: string): boolean {
    return !ACCOUNT_NAMES.test(method) || (this.#name !== undefined && this.#name !== 'codex');
  }
}

const isInitialize = ({ shape }: Message): boolean =>
  shape.kind === 'request' && shape.method === 'initialize';

const withHint = (invalid: string) => ({
  invalid: `${invalid} (for an agent other than Codex set --app-server-protocol)`,
});
