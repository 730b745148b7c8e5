import net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineStatus } from '../engine/status.js';
import { connectControlSocket } from '../home/control-socket.js';
import { checkHome, locateHome, resolveHome } from '../home/home.js';
import { findEngine } from '../home/running-engine.js';
import { EngineError, isErrorCode } from '../protocol/errors.js';
import { isRecord } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { VERSION } from '../protocol/version.js';
import { LineConnection } from '../session/line-connection.js';
import { notAnswered, notRunning, socketGone, unanswered } from './engine-errors.js';

/** In ms. */
const DEFAULT_TIMEOUT = 10_000;
/** How long a command waits for a control socket that is not there, and how often it looks, ms. */
const SOCKET_WAIT = 4_000;
const SOCKET_POLL = 100;

/** The connection of a command to the engine of a home directory. */
export interface ControlClient {
  /** Sends a request and resolves to its result. @throws EngineError */
  request(method: string, params?: unknown, timeoutMs?: number): Promise<unknown>;
  onNotification(listener: (method: string, params: unknown) => void): void;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  close(): void;
}

/**
 * @param timeoutMs limit until the engine has answered the first request, ms
 * @throws EngineError `notRunning` when no engine runs on this home directory; `engineUnreachable` when one runs whose
 * control socket is gone; `timeout` when it does not answer; `homeUnusable` when the home or its control socket is open
 * to another user, or is closed to this one
 */
export async function connectToEngine(
  homeDir: string | undefined,
  timeoutMs: number = DEFAULT_TIMEOUT,
): Promise<ControlClient> {
  const home = locateHome(resolveHome(homeDir));
  // `engine.json` is believed only where nobody else can write it.
  checkHome(home.dir);
  const began = performance.now();
  for (;;) {
    const engine = await findEngine(home);
    if (engine === undefined) throw notRunning(home.dir);
    const socket = await connectControlSocket(engine.controlSocket, home.dir).catch(
      (error: unknown) => error,
    );
    const waited = performance.now() - began;
    if (socket instanceof net.Socket) {
      const streams = { input: socket, output: socket, destroy: () => socket.destroy() };
      return initializeClient(streams, engine.pid, Math.max(timeoutMs - waited, 1)).catch(
        async (error: unknown) => {
          socket.destroy();
          const ended = error instanceof EngineError && error.code === 'notRunning';
          throw ended && (await findEngine(home)) !== undefined ? unanswered(engine, error) : error;
        },
      );
    }
    if (socket instanceof EngineError) throw socket;
    // The engine opens it when it starts, and makes it again when it was deleted.
    if (waited >= Math.min(SOCKET_WAIT, timeoutMs)) throw socketGone(engine, socket);
    await delay(SOCKET_POLL);
  }
}

/** Like `connectToEngine`, but undefined when no engine runs. */
export async function connectIfRunning(homeDir: string | undefined): Promise<ControlClient | undefined> {
  return connectToEngine(homeDir).catch((error: unknown) => {
    if (error instanceof EngineError && error.code === 'notRunning') return undefined;
    throw error;
  });
}

/** Streams that carry one JSON-RPC message per line. */
interface ControlStreams {
  readonly input: Readable;
  readonly output: Writable;
  destroy(): void;
}

/**
 * A client on these streams, after `initialize`.
 * @param pid of the engine, for messages; null: it is not known, or is this process
 */
export async function initializeClient(
  streams: ControlStreams,
  pid: number | null = null,
  timeoutMs: number = DEFAULT_TIMEOUT,
): Promise<ControlClient> {
  const client = createClient(streams, pid);
  const clientInfo = { name: 'rc-engine-cli', version: VERSION };
  await client.request('initialize', { clientInfo, capabilities: { experimentalApi: true } }, timeoutMs);
  return client;
}

/** @param timeoutMs limit, ms */
export async function readStatus(client: ControlClient, timeoutMs?: number): Promise<EngineStatus> {
  // The engine is the same program, so its response has the type that it was written with.
  return (await client.request('engine/status/read', {}, timeoutMs)) as EngineStatus;
}

/** `data.reason` of a JSON-RPC error selects the next step from the table of reasons. */
function errorFromResponse(error: Readonly<Record<string, unknown>>): EngineError {
  const { reason, remediation } = isRecord(error.data) ? error.data : {};
  const message = String(error.message);
  return typeof reason === 'string' && isErrorCode(reason)
    ? new EngineError(reason, message, typeof remediation === 'string' ? { remediation } : {})
    : new EngineError('remoteRefused', message, { remediation: '' });
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: EngineError) => void;
  readonly timer: NodeJS.Timeout;
}

function createClient(streams: ControlStreams, pid: number | null): ControlClient {
  const pending = new Map<number, Pending>();
  const listeners = new Set<(method: string, params: unknown) => void>();
  let lastId = 0;
  let onClosed: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  const take = (id: unknown): Pending | undefined => {
    if (typeof id !== 'number') return undefined;
    const request = pending.get(id);
    pending.delete(id);
    clearTimeout(request?.timer);
    return request;
  };
  const lines = new LineConnection(streams.input, streams.output, {
    onLine: (line) => {
      const message = Message.from(line).value;
      if (!isRecord(message)) return;
      if (typeof message.method === 'string') {
        for (const listener of listeners) listener(message.method, message.params);
        return;
      }
      const request = take(message.id);
      if (isRecord(message.error)) request?.reject(errorFromResponse(message.error));
      else request?.resolve(message.result);
    },
    onTooLong: () => {},
    onDrain: () => {},
    onEnd: () => {
      for (const id of [...pending.keys()]) {
        take(id)?.reject(new EngineError('notRunning', 'The engine stopped before it answered.'));
      }
      onClosed();
    },
  });
  return {
    request: (method, params, timeoutMs = DEFAULT_TIMEOUT) =>
      new Promise((resolve, reject) => {
        const id = ++lastId;
        const timer = setTimeout(() => {
          pending.delete(id);
          reject(notAnswered(pid, method, timeoutMs));
        }, timeoutMs);
        pending.set(id, { resolve, reject, timer });
        lines.write(JSON.stringify({ id, method, params }));
      }),
    onNotification: (listener) => listeners.add(listener),
    closed,
    close: () => streams.destroy(),
  };
}
