import type { Readable, Writable } from 'node:stream';
import { LineConnection } from '../adapters/line-connection.js';
import type { LocalClient, LocalTransport } from './local-clients.js';

export interface StdioStreams {
  readonly input: Readable;
  readonly output: Writable;
}

/** One client over a pair of streams; its end is the end of the engine. RC-46, WSA-21 */
export function serveStdio(
  streams: StdioStreams,
  host: { readonly accept: (transport: LocalTransport) => LocalClient; readonly onEnd: () => void },
): void {
  const client = host.accept({
    send: (text) => lines.write(text),
    get bufferedAmount() {
      return lines.bufferedAmount;
    },
    close: () => {},
  });
  const lines: LineConnection = new LineConnection(streams.input, streams.output, {
    onLine: (line) => client.receive(line),
    onTooLong: () => {},
    onDrain: () => client.drained(),
    onEnd: () => {
      client.ended();
      host.onEnd();
    },
  });
}
