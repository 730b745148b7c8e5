import { parseListenUrl } from '../listener/address.js';
import { type ListenerDeps, ListenerService } from '../listener/service.js';
import { EngineError } from '../protocol/errors.js';
import { DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_MESSAGE_BYTES, type EngineOptions } from './options.js';

/**
 * The listener that the options ask for; it does not listen yet.
 * @throws EngineError `usage` for an address or certificate that cannot be used.
 */
export function createListener(options: EngineOptions, deps: Omit<ListenerDeps, 'options'>): ListenerService {
  const address = parseListenUrl(options.listen ?? 'off');
  if ('fault' in address) throw new EngineError('usage', `listen ${address.fault}.`);
  if (address.kind !== 'tcp' && address.kind !== 'unix')
    throw new EngineError('usage', 'Nothing to listen on.');
  if (address.kind === 'tcp' && address.secure && options.tls === undefined) {
    throw new EngineError('usage', 'A wss:// listener needs --tls-cert and --tls-key.');
  }
  try {
    return new ListenerService({
      ...deps,
      options: {
        address,
        authority: options.authority ?? { mode: 'queryToken', enforced: true },
        tls: options.tls,
        maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
        maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
        closeOnTokenExpiry: options.closeOnTokenExpiry ?? false,
      },
    });
  } catch (error) {
    // Node says of a PEM text what is wrong with it, never what is in it.
    throw new EngineError('usage', 'The certificate or key of the listener cannot be used.', {
      cause: error,
    });
  }
}
