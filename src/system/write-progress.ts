import type { Socket } from 'node:net';

/**
 * A number that changes when the system takes data of a socket. `writableLength` is not enough: one large message is one
 * write, of which nothing is reported until the end. Node itself reads these counters of the handle for its timeouts.
 */
export function writeProgress(stream: Socket): string {
  const handle: unknown = Reflect.get(stream, '_handle');
  const waiting = handle instanceof Object ? Number(Reflect.get(handle, 'writeQueueSize')) : 0;
  return `${stream.writableLength} ${waiting}`;
}
