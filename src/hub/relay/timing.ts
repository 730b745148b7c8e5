/** Every duration of the relay, ms. */
export interface RelayTiming {
  /** How long a new stream waits for an engine that is not connected. Default 5 s. */
  readonly offlineHold: number;
  /** How long a stream waits for its engine to connect again. Default 30 s. */
  readonly reconnectHold: number;
  /** How long the streams of a session wait for the next socket of their controller. Default 10 minutes. */
  readonly sessionHold: number;
  /** Between two pings of a stream, which keep the engine from closing it as idle. Default 3 minutes. RC-34 */
  readonly streamPing: number;
  /** From a frame to the ping that confirms that the engine has received it. Default 20 ms. */
  readonly deliveryCheck: number;
  /** Between two checks of what was sent and not received. Default 1 s. */
  readonly probe: number;
  /** Between two questions of an edge whether the owner is there. Three without an answer end the other side. Default 10 s. */
  readonly presence: number;
}

export const DEFAULT_RELAY_TIMING: RelayTiming = {
  offlineHold: 5_000,
  reconnectHold: 30_000,
  sessionHold: 600_000,
  streamPing: 180_000,
  deliveryCheck: 20,
  probe: 1_000,
  presence: 10_000,
};

/** On the way from one node to another, bytes. */
export const NODE_CREDIT = 16 * 1024 * 1024;
/** Unsent bytes of a socket above which it is not fed. */
export const SOCKET_HIGH_WATER = 4 * 1024 * 1024;
/** Kept bytes of one direction of a stream; a single larger message is still accepted. */
export const MAX_STREAM_BYTES = 64 * 1024 * 1024;

/** The socket of an engine or a controller, as the relay needs it. */
export interface RelaySocket {
  /** Sends one text frame. `onWritten` is called when it is with the system. */
  send(text: string, onWritten?: () => void): void;
  readonly bufferedAmount: number;
  close(code: number, reason: string): void;
}
