import type { Readable, Writable } from 'node:stream';
import type { EngineStatus } from '../engine/status.js';
import { connectControlSocket } from '../home/control-socket.js';
import { checkHome, locateHome, resolveHome } from '../home/home.js';
import { readRunningEngine } from '../home/home-lock.js';
import { EngineError } from '../protocol/errors.js';
import { isRecord } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { isReason } from '../protocol/reasons.js';
import { VERSION } from '../protocol/version.js';
import { LineConnection } from '../session/line-connection.js';

/** In ms. */
const DEFAULT_TIMEOUT = 10_000;

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
 * @throws EngineError `notRunning` when no engine runs on this home directory; `homeUnusable` when the home or its
 * control socket is open to another user
 */
export async function connectToEngine(homeDir: string | undefined): Promise<ControlClient> {
  const home = locateHome(resolveHome(homeDir));
  // `engine.json` is believed only where nobody else can write it.
  checkHome(home.dir);
  const notRunning = (cause?: unknown) =>
    new EngineError('notRunning', `No engine runs on ${home.dir}.`, { cause });
  const info = await readRunningEngine(home);
  if (info === undefined) throw notRunning();
  const socket = await connectControlSocket(info.controlSocket, home.dir).catch((error: unknown) => {
    throw error instanceof EngineError ? error : notRunning(error);
  });
  const streams = { input: socket, output: socket, destroy: () => socket.destroy() };
  return initializeClient(streams).catch(async (error: unknown) => {
    const ended = error instanceof EngineError && error.code === 'notRunning';
    throw ended && (await readRunningEngine(home)) !== undefined ? unanswered(info.pid, error) : error;
  });
}

/** The engine accepts connections and closes them: its process has no file descriptors, for example. RC-68 */
function unanswered(pid: number, cause: unknown): EngineError {
  return new EngineError(
    'timeout',
    `The engine with pid ${pid} runs, but it closed the connection before it answered.`,
    {
      cause,
      remediation:
        'It may have no file descriptors left: close some clients, or raise the limit of open files (ulimit -n).',
    },
  );
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

/** A client on these streams, after `initialize`. */
export async function initializeClient(streams: ControlStreams): Promise<ControlClient> {
  const client = createClient(streams);
  await client.request('initialize', {
    clientInfo: { name: 'rc-engine-cli', version: VERSION },
    capabilities: { experimentalApi: true },
  });
  return client;
}

export async function readStatus(client: ControlClient): Promise<EngineStatus> {
  // The engine is the same program, so its response has the type that it was written with.
  return (await client.request('engine/status/read', {})) as EngineStatus;
}

/** `data.reason` of a JSON-RPC error selects the next step from the table of reasons. */
function errorFromResponse(error: Readonly<Record<string, unknown>>): EngineError {
  const reason = isRecord(error.data) ? error.data.reason : undefined;
  const message = String(error.message);
  return typeof reason === 'string' && isReason(reason)
    ? new EngineError(reason, message)
    : new EngineError('remoteRefused', message, { remediation: '' });
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: EngineError) => void;
  readonly timer: NodeJS.Timeout;
}

function createClient(streams: ControlStreams): ControlClient {
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
          reject(
            new EngineError('timeout', `The engine did not answer ${method} within ${timeoutMs / 1000} s.`),
          );
        }, timeoutMs);
        pending.set(id, { resolve, reject, timer });
        lines.write(JSON.stringify({ id, method, params }));
      }),
    onNotification: (listener) => listeners.add(listener),
    closed,
    close: () => streams.destroy(),
  };
}
