/** Certificate authorities to trust besides the default ones. `--ca-cert`, RC-25b */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { EngineError } from '../protocol/errors.js';
import { errnoText } from '../system/errno.js';

/**
 * Reads a PEM file with certificate authorities.
 * @throws EngineError `usage`
 */
export function readCaCert(path: string): string {
  try {
    return withoutByteOrderMark(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new EngineError('usage', `The certificate file ${path} cannot be read: ${errnoText(error)}.`, {
      cause: error,
      remediation: 'Check the path and the permissions of the file.',
    });
  }
}

/**
 * Answers the default authorities and those of `pem`. The context is made once and only when TLS is needed: that takes
 * milliseconds. Undefined without `pem`: Node's own default holds then, which includes NODE_EXTRA_CA_CERTS.
 * @throws EngineError `configInvalid` when `pem` contains no certificate
 */
export function trustedAuthorities(
  pem: string | undefined,
  extraFile: string | undefined,
): () => tls.SecureContext | undefined {
  if (pem === undefined) return () => undefined;
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new EngineError('configInvalid', '--ca-cert: the file contains no PEM certificate', { cause });
  }
  let context: tls.SecureContext | undefined;
  return () => {
    context ??= tls.createSecureContext({ ca: [...tls.rootCertificates, ...readExtra(extraFile), pem] });
    return context;
  };
}

/** A list of authorities replaces Node's default list, and with it NODE_EXTRA_CA_CERTS: so that file is added again. */
function readExtra(file: string | undefined): string[] {
  if (!file) return [];
  try {
    return [withoutByteOrderMark(readFileSync(file, 'utf8'))];
  } catch {
    return []; // Node has warned about it at its start.
  }
}
