/** How the nodes of a hub talk to each other. The adapters are in this directory: one process, and NATS. */

/** Nobody subscribes to the subject of a request. */
export class NoRespondersError extends Error {
  constructor(subject: string, options?: ErrorOptions) {
    super(`nobody subscribes to ${subject}`, options);
    this.name = 'NoRespondersError';
  }
}

/** The broker cannot be reached, or did not answer in time. */
export class BusUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BusUnavailableError';
  }
}

/** @param respond sends the response, when the message is a request */
export type BusListener = (payload: string, respond: (payload: string) => void) => void;

export interface BusSubscription {
  end(): void;
}

/**
 * Messages between nodes: at most once, in order from one publisher to one subscriber while the broker runs. A broker
 * that restarts loses messages, so what must arrive is kept by its sender until the receiver has confirmed it.
 *
 * A subject is a row of words with dots between them; `isSubjectWord` says which words are allowed. There are no wildcards.
 */
export interface Bus {
  /** False while the broker cannot be reached. */
  readonly connected: boolean;
  /** Sends to all subscribers. Without a connection the message is dropped. Never throws. */
  publish(subject: string, payload: string): void;
  /**
   * Sends to all subscribers and waits for the first response.
   * @throws NoRespondersError, BusUnavailableError
   */
  request(subject: string, payload: string, timeoutMs: number): Promise<string>;
  /** The subscription also holds after a reconnect. */
  subscribe(subject: string, listener: BusListener): BusSubscription;
  /**
   * Resolves when the broker has processed everything before: subscriptions count for the publishers of all nodes.
   * @throws BusUnavailableError
   */
  flush(): Promise<void>;
  /** Reports each loss and each return of the connection. Returns a function that removes the listener. */
  onConnection(listener: (connected: boolean) => void): () => void;
  close(): Promise<void>;
}

const WORD = /^[\w-]{1,128}$/;

/** Whether a text may be one word of a subject. */
export function isSubjectWord(text: string): boolean {
  return WORD.test(text);
}
