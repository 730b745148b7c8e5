/** The environments that this installation is paired with, in `controllers.json` of the home (mode 0600). RC-95 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { ClaimedController } from '../controller/claim.js';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';
import { errnoOf, errnoText } from '../system/errno.js';

/** One environment, with the token that controls it. */
export interface PairedEnvironment extends ClaimedController {
  readonly baseUrl: string;
  /** Wall-clock ms. */
  readonly pairedAt: number;
}

const Id = v.pipe(v.string(), v.nonEmpty());
const FileSchema = v.object({
  version: v.literal(1),
  environments: v.array(
    v.object({
      base_url: Id,
      environment_id: Id,
      server_name: v.string(),
      client_id: Id,
      controller_token: Id,
      paired_at: v.number(),
    }),
  ),
});

export const pairedFile = (homeDir: string): string => join(homeDir, 'controllers.json');

/** @throws EngineError `storeUnavailable` when the file cannot be read or is damaged */
export function loadPaired(file: string): PairedEnvironment[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw unusable(file, `cannot be read: ${errnoText(error)}`, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error of the parser would quote the content.
    throw unusable(file, 'is not JSON');
  }
  const parsed = v.safeParse(FileSchema, value);
  if (!parsed.success) throw unusable(file, 'is damaged, or of a newer version');
  return parsed.output.environments.map((entry) => ({
    baseUrl: entry.base_url,
    environmentId: entry.environment_id,
    serverName: entry.server_name,
    clientId: entry.client_id,
    token: new Secret(entry.controller_token),
    pairedAt: entry.paired_at,
  }));
}

/** The content of the file with this environment, which replaces an earlier pairing with the same one. */
export function withEnvironment(
  known: readonly PairedEnvironment[],
  added: PairedEnvironment,
): PairedEnvironment[] {
  const others = known.filter(
    ({ baseUrl, environmentId }) => baseUrl !== added.baseUrl || environmentId !== added.environmentId,
  );
  return [...others, added];
}

export function pairedText(environments: readonly PairedEnvironment[]): string {
  const entries = environments.map((one) => ({
    base_url: one.baseUrl,
    environment_id: one.environmentId,
    server_name: one.serverName,
    client_id: one.clientId,
    controller_token: one.token.reveal(),
    paired_at: one.pairedAt,
  }));
  return `${JSON.stringify({ version: 1, environments: entries }, null, 1)}\n`;
}

function unusable(file: string, problem: string, cause?: unknown): EngineError {
  return new EngineError('storeUnavailable', `The file ${file} ${problem}.`, {
    cause,
    remediation: 'Restore it, or remove it and pair again with rc-engine connect --code-stdin.',
  });
}
