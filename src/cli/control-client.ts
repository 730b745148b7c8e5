import net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { locateHome, resolveHome } from '../home/home.js';
import { readEngineInfo } from '../home/home-lock.js';
import { EngineError } from '../protocol/errors.js';
import { isRecord } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { isReason } from '../protocol/reasons.js';
import { VERSION } from '../protocol/version.js';
import { LineConnection } from '../session/line-connection.js';

const ANSWER_LIMIT = 10_000;

/** A command's connection to the engine that runs on a home. */
export interface ControlClient {
  request(method: string, params?: unknown, limitMs?: number): Promise<unknown>;
  onNotification(listener: (method: string, params: unknown) => void): void;
  /** Resolves when the engine has gone. */
  readonly closed: Promise<void>;
  close(): void;
}

/** @throws EngineError `notRunning` when no engine answers on this home. */
export async function connectControl(homeDir: string | undefined): Promise<ControlClient> {
  const home = await locateHome(resolveHome(homeDir));
  const info = await readEngineInfo(home);
  const path = info?.controlSocket ?? home.controlSocket;
  const socket = await open(path).catch((error: unknown) => {
    throw new EngineError('notRunning', `No engine runs on ${home.dir}.`, { cause: error });
  });
  return introduced({ input: socket, output: socket, destroy: () => socket.destroy() });
}

/** A conversation with an engine, or with a part of one, over two streams. */
export interface ControlStreams {
  readonly input: Readable;
  readonly output: Writable;
  destroy(): void;
}

/** The client of such a conversation, past its `initialize`. */
export async function introduced(streams: ControlStreams): Promise<ControlClient> {
  const client = serve(streams);
  await client.request('initialize', {
    clientInfo: { name: 'rc-engine-cli', version: VERSION },
    capabilities: { experimentalApi: true },
  });
  return client;
}

function open(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** The engine says why in `data`; what to do about it is in the table of reasons. */
function refusalOf(error: Readonly<Record<string, unknown>>): EngineError {
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

function serve(streams: ControlStreams): ControlClient {
  const pending = new Map<number, Pending>();
  const listeners = new Set<(method: string, params: unknown) => void>();
  let lastId = 0;
  let ended: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const settle = (id: unknown): Pending | undefined => {
    if (typeof id !== 'number') return undefined;
    const waiting = pending.get(id);
    pending.delete(id);
    clearTimeout(waiting?.timer);
    return waiting;
  };
  const lines = new LineConnection(streams.input, streams.output, {
    onLine: (line) => {
      const message = Message.fromText(line)?.value;
      if (!isRecord(message)) return;
      if (typeof message.method === 'string') {
        for (const listener of listeners) listener(message.method, message.params);
        return;
      }
      const waiting = settle(message.id);
      if (isRecord(message.error)) {
        waiting?.reject(refusalOf(message.error));
      } else waiting?.resolve(message.result);
    },
    onTooLong: () => {},
    onDrain: () => {},
    onEnd: () => {
      for (const id of [...pending.keys()]) {
        settle(id)?.reject(new EngineError('notRunning', 'The engine ended before it answered.'));
      }
      ended();
    },
  });
  return {
    request: (method, params, limitMs = ANSWER_LIMIT) =>
      new Promise((resolve, reject) => {
        const id = ++lastId;
        const timer = setTimeout(() => {
          pending.delete(id);
          reject(
            new EngineError('timeout', `The engine did not answer ${method} within ${limitMs / 1000} s.`),
          );
        }, limitMs);
        pending.set(id, { resolve, reject, timer });
        lines.write(JSON.stringify({ id, method, params }));
      }),
    onNotification: (listener) => listeners.add(listener),
    closed,
    close: () => streams.destroy(),
  };
}
