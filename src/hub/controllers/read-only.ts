/** What a device with the role read-only may send: requests of an allow-list, and nothing that answers or notifies. HUB-51 */
import { errorText, RPC } from '../../protocol/jsonrpc.js';

/** Methods that read and change nothing, of Codex CLI's app server and of the engine. `--read-only-methods` replaces the list. */
export const READ_ONLY_METHODS: readonly string[] = [
  ...['initialize', 'thread/list', 'thread/read', 'thread/loaded/list', 'model/list'],
  ...['engine/status/read', 'remoteControl/status/read'],
];
/** The only notification: it completes `initialize`. */
const NOTIFICATION = 'initialized';

export type ReadOnlyDecision =
  /** Send this text. It is written again, so that no two parsers can read different methods in it. */
  | { readonly kind: 'allowed'; readonly text: string }
  | { readonly kind: 'refused'; readonly error: string }
  /** It expects no response. */
  | { readonly kind: 'dropped' };

export function readOnlyDecision(
  message: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): ReadOnlyDecision {
  const { id, method } = message;
  if (typeof method !== 'string') return { kind: 'dropped' };
  if (id === undefined)
    return method === NOTIFICATION ? { kind: 'allowed', text: JSON.stringify(message) } : { kind: 'dropped' };
  // An id that is written again must stay the same.
  const exact = typeof id !== 'number' || Number.isSafeInteger(id);
  if (exact && allowed.has(method)) return { kind: 'allowed', text: JSON.stringify(message) };
  const known = exact && (typeof id === 'string' || typeof id === 'number') ? id : null;
  return {
    kind: 'refused',
    error: errorText(
      known,
      RPC.refusedByPolicy,
      `This device is read-only, so it may not send ${method.slice(0, 200)}`,
    ),
  };
}
