/** A proxy refused or failed before the connection through it stood. RC-25b */
export class ProxyError extends Error {
  /** Kept by HTTP clients that wrap the error and keep nothing else of it. */
  readonly code = PROXY_ERROR_CODE;

  /** `proxy` names it without credentials. */
  constructor(proxy: string, what: string) {
    super(`proxy ${proxy} ${what}`);
    this.name = 'ProxyError';
  }
}

export const PROXY_ERROR_CODE = 'ERR_PROXY';

/** What is known about one way through a proxy. The agents made from it serve one request each. */
export interface ProxyHop {
  /** With user and password. */
  readonly url: URL;
  /** Without them. */
  readonly shown: string;
  /** True when TLS is spoken with the target. */
  readonly secure: boolean;
  /** Trust beyond the default; undefined: the default. */
  readonly secureContext: import('node:tls').SecureContext | undefined;
  /** Ends the attempt and everything it opened. */
  readonly signal: AbortSignal;
}
