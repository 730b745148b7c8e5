/** Certificate authorities to trust besides the default ones. `--ca-cert`, RC-25b */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { EngineError } from '../protocol/errors.js';
import { errnoText } from '../system/errno.js';

/**
 * Reads a PEM file with certificate authorities.
 * @throws EngineError `usage` when it cannot be read, or contains no certificate
 */
export function readCaCert(path: string): string {
  let pem: string;
  try {
    pem = withoutByteOrderMark(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new EngineError('usage', `The certificate file ${path} cannot be read: ${errnoText(error)}.`, {
      cause: error,
      remediation: 'Check the path and the permissions of the file.',
    });
  }
  if (!isCertificate(pem)) {
    throw new EngineError('usage', `The file ${path} of --ca-cert contains no PEM certificate.`, {
      remediation:
        'Name a file with the lines from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.',
    });
  }
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

/**
 * Answers the default authorities and those of `pem`. The context is made once and only when TLS is needed: that takes
 * milliseconds. Undefined without `pem`: Node's own default holds then, which includes NODE_EXTRA_CA_CERTS.
 * @throws EngineError `usage` when `pem` contains no certificate
 */
export function trustedAuthorities(
  pem: string | undefined,
  extraFile: string | undefined,
): () => tls.SecureContext | undefined {
  if (pem === undefined) return () => undefined;
  if (!isCertificate(pem)) {
    throw new EngineError(
      'usage',
      'The additional certificate authority of --ca-cert is no PEM certificate.',
    );
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
