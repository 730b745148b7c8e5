import { open, rm } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { resolveHome } from '../../home/home.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { makeDirectory } from '../../system/make-directory.js';
import { readSecretFile } from '../../system/secret-file.js';
import { EXIT, usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { type CommandGroup, defineCommand, JSON_OPTION } from '../parser/command.js';

const TOKEN_BYTES = 32;
const DEFAULT_TTL_SECONDS = 3_600;
const MIN_SECRET_BYTES = 32;

const create = defineCommand({
  name: 'create',
  description: 'Create a capability token in a new file with mode 0600, and print its SHA-256',
  options: {
    capability: { type: 'string', description: 'File to create; it must not exist', required: true },
    ...JSON_OPTION,
  },
  examples: [['token create --capability ~/.rc-engine/capability', 'For start --ws-auth capability-token']],
  run: async ({ capability, json }) => {
    const { randomBytes } = await import('node:crypto');
    const path = resolve(capability);
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    await writeToken(path, token);
    const { sha256 } = await import('../../listener/auth/authority.js');
    const digest = sha256(token).toString('hex');
    if (json === true) printJson({ type: 'token', file: path, sha256: digest });
    else {
      stdout.print(
        digest,
        '',
        `The token is in ${path} (mode 0600). Use it with one of:`,
        `  rc-engine start --ws-auth capability-token --ws-token-file ${path}`,
        `  rc-engine start --ws-auth capability-token --ws-token-sha256 ${digest}`,
      );
    }
    return EXIT.ok;
  },
});

async function writeToken(path: string, token: string): Promise<void> {
  try {
    makeHome(dirname(path));
    const file = await open(path, 'wx', 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(`${token}\n`);
    } catch (error) {
      // An empty file would block the next attempt.
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    const exists = errnoOf(error) === 'EEXIST';
    throw usageError(
      `The file ${path} of --capability cannot be created: ${exists ? 'it already exists' : errnoText(error)}.`,
      exists ? 'Choose another path, or remove the file first.' : 'Choose another path.',
      error,
    );
  }
}

/** The home directory and directories in it are made when they are missing. A typing mistake elsewhere makes none. */
function makeHome(directory: string): void {
  const home = resolveHome(undefined);
  if (directory === home || directory.startsWith(home + sep)) makeDirectory(directory, 0o700);
}

const sign = defineCommand({
  name: 'sign',
  description: 'Sign a bearer token (JWT, HS256) and print it',
  options: {
    'secret-file': {
      type: 'string',
      description: 'File with the shared secret, absolute path',
      required: true,
    },
    issuer: { type: 'string', description: 'Issuer (iss) of the token' },
    audience: { type: 'string', description: 'Audience (aud) of the token' },
    ttl: {
      type: 'seconds',
      description: 'Seconds until the token expires',
      default: String(DEFAULT_TTL_SECONDS),
    },
    ...JSON_OPTION,
  },
  examples: [
    ['token sign --secret-file /etc/rc-engine/secret --ttl 600', 'For start --ws-auth signed-bearer-token'],
  ],
  run: async ({ secretFile, issuer, audience, ttl = DEFAULT_TTL_SECONDS, json }) => {
    if (ttl < 1) throw usageError('--ttl must be at least 1 second.', 'For one hour, give --ttl 3600.');
    const { secret } = readSecretFile(resolve(secretFile), '--secret-file', MIN_SECRET_BYTES);
    const now = Math.floor(Date.now() / 1000);
    const exp = now + Math.floor(ttl);
    const claims = {
      ...(issuer === undefined ? {} : { iss: issuer }),
      ...(audience === undefined ? {} : { aud: audience }),
      iat: now,
      exp,
    };
    const { createHmac } = await import('node:crypto');
    const signed = `${segment({ alg: 'HS256', typ: 'JWT' })}.${segment(claims)}`;
    const token = `${signed}.${createHmac('sha256', secret.reveal()).update(signed).digest('base64url')}`;
    if (json === true) printJson({ type: 'token', token, expiresAt: exp });
    else stdout.print(token);
    return EXIT.ok;
  },
});

/** One part of a JWT. */
const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export const token: CommandGroup = {
  name: 'token',
  description: 'Create a token for the local listener',
  subcommands: [create, sign],
};
