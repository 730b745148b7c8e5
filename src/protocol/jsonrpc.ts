/** JSON-RPC as app servers speak it: one message a frame or line, no `jsonrpc` member needed (WSA-21, ACC-1). */

export type RpcId = string | number;

export interface RpcRequest {
  readonly id: RpcId;
  readonly method: string;
  readonly params?: unknown;
}
export interface RpcNotification {
  readonly method: string;
  readonly params?: unknown;
}
export interface RpcErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}
export type RpcResponse =
  | { readonly id: RpcId | null; readonly result: unknown }
  | { readonly id: RpcId | null; readonly error: RpcErrorBody };

export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** Too many requests wait for one connection; the client may try again. WSA-24 */
  overloaded: -32001,
  /** The app server behind the engine is not there; the message holds the cause. */
  appServerUnavailable: -32002,
  /** The connection's execution policy refuses the method. WSA-7 */
  refusedByPolicy: -32003,
  /** The answer is too big to be carried over the remote-control link. RC-38 */
  messageTooLarge: -32004,
} as const;

/** What a message is, read from its top-level members only. `invalid` is JSON that is no message object (ACC-6). */
export type RpcShape =
  | { readonly kind: 'request'; readonly id: RpcId; readonly method: string; readonly params: unknown }
  | { readonly kind: 'notification'; readonly method: string; readonly params: unknown }
  | { readonly kind: 'response'; readonly id: RpcId | null }
  | { readonly kind: 'invalid' };

export function isRpcId(value: unknown): value is RpcId {
  return typeof value === 'string' || typeof value === 'number';
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const INVALID: RpcShape = { kind: 'invalid' };

export function shapeOf(value: unknown): RpcShape {
  if (!isRecord(value)) return INVALID;
  const { id, method } = value;
  if (typeof method === 'string') {
    if (id === undefined) return { kind: 'notification', method, params: value.params };
    return isRpcId(id) ? { kind: 'request', id, method, params: value.params } : INVALID;
  }
  if (method === undefined && (isRpcId(id) || id === null) && ('result' in value || 'error' in value)) {
    return { kind: 'response', id };
  }
  return INVALID;
}

export function resultText(id: RpcId, result: unknown): string {
  // In one piece: a text put together from a large one would be copied once more when it is read.
  return JSON.stringify({ id, result: result ?? null });
}

export function errorText(id: RpcId | null, code: number, message: string, data?: unknown): string {
  const error: RpcErrorBody = data === undefined ? { code, message } : { code, message, data };
  return JSON.stringify({ id, error });
}
