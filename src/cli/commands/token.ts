import { createHmac, randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { sha256 } from '../../listener/auth/authority.js';
import { EngineError } from '../../protocol/errors.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { readSecretFile } from '../../system/secret-file.js';
import { EXIT, printJson } from '../output/output.js';

const TOKEN_BYTES = 32;
const DEFAULT_TTL = 3_600;
const MIN_SECRET_BYTES = 32;

/** `rc-engine token create`: a capability token in a new private file. The token itself is not printed. */
export async function createToken(args: {
  readonly capability: string;
  readonly json?: boolean | undefined;
}): Promise<number> {
  const path = resolve(args.capability);
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(`${token}\n`);
    } catch (error) {
      // An empty one would be in the way of the next try.
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    const why = errnoOf(error) === 'EEXIST' ? 'it is there already, and is left alone' : errnoText(error);
    throw new EngineError('usage', `The file ${path} cannot be made: ${why}.`, { cause: error });
  }
  const digest = sha256(token).toString('hex');
  if (args.json === true) printJson({ type: 'token', file: path, sha256: digest });
  else {
    process.stdout.write(
      `${digest}\n\nThe token is in ${path} (mode 0600). Listen with either of:\n` +
        `  rc-engine start --ws-auth capability-token --ws-token-file ${path}\n` +
        `  rc-engine start --ws-auth capability-token --ws-token-sha256 ${digest}\n`,
    );
  }
  return EXIT.ok;
}

/** `rc-engine token sign`: a JWT for the signed-bearer mode. Printing it is what it is for. */
export async function signToken(args: {
  readonly secretFile: string;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly ttl?: number | undefined;
  readonly json?: boolean | undefined;
}): Promise<number> {
  const { secret } = readSecretFile(resolve(args.secretFile), '--secret-file', MIN_SECRET_BYTES);
  const now = Math.floor(Date.now() / 1000);
  const exp = now + Math.floor(args.ttl ?? DEFAULT_TTL);
  const claims = {
    ...(args.issuer === undefined ? {} : { iss: args.issuer }),
    ...(args.audience === undefined ? {} : { aud: args.audience }),
    iat: now,
    exp,
  };
  const signed = `${segment({ alg: 'HS256', typ: 'JWT' })}.${segment(claims)}`;
  const token = `${signed}.${createHmac('sha256', secret.reveal()).update(signed).digest('base64url')}`;
  if (args.json === true) printJson({ type: 'token', token, expiresAt: exp });
  else process.stdout.write(`${token}\n`);
  return EXIT.ok;
}

const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
