/** App-server connections that all degraded clients may have together. WSA-37 */
const MAX_DEGRADED = 32;

/**
 * Counts the app-server connections of degraded clients: anyone on this machine may be one, and each connection may be a
 * process. Clients with the credential do not count, so that the owner is always served.
 */
export class AppServerPlaces {
  #taken = 0;

  /** Takes a place: the result gives it back. A text for people says why there is none. */
  take(): (() => void) | string {
    if (this.#taken >= MAX_DEGRADED) {
      return `Server overloaded: connections without a valid token may use ${MAX_DEGRADED} app servers together, and all are in use. Connect with the token, or send initialize again later.`;
    }
    this.#taken += 1;
    return () => {
      this.#taken -= 1;
    };
  }
}
