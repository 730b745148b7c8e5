/** Messages and peers that are hostile on purpose, from a seed: the same seed gives the same input. */
import net from 'node:net';
import { WebSocket } from 'ws';

export const SEED = Number(process.env.RC_TEST_SEED ?? 20_261_127);
export const MESSAGES = 600;

/** A linear congruential generator: the same seed gives the same messages. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Messages from a grammar: JSON-RPC of every shape, frames of the backend, deep and wide values, and no JSON at all. */
export function* hostileMessages(seed: number, count: number): Generator<string> {
  const rnd = random(seed);
  const pick = <T>(values: readonly T[]): T => values[rnd(values.length)] as T;
  const methods = ['initialize', 'engine/echo', 'engine/status/read', 'account/read', 'x', 'thread/start'];
  const scalar = (): string =>
    pick([
      'null',
      'true',
      '0',
      '-0',
      '1e400',
      '9007199254740993',
      '"\\u0000"',
      '"\\ud800"',
      '""',
      '{}',
      '[]',
    ]);
  const value = (depth: number): string => {
    if (depth === 0) return scalar();
    const inner = Array.from({ length: rnd(4) }, () => value(depth - 1));
    return rnd(2) === 0
      ? `[${inner.join(',')}]`
      : `{${inner.map((one, n) => `"${pick(['a', 'id', 'method', '__proto__', String(n)])}":${one}`).join(',')}}`;
  };
  for (let n = 0; n < count; n += 1) {
    const shape = rnd(10);
    if (shape < 4) {
      const id = pick(['1', '"a"', 'null', '1.5', '{}', String(n)]);
      yield `{"id":${id},"method":"${pick(methods)}","params":${value(3)}}`;
    } else if (shape === 4)
      yield `{"${pick(['id', 'ID', 'i\\u0064'])}":${n},"result":${value(2)},"method":"x"}`;
    else if (shape === 5) yield `${'['.repeat(2_000)}${']'.repeat(2_000)}`;
    else if (shape === 6)
      yield `{"id":${n},"method":"engine/echo","params":{"payload":"${'x'.repeat(rnd(200_000))}"}}`;
    else if (shape === 7)
      yield pick(['', '{', 'nul', '{"id":1,}', '\u0000', '"text"', '[1,2,3]', '{"a":1}{"b":2}']);
    else if (shape === 8)
      yield `{"type":"${pick(['client_message', 'server_message', 'ack', 'ping', 'pong', 'client_closed', 'x'])}","client_id":${scalar()},"stream_id":${scalar()},"seq_id":${scalar()},"message":${value(2)}}`;
    else yield value(4);
  }
}

export const isOpen = (socket: WebSocket): boolean => socket.readyState === WebSocket.OPEN;

/** Sends all messages over a WebSocket; the other side may close it. */
export async function sendAll(socket: WebSocket, seed = SEED): Promise<void> {
  socket.on('error', () => {});
  for (const text of hostileMessages(seed, MESSAGES)) {
    if (!isOpen(socket)) return;
    await new Promise<void>((resolve) => socket.send(text, () => resolve()));
  }
}

/** Connections that say nothing, or half of a request. */
export function silentSockets(target: net.NetConnectOpts, count: number): net.Socket[] {
  return Array.from({ length: count }, (_one, n) => {
    const socket = net.connect(target);
    socket.on('error', () => {});
    if (n % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
    return socket;
  });
}
