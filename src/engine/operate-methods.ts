/** What the owner of an engine does with it through the control socket. RC-121, RC-123, RC-125, RC-170 */
import * as v from 'valibot';
import { LOG_LEVELS, type LogRing } from '../observe/log-ring.js';
import { EngineError } from '../protocol/errors.js';
import { RPC } from '../protocol/jsonrpc.js';
import type { Secret } from '../protocol/secret.js';
import { JsonRpcError, type MethodTable, Reply } from '../session/methods.js';

/** The metrics of a running engine. */
export interface EngineMetricsView {
  /** Where they are served, without a token. */
  readonly url: string;
  text(): Promise<string>;
}

interface OperateDeps {
  readonly logs: LogRing;
  /** Undefined: there is no listener, or it is not open yet. */
  readonly connectUrl: () => Secret | undefined;
  /** A new token in the connect URL; null: the listener has none of its own; undefined: there is no listener. */
  readonly rotateToken: () => Secret | null | undefined;
  readonly stop: () => void;
  /** Prepares another engine; undefined: the program does not start one. */
  readonly prepareRestart: (() => Promise<void>) | undefined;
  /** Why the app server does not answer `initialize`; null: it does. */
  readonly probeAppServer: (signal: AbortSignal) => Promise<string | null>;
  /** Undefined: the engine has no metrics. */
  readonly metrics: () => EngineMetricsView | undefined;
}

/** The longest that an app server may take to answer a probe, ms. */
const MAX_PROBE = 60_000;
/** Most log lines in one response. */
const MAX_LOG_RECORDS = 1_000;

const count = (min: number, max: number) =>
  v.nullish(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max)));

/** Adds `engine/stop`, `engine/restart`, and what reads the log, the metrics and the addresses of the engine. */
export function addOperateMethods(
  methods: MethodTable,
  { logs, connectUrl, rotateToken, stop, prepareRestart, probeAppServer, metrics }: OperateDeps,
): void {
  methods.add('engine/stop', v.looseObject({}), () => new Reply({ pid: process.pid }, stop));
  methods.add('engine/restart', v.looseObject({}), async () => {
    if (prepareRestart === undefined) {
      const data = { reason: 'notManaged' };
      throw new JsonRpcError(
        RPC.invalidRequest,
        'The program of this engine does not start another one.',
        data,
      );
    }
    try {
      await prepareRestart();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const { code, message, remediation } = error;
      throw new JsonRpcError(RPC.invalidRequest, message, { reason: code, remediation });
    }
    return new Reply({ pid: process.pid }, stop);
  });
  methods.add(
    'engine/appServer/probe',
    v.object({ timeoutMs: count(1, MAX_PROBE) }),
    async ({ timeoutMs }) => {
      const limit = AbortSignal.timeout(timeoutMs ?? MAX_PROBE);
      const why = await probeAppServer(limit).catch((error: unknown) => {
        if (error instanceof EngineError) return error.message;
        if (limit.aborted) return 'it did not answer initialize in time';
        throw error;
      });
      return { why };
    },
  );
  methods.add(
    'engine/logs/read',
    v.object({
      since: count(0, Number.MAX_SAFE_INTEGER),
      limit: count(1, MAX_LOG_RECORDS),
      level: v.nullish(v.picklist(LOG_LEVELS)),
    }),
    ({ since, limit, level }) => {
      const records = logs.read({
        since: since ?? undefined,
        limit: limit ?? MAX_LOG_RECORDS,
        level: level ?? undefined,
      });
      return { records, newest: logs.newest };
    },
  );
  methods.add('engine/connectUrl/read', v.looseObject({}), () => ({
    connectUrl: connectUrl()?.reveal() ?? null,
  }));
  methods.add('engine/connectUrl/rotate', v.looseObject({}), () => {
    const rotated = rotateToken();
    return { connectUrl: rotated?.reveal() ?? null, hasListener: rotated !== undefined };
  });
  methods.add('engine/metrics/read', v.looseObject({}), async () => {
    const found = metrics();
    return found === undefined ? { url: null, text: null } : { url: found.url, text: await found.text() };
  });
}
