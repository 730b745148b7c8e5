/** The certificate of a `wss://` listener: read from files again when they change, and watched for its end. WSA-53 */
import { constants, createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { EngineLogger } from '../observe/logger.js';
import { errnoText } from '../system/errno.js';
import type { TlsFiles, TlsIdentity } from './address.js';

/** A certificate that ends within this time causes a warning, ms. */
const ENDS_SOON = 14 * 86_400_000;
const DAY = 86_400_000;

/** The certificate of a listener in the status. Times are wall-clock milliseconds. */
export interface CertificateStatus {
  /** Absolute path of the certificate; null: an embedding program passed its text. */
  readonly file: string | null;
  readonly validFrom: number;
  /** When it ends. */
  readonly validTo: number;
  /** One sentence when it ends within 14 days, has ended, or is not valid yet; otherwise null. */
  readonly warning: string | null;
  /** Why the files are not used as they are now, while the previous certificate stays in use; otherwise null. */
  readonly problem: string | null;
}

interface CertificateDeps {
  readonly now: () => number;
  /** Time between two readings of the files, ms. */
  readonly poll: number;
  readonly log: EngineLogger;
}

interface Loaded {
  readonly context: SecureContext;
  readonly validFrom: number;
  readonly validTo: number;
}

/** Both files as they were read, or why they could not be. */
type Reading = { readonly identity: TlsIdentity } | { readonly problem: string };

export class ListenerCertificate {
  readonly #files: TlsFiles | undefined;
  readonly #deps: CertificateDeps;
  #loaded: Loaded;
  /** What `#loaded` was made of. */
  #digest: string;
  /** What cannot be used, and whether it was logged. */
  #refused: { readonly digest: string; readonly problem: string; readonly logged: boolean } | undefined;
  /** What was reported about its end. */
  #warned: 'early' | 'soon' | 'ended' | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading = false;

  /** @throws the error of Node or of the system for files or texts that cannot be used */
  constructor(source: TlsIdentity | TlsFiles, deps: CertificateDeps) {
    this.#deps = deps;
    this.#files = 'certFile' in source ? source : undefined;
    const identity =
      'certFile' in source
        ? { cert: readFileSync(source.certFile, 'utf8'), key: readFileSync(source.keyFile, 'utf8') }
        : source;
    this.#digest = digestOf({ identity });
    this.#loaded = load(identity);
  }

  /** For the next TLS handshake. Open connections keep the one that they began with. */
  get context(): SecureContext {
    return this.#loaded.context;
  }

  get status(): CertificateStatus {
    const { validFrom, validTo } = this.#loaded;
    return {
      file: this.#files?.certFile ?? null,
      validFrom,
      validTo,
      warning: this.#warning(),
      problem: this.#refused?.logged === true ? this.#refused.problem : null,
    };
  }

  /** Reads the files again from now on. @returns the warning about the end of the certificate, which is not logged */
  watch(): string | null {
    this.#warned = this.#ending;
    this.#timer = setInterval(() => void this.#check(), this.#deps.poll);
    this.#timer.unref();
    return this.#warning();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /**
   * The content is compared, not the time of the file: it finds files that were replaced by rename, links that lead
   * elsewhere, and changes within the same second.
   */
  async #check(): Promise<void> {
    this.#reportEnd();
    if (this.#files === undefined || this.#reading) return;
    this.#reading = true;
    try {
      this.#use(await read(this.#files));
    } finally {
      this.#reading = false;
    }
  }

  #use(reading: Reading): void {
    const { log } = this.#deps;
    const digest = digestOf(reading);
    if (digest === this.#digest) {
      this.#refused = undefined;
      return;
    }
    let problem: string;
    if ('problem' in reading) problem = reading.problem;
    else {
      try {
        this.#loaded = load(reading.identity);
        this.#digest = digest;
        this.#refused = undefined;
        this.#warned = undefined;
        const { validTo } = this.#loaded;
        log.info({ validTo: timeText(validTo) }, `the renewed certificate of the listener is in use`);
        this.#reportEnd();
        return;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    // Between the first and the second file of a renewal the pair does not match: only what lasts is logged.
    const before = this.#refused?.digest === digest ? this.#refused : undefined;
    this.#refused = { digest, problem, logged: before !== undefined };
    if (before === undefined || before.logged) return;
    const { certFile, keyFile } = this.#files ?? {};
    log.warn(
      { certFile, keyFile },
      `the changed certificate files are not used, the previous certificate stays: ${problem}. Repair --tls-cert and --tls-key; they are read again.`,
    );
  }

  /** Logs once that the certificate ends soon, and once that it has ended. */
  #reportEnd(): void {
    const ending = this.#ending;
    const warning = this.#warning();
    if (ending !== this.#warned && warning !== null) {
      this.#deps.log.warn({ validTo: timeText(this.#loaded.validTo) }, warning);
    }
    this.#warned = ending;
  }

  get #ending(): 'early' | 'soon' | 'ended' | undefined {
    const { validFrom, validTo } = this.#loaded;
    const now = this.#deps.now();
    if (validTo <= now) return 'ended';
    if (validFrom > now) return 'early';
    return validTo - now <= ENDS_SOON ? 'soon' : undefined;
  }

  #warning(): string | null {
    const { validFrom, validTo } = this.#loaded;
    const renew = this.#files === undefined ? '' : ' Renew the files; they are read again without a restart.';
    switch (this.#ending) {
      case 'ended':
        return `The certificate of the listener ended at ${timeText(validTo)}.${renew}`;
      case 'early':
        return `The certificate of the listener is not valid before ${timeText(validFrom)}, by the clock of this machine.`;
      case 'soon':
        return `The certificate of the listener ends ${inDays(validTo - this.#deps.now())}, at ${timeText(validTo)}.${renew}`;
      case undefined:
        return null;
    }
  }
}

function inDays(ms: number): string {
  const days = Math.floor(ms / DAY);
  return days === 0 ? 'in less than a day' : days === 1 ? 'in 1 day' : `in ${days} days`;
}

async function read({ certFile, keyFile }: TlsFiles): Promise<Reading> {
  const [cert, key] = await Promise.all([certFile, keyFile].map((path) => text(path)));
  if (cert === undefined || key === undefined) throw new Error('two files give two results');
  if ('problem' in cert) return cert;
  if ('problem' in key) return key;
  return { identity: { cert: cert.text, key: key.text } };
}

async function text(path: string): Promise<{ readonly text: string } | { readonly problem: string }> {
  try {
    return { text: await readFile(path, 'utf8') };
  } catch (error) {
    return { problem: `${path} cannot be read: ${errnoText(error)}` };
  }
}

const digestOf = (reading: Reading): string =>
  createHash('sha256')
    .update(
      JSON.stringify(
        'problem' in reading ? [reading.problem] : [reading.identity.cert, reading.identity.key],
      ),
    )
    .digest('hex');

/** @throws with what is wrong; the message never quotes a file */
function load({ cert, key }: TlsIdentity): Loaded {
  const certificate = parsed('the certificate is not valid PEM', () => new X509Certificate(cert));
  const privateKey = parsed('the key is not valid PEM, or has a passphrase', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error('the key does not belong to the certificate');
  }
  const context = createSecureContext({
    cert,
    key,
    minVersion: 'TLSv1.2',
    // Each renegotiation costs a signature and needs no credential.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
  return { context, validFrom: Date.parse(certificate.validFrom), validTo: Date.parse(certificate.validTo) };
}

function parsed<T>(problem: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(problem, { cause: error });
  }
}

const timeText = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z');
