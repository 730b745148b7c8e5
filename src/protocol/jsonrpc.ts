/**
 * JSON-RPC as app servers use it: one message per frame or line, without a required `jsonrpc` member (WSA-21, ACC-1).
 */
import type { BaseIssue } from 'valibot';

/** The id of a JSON-RPC request. */
export type RpcId = string | number | RawId;

/**
 * A number id that a JavaScript number would not give back as it was written, such as `9007199254740993`, `1e30` or
 * `-0`. It holds the JSON text, so that responses have the id digit by digit. RC-84
 */
export class RawId {
  /** As its sender wrote it. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

export interface RpcErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** Too many requests are queued for one connection; the client may try again. WSA-24 */
  overloaded: -32001,
  /** The app server behind the engine cannot be reached; the message has the cause. */
  appServerUnavailable: -32002,
  /** The method policy of the connection refuses the method. WSA-7 */
  refusedByPolicy: -32003,
  /** The response is too large for the remote-control link. RC-38 */
  messageTooLarge: -32004,
} as const;

/** The kind of a message, from its top-level members. */
export type RpcShape =
  | { readonly kind: 'request'; readonly id: RpcId; readonly method: string }
  | { readonly kind: 'notification'; readonly method: string }
  | { readonly kind: 'response'; readonly id: RpcId | null }
  | InvalidShape;

/** JSON that is not a message, or not JSON at all (ACC-6). `refused`: the error for the requester that waits for a response. */
export interface InvalidShape {
  readonly kind: 'invalid';
  readonly refused?: { readonly id: RpcId; readonly why: string };
  /** An array: a batch of JSON-RPC 2.0, which no agent protocol of today uses. */
  readonly batch?: true;
}

/** A message as its params were parsed with it. */
export type ParsedShape =
  | { readonly kind: 'request'; readonly id: RpcId; readonly method: string; readonly params: unknown }
  | { readonly kind: 'notification'; readonly method: string; readonly params: unknown }
  | { readonly kind: 'response'; readonly id: RpcId | null }
  | InvalidShape;

export function isRpcId(value: unknown): value is RpcId {
  return typeof value === 'string' || typeof value === 'number' || value instanceof RawId;
}

/** The id that stands as this JSON text; undefined for anything that is not an id. */
export function parseId(written: string): RpcId | undefined {
  const first = written.charCodeAt(0);
  if (first === QUOTE) return stringOf(written);
  if (first !== MINUS && !(first >= ZERO && first <= NINE)) return undefined;
  const value = Number(written);
  if (String(value) === written && Number.isFinite(value)) return value;
  return NUMBER.test(written) ? new RawId(written) : undefined;
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

function stringOf(written: string): string | undefined {
  if (!written.includes('\\')) return written.slice(1, -1);
  try {
    return String(JSON.parse(written));
  } catch {
    return undefined;
  }
}

/** Whether a response with id `b` answers a request with id `a`. A peer may have rounded a number. */
export function isSameId(a: RpcId, b: RpcId): boolean {
  if (a === b) return true;
  if (typeof a === 'string' || typeof b === 'string') return false;
  return numberOf(a) === numberOf(b);
}

function numberOf(id: number | RawId): number {
  return typeof id === 'number' ? id : Number(id.text);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const INVALID: InvalidShape = { kind: 'invalid' };

export function shapeOf(value: unknown): ParsedShape {
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
  // Stringified as a whole: a string that is concatenated from a large one is copied once more when it is read.
  if (!(id instanceof RawId)) return JSON.stringify({ id, result: result ?? null });
  return `{"id":${id.text},"result":${JSON.stringify(result ?? null)}}`;
}

export function errorText(id: RpcId | null, code: number, message: string, data?: unknown): string {
  const error: RpcErrorBody = data === undefined ? { code, message } : { code, message, data };
  if (!(id instanceof RawId)) return JSON.stringify({ id, error });
  return `{"id":${id.text},"error":${JSON.stringify(error)}}`;
}

/** Adds the `jsonrpc` member to a message of ours, for a peer that writes it too. WSA-42 */
export function withJsonrpc(text: string): string {
  return `{"jsonrpc":"2.0",${text.slice(1)}`;
}

/**
 * The first problem of a validation, as `missing field clientInfo` or `limit: expected >=1`. It never quotes the
 * received value, which may be a secret in the wrong place.
 */
export function firstIssue(issues: readonly BaseIssue<unknown>[]): string {
  const issue = issues[0];
  if (issue === undefined) return 'invalid';
  const path = issue.path?.map((step) => String(step.key)).join('.') ?? '';
  if (path !== '' && issue.input === undefined && issue.kind === 'schema') return `missing field ${path}`;
  const wrong = issue.expected === null ? issue.message : `expected ${issue.expected}`;
  return path === '' ? wrong : `${path}: ${wrong}`;
}
