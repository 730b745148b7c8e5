import * as v from 'valibot';
import { errorText, firstIssue, isRecord, RPC, type RpcId, resultText } from '../protocol/jsonrpc.js';
import type { Message } from '../protocol/message.js';
import { isReason, type Reason } from '../protocol/reasons.js';
import type { EngineMethodName } from './authority-table.js';
import type { ClientSession } from './session.js';

/** A JSON-RPC error as a thrown value. */
export class JsonRpcError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = 'JsonRpcError';
    this.code = code;
    this.data = data;
  }

  /** The reason code in `data`, if any. */
  get reason(): Reason | undefined {
    const reason = isRecord(this.data) ? this.data.reason : undefined;
    return typeof reason === 'string' && isReason(reason) ? reason : undefined;
  }
}

/** A result with an action that runs right after it was sent, such as a notification that must follow it. ACC-24 */
export class Reply {
  readonly result: unknown;
  readonly after: () => void;

  constructor(result: unknown, after: () => void) {
    this.result = result;
    this.after = after;
  }
}

interface EngineMethod {
  /** Needs `capabilities.experimentalApi`. ACC-9 */
  readonly experimental: boolean;
  /** Returns the result, a Reply, or a promise of either; throws or rejects with a JsonRpcError. */
  handle(params: unknown, session: ClientSession): unknown;
}

/**
 * The methods that the engine handles; all others go to the app server.
 * @typeParam Name the names that may be registered: those with an entry in the authority table
 */
export class MethodTable<Name extends string = EngineMethodName> {
  readonly #methods = new Map<string, EngineMethod>();
  #onAnswered: ((name: string, ms: number) => void) | undefined;

  /** Reports how long each call of a method takes, for the metrics. */
  observe(onAnswered: (name: string, ms: number) => void): void {
    this.#onAnswered = onAnswered;
  }

  /** Registers a method. Its params are checked against the schema; missing params count as `{}`. ACC-7 */
  add<S extends v.GenericSchema>(
    name: Name,
    schema: S,
    handle: (params: v.InferOutput<S>, session: ClientSession) => unknown,
    options: { readonly experimental?: boolean; readonly paramsRequired?: boolean } = {},
  ): void {
    this.#methods.set(name, {
      experimental: options.experimental ?? false,
      handle: (params, session) => {
        if (options.paramsRequired === true && params == null) {
          throw new JsonRpcError(RPC.invalidRequest, 'Invalid request: missing field `params`');
        }
        if (Array.isArray(params)) {
          throw new JsonRpcError(RPC.invalidRequest, 'Invalid request: params must be an object');
        }
        const parsed = v.safeParse(schema, params ?? {});
        if (!parsed.success) {
          throw new JsonRpcError(RPC.invalidRequest, `Invalid request: ${firstIssue(parsed.issues)}`);
        }
        return this.#timed(name, () => handle(parsed.output, session));
      },
    });
  }

  #timed(name: string, call: () => unknown): unknown {
    const onAnswered = this.#onAnswered;
    if (onAnswered === undefined) return call();
    const began = performance.now();
    const done = () => onAnswered(name, performance.now() - began);
    const result = call();
    if (result instanceof Promise) result.then(done, done);
    else done();
    return result;
  }

  find(name: string): EngineMethod | undefined {
    return this.#methods.get(name);
  }
}

/** Largest request that the engine answers itself, in UTF-16 units, and its levels. */
const MAX_CALL_CHARS = 1024 * 1024;
const MAX_CALL_DEPTH = 64;

/** Why the engine does not parse a request; null: it does. */
export function tooLargeToCall(message: Message): string | null {
  if (message.text.length > MAX_CALL_CHARS) {
    return 'Invalid request: a request to this method may have 1 MiB at most';
  }
  return message.depth > MAX_CALL_DEPTH
    ? `Invalid request: a request to this method may have ${MAX_CALL_DEPTH} levels at most`
    : null;
}

/** Where the result of a method goes. */
interface MethodCall {
  respond(text: string): void;
  /** The method takes time. */
  onPending(): void;
  /** It has ended, just before the response. */
  onSettled(): void;
}

/** Calls an engine method and responds with its result or error. */
export function callMethod(id: RpcId, handle: () => unknown, call: MethodCall): void {
  let result: unknown;
  try {
    result = handle();
  } catch (error) {
    call.respond(thrownErrorText(id, error));
    return;
  }
  if (!(result instanceof Promise)) {
    respondWith(id, result, call);
    return;
  }
  call.onPending();
  result.then(
    (value: unknown) => {
      call.onSettled();
      respondWith(id, value, call);
    },
    (error: unknown) => {
      call.onSettled();
      call.respond(thrownErrorText(id, error));
    },
  );
}

function respondWith(id: RpcId, value: unknown, call: MethodCall): void {
  if (!(value instanceof Reply)) {
    call.respond(resultText(id, value));
    return;
  }
  call.respond(resultText(id, value.result));
  // Also when this client has disconnected, because other clients must be notified.
  value.after();
}

/** The response for what a method threw. */
function thrownErrorText(id: RpcId, error: unknown): string {
  if (error instanceof JsonRpcError) return errorText(id, error.code, error.message, error.data);
  return errorText(id, RPC.internalError, error instanceof Error ? error.message : 'internal error');
}
