import { EngineError } from '../protocol/errors.js';

export interface HubListen {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly loopback: boolean;
}

/** Parses `--listen`: `https://HOST:PORT`, or `http://` for a loopback address or behind a proxy. Throws EngineError `usage`. */
export function parseHubListen(text: string): HubListen {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const refuse = (problem: string): never => {
    throw new EngineError('usage', `--listen ${text} is not valid: ${problem}`, {
      remediation: 'The form is https://0.0.0.0:443, or http://127.0.0.1:8787.',
    });
  };
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return refuse('it is no http or https URL');
  if (
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.pathname !== '/'
  )
    return refuse('only host and port are allowed');
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const loopback = host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
  return { secure, host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port), loopback };
}

/** What a hub needs to start, checked. */
export interface HubOptions {
  readonly listen: HubListen;
  /** PEM texts. Required for `https`. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** `memory`, or URLs of NATS with commas between them. */
  readonly bus: string;
  /** State file of a hub without a broker. Undefined: memory only. */
  readonly stateFile: string | undefined;
  /** Copies of the state in a cluster of NATS. */
  readonly replicas: number;
  readonly accounts: 'any' | 'keys';
  /** Connections that are accepted in a second; above it 503 with `Retry-After`. */
  readonly connectRate: number;
  /** Methods that a read-only device may send. Default: `READ_ONLY_METHODS` */
  readonly readOnlyMethods?: readonly string[] | undefined;
  /** Over how long the sockets are closed at the end, ms. */
  readonly drain: number;
}

/** Checks what contradicts each other. Throws EngineError `usage`. */
export function checkHubOptions({ listen, tls, accounts, bus, stateFile }: HubOptions): void {
  const refuse = (message: string, remediation: string): never => {
    throw new EngineError('usage', message, { remediation });
  };
  if (accounts === 'any' && !listen.loopback)
    refuse(
      '--accounts any accepts everybody, so it needs a loopback address in --listen',
      'Use --accounts keys, and create keys with rc-engine hub key create.',
    );
  if (listen.secure && tls === undefined)
    refuse('--listen https:// needs a certificate', 'Add --tls-cert FILE and --tls-key FILE.');
  if (!listen.secure && tls !== undefined)
    refuse(
      '--tls-cert is of no use with --listen http://',
      'Write https:// in --listen, or leave out --tls-cert.',
    );
  if (!listen.secure && !listen.loopback)
    refuse(
      '--listen http:// is for loopback addresses: tokens would cross the network in the clear',
      'Use https:// with --tls-cert and --tls-key, or a proxy on this machine that adds TLS.',
    );
  if (bus !== 'memory' && stateFile !== undefined)
    refuse('--state is of no use with a broker, which holds the state', 'Leave out --state.');
}
