import { type ListenAddress, parseListenUrl } from '../listener/address.js';
import type { AuthorityConfig } from '../listener/auth/authority.js';
import { type ListenerDeps, ListenerService } from '../listener/service.js';
import { EngineError } from '../protocol/errors.js';
import { DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_MESSAGE_BYTES, type EngineOptions } from './options.js';

/**
 * Creates the listener of the options. It does not listen yet.
 * @throws EngineError `usage` when the address or the certificate is invalid
 */
export function createListener(options: EngineOptions, deps: Omit<ListenerDeps, 'options'>): ListenerService {
  const address = parseListenUrl(options.listen ?? 'off');
  if ('invalid' in address) throw new EngineError('usage', `listen ${address.invalid}.`);
  if (address.kind !== 'tcp' && address.kind !== 'unix')
    throw new EngineError('usage', `listen ${options.listen} is not an address of a listener.`);
  if (address.kind === 'tcp' && address.secure && options.tls === undefined) {
    throw new EngineError(
      'usage',
      'A wss:// listener needs a certificate and a key (--tls-cert, --tls-key).',
    );
  }
  const authority = options.authority ?? defaultAuthority(address);
  if (authority.mode === 'filesystem' && address.kind !== 'unix') {
    throw new EngineError('usage', 'The authority filesystem needs a unix:// listener.');
  }
  if (options.listen === 'codex' && authority.mode !== 'filesystem') {
    throw new EngineError(
      'usage',
      'The listener codex has the authority filesystem: Codex CLI presents no token.',
    );
  }
  try {
    return new ListenerService({
      ...deps,
      options: {
        address,
        authority,
        tls: options.tls,
        maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
        maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
        closeOnTokenExpiry: options.closeOnTokenExpiry ?? false,
        subprotocols: options.wsSubprotocols ?? [],
      },
    });
  } catch (error) {
    // Node's error about a PEM string says what is wrong with it and never quotes it.
    const why = error instanceof Error ? error.message : String(error);
    throw new EngineError('usage', `The certificate or the key of the listener is not valid: ${why}.`, {
      cause: error,
    });
  }
}

/** A unix socket is protected by its directory, a port by the token in the connect URL. WSA-3, WSA-50 */
const defaultAuthority = ({ kind }: ListenAddress): AuthorityConfig =>
  kind === 'unix' && process.platform !== 'win32'
    ? { mode: 'filesystem' }
    : { mode: 'queryToken', enforced: true };
