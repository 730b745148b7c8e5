/**
 * The protocols of agents behind the engine. All are JSON-RPC with an `initialize`, but differ in what it holds, whether
 * it is needed, and whether the other side knows the engine's own methods and notifications.
 */
import { memberText } from './json-members.js';
import { isRecord } from './jsonrpc.js';
import type { Message } from './message.js';

/**
 * `codex`: the app server of Codex CLI · `mcp`: a Model Context Protocol server · `acp`: an agent of the Agent Client
 * Protocol · `raw`: any other JSON-RPC peer, for which `initialize` is a message like any other.
 */
export type AgentProtocol = 'codex' | 'mcp' | 'acp' | 'raw';

/** `auto`: what the command says, else what each client says in its first message. */
export type AgentProtocolSetting = 'auto' | AgentProtocol;

export const AGENT_PROTOCOL_SETTINGS = ['auto', 'codex', 'mcp', 'acp', 'raw'] as const;

/** Programs that run another program, which their first argument names. */
const RUNNERS =
  /^(?:npx|npm|pnpm|pnpx|yarn|bun|bunx|node|nodejs|deno|tsx|uv|uvx|pipx|python[\d.]*|env|exec|dlx|run|x|tool)$/;
/** Options that make a program speak a protocol. */
const ACP_OPTION = /^--(?:experimental-)?acp$/;
const MCP_OPTION = /^--(?:experimental-)?mcp$/;

/**
 * What a command speaks, from its name, its first argument and its options; undefined: the command does not say.
 * @example protocolOfCommand('npx', ['-y', '@modelcontextprotocol/server-everything']) // 'mcp'
 */
export function protocolOfCommand(program: string, args: readonly string[]): AgentProtocol | undefined {
  const words = [program, ...args].filter((word, index) => index === 0 || !word.startsWith('-'));
  let first = 0;
  while (first < words.length - 1 && RUNNERS.test(nameOf(words[first] ?? ''))) first += 1;
  const name = nameOf(words[first] ?? '');
  const subcommand = words[first + 1];
  if (name === 'codex-app-server') return 'codex';
  if (name === 'codex') {
    // Values of its options may come before the subcommand.
    if (words.includes('app-server')) return 'codex';
    return words.includes('mcp-server') ? 'mcp' : undefined;
  }
  if (hasWord(name, 'acp') || subcommand === 'acp' || args.some((arg) => ACP_OPTION.test(arg))) return 'acp';
  if (hasWord(name, 'mcp') || (words[first] ?? '').includes('@modelcontextprotocol/')) return 'mcp';
  return subcommand === 'mcp' || subcommand === 'mcp-server' || args.some((arg) => MCP_OPTION.test(arg))
    ? 'mcp'
    : undefined;
}

/** The name of a program or package: without directories, scope, version and extension. */
function nameOf(word: string): string {
  const base = word.split(/[/\\]/).at(-1) ?? '';
  return base.replace(/(?<=.)@.*$/, '').replace(/\.(?:exe|cmd|[cm]?[jt]s|py|sh)$/i, '');
}

const hasWord = (name: string, word: string): boolean => name.toLowerCase().split(/[-_.]/).includes(word);

/** A revision of MCP. */
const MCP_VERSION = /^\d{4}-\d{2}-\d{2}|^DRAFT-/;

/**
 * What a client speaks that sends these params in `initialize`: MCP names a dated `protocolVersion`, ACP a number, and
 * Codex none.
 */
export function protocolOfInitialize(params: unknown): AgentProtocol {
  const version = isRecord(params) ? params.protocolVersion : undefined;
  if (typeof version === 'number') return 'acp';
  return typeof version === 'string' && MCP_VERSION.test(version) ? 'mcp' : 'codex';
}

/** The member of `_meta` that each request of a stateless MCP client has (revision 2026-07-28 and later). */
const STATELESS_VERSION = 'io.modelcontextprotocol/protocolVersion';

/** True for a message that the protocol allows without an `initialize` before it. */
export function needsNoInitialize(setting: AgentProtocolSetting, message: Message): boolean {
  const { kind } = message.shape;
  if (setting === 'raw') return kind === 'request' || kind === 'notification';
  if (setting !== 'mcp' && setting !== 'auto') return false;
  return kind === 'request' && isStateless(message);
}

function isStateless({ text }: Message): boolean {
  // Read from the text: the params of a call may be large, and are only passed on.
  const params = memberText(text, 'params');
  const meta = params === undefined ? undefined : memberText(params, '_meta');
  const version = meta === undefined ? undefined : memberText(meta, STATELESS_VERSION);
  return version?.startsWith('"') === true;
}

/** The path of ACP over WebSocket. WSA-46 */
export const ACP_PATH = '/acp';
/** The subprotocol that MCP clients offer. WSA-45 */
export const MCP_SUBPROTOCOL = 'mcp';

/** The protocol that a WebSocket subprotocol names; undefined: it names none. */
export const protocolOfSubprotocol = (name: string | undefined): AgentProtocol | undefined =>
  name === MCP_SUBPROTOCOL ? 'mcp' : undefined;
