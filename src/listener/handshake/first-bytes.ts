import type { Socket } from 'node:net';
import { type PlainUpgrade, readPlainUpgrade } from './plain-upgrade.js';

export interface FirstBytesEvents {
  /** They are a request for a WebSocket. */
  onUpgrade(stream: Socket, upgrade: PlainUpgrade): void;
  /** They are something else, and still to be read. */
  onOther(stream: Socket): void;
}

/** Looks at the first bytes of connections. All of them share its two listeners. */
export function watchFirstBytes(events: FirstBytesEvents): (stream: Socket) => void {
  function stop(stream: Socket): void {
    stream.removeListener('data', onData);
    stream.removeListener('end', onEnd);
  }
  function onData(this: Socket, bytes: Buffer): void {
    stop(this);
    const upgrade = readPlainUpgrade(bytes);
    if (upgrade !== undefined) {
      events.onUpgrade(this, upgrade);
      return;
    }
    this.pause();
    this.unshift(bytes);
    events.onOther(this);
    this.resume();
  }
  function onEnd(this: Socket): void {
    stop(this);
    this.end();
  }
  return (stream) => {
    stream.on('data', onData);
    stream.on('end', onEnd);
  };
}
