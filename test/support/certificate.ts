/** A self-signed certificate for 127.0.0.1 with any time of validity. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const DAY = 86_400_000;

interface CertificateOptions {
  /** Common name. */
  readonly name: string;
  /** Wall-clock ms. Default: since yesterday. */
  readonly from?: number;
  /** Wall-clock ms. Default: for a year. */
  readonly to?: number;
}

export function certificate({
  name,
  from = Date.now() - DAY,
  to = Date.now() + 365 * DAY,
}: CertificateOptions) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = sequence(element(0x31, sequence(oid([0x55, 4, 3]), element(0x0c, Buffer.from(name)))));
  const algorithm = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(7)]);
  const body = sequence(
    element(0xa0, element(2, Buffer.from([2]))),
    element(2, serial),
    algorithm,
    subject,
    sequence(time(from), time(to)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = element(3, Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]));
  const lines = sequence(body, algorithm, signature)
    .toString('base64')
    .replace(/(.{64})/g, '$1\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** One element of DER. X.690 8.1 */
function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const n = content.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, ...parts);
const oid = (bytes: readonly number[]): Buffer => element(6, Buffer.from(bytes));

/** UTCTime, for years before 2050. */
const time = (at: number): Buffer =>
  element(0x17, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));
