import { chmod, open, readFile, writeFile } from 'node:fs/promises';
import * as v from 'valibot';
import { type ClaimCode, type ClaimedController, claim } from '../controller/claim.js';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { Secret } from '../protocol/secret.js';
import { errnoText } from '../system/errno.js';
import { usageError } from './errors.js';

const PRIVATE_FILE = 0o600;

const fileSchema = v.object({
  client_id: v.string(),
  controller_token: v.string(),
  environment_id: v.string(),
  server_name: v.string(),
});

/** Claims a pairing code, and stores the controller in `file` when one is named. */
export async function claimController(
  baseUrl: string,
  code: string,
  file: string | undefined,
): Promise<ClaimedController> {
  // A code can be claimed only once, so the file is checked before that.
  if (file !== undefined) await makeWritable(file);
  const claimed = await claim({ baseUrl }, claimCodeOf(code), { displayName: 'rc-engine call' });
  if (file !== undefined) await saveController(file, claimed);
  return claimed;
}

/** The short codes that people type are two or three groups of four. */
export const claimCodeOf = (code: string): ClaimCode => ({
  kind: /^[A-Z0-9]{4}(?:-?[A-Z0-9]{4}){1,2}$/i.test(code) ? 'manual' : 'pairing',
  code: new Secret(code),
});

/** @throws EngineError `usage` when no file is named, or it holds no controller. */
export async function loadController(file: string | undefined): Promise<ClaimedController> {
  if (file === undefined) {
    throw usageError(
      'call needs a pairing code, or a --controller file of an earlier call.',
      'Run rc-engine pair to get a code, and pass it with --code-stdin or RC_ENGINE_PAIRING_CODE.',
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(withoutByteOrderMark(await readFile(file, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) throw noController(file, error);
    throw usageError(
      `The controller file ${file} cannot be read: ${errnoText(error)}.`,
      'Check the path, or claim a new pairing code with --code-stdin.',
      error,
    );
  }
  const parsed = v.safeParse(fileSchema, value);
  if (!parsed.success) throw noController(file);
  return {
    clientId: parsed.output.client_id,
    token: new Secret(parsed.output.controller_token),
    environmentId: parsed.output.environment_id,
    serverName: parsed.output.server_name,
  };
}

const noController = (file: string, cause?: unknown) =>
  usageError(
    `The file ${file} of --controller holds no controller.`,
    'Claim a new pairing code with --code-stdin, which replaces the file.',
    cause,
  );

async function saveController(file: string, claimed: ClaimedController): Promise<void> {
  const text = JSON.stringify({
    client_id: claimed.clientId,
    controller_token: claimed.token.reveal(),
    environment_id: claimed.environmentId,
    server_name: claimed.serverName,
  });
  try {
    // A file that existed before may be readable to others.
    await chmod(file, PRIVATE_FILE);
    await writeFile(file, `${text}\n`);
  } catch (error) {
    throw cannotWrite(
      file,
      error,
      'The pairing code is used up: free some space, then run rc-engine pair again.',
    );
  }
}

async function makeWritable(file: string): Promise<void> {
  try {
    await (await open(file, 'a', PRIVATE_FILE)).close();
  } catch (error) {
    throw cannotWrite(file, error, 'Choose another --controller file.');
  }
}

const cannotWrite = (file: string, cause: unknown, nextStep: string) =>
  usageError(`The controller file ${file} cannot be written: ${errnoText(cause)}.`, nextStep, cause);
