import { chmod, open, readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import * as v from 'valibot';
import { type ClaimedController, Controller, claim } from '../../controller/controller.js';
import { parseTarget } from '../../net/target.js';
import { EngineError } from '../../protocol/errors.js';
import { Secret } from '../../protocol/secret.js';
import { VERSION } from '../../protocol/version.js';
import { errnoText } from '../../system/errno.js';
import { EXIT, printJson } from '../output/output.js';

interface CallArgs {
  readonly baseUrl: string;
  readonly code?: string | undefined;
  readonly controller?: string | undefined;
  readonly method?: string | undefined;
  readonly params?: string | undefined;
  readonly timeout: number;
  readonly json?: boolean | undefined;
}

const keptSchema = v.object({
  client_id: v.string(),
  controller_token: v.string(),
  environment_id: v.string(),
  server_name: v.string(),
});

/** `rc-engine call`: one request, or one for each line of stdin, to an environment of the embedded backend. */
export async function call(args: CallArgs): Promise<number> {
  const target = parseTarget(args.baseUrl, { allowHosts: [] });
  if (!target.ok) throw new EngineError('targetRefused', target.message);
  const params = args.params === undefined ? undefined : parseParams(args.params);
  const who = await credentials(args);
  const controller = new Controller({ baseUrl: args.baseUrl, token: who.token });
  await controller.connect();
  try {
    const limit = args.timeout * 1000;
    // Before initialize: the first notification may come together with its answer.
    if (args.method === undefined) {
      controller.onNotification((method, body) => printJson({ method, params: body }));
    }
    await controller.request(
      'initialize',
      { clientInfo: { name: 'rc-engine-call', version: VERSION }, capabilities: { experimentalApi: true } },
      limit,
    );
    controller.notify('initialized');
    if (args.method !== undefined) {
      print(await controller.request(args.method, params ?? {}, limit), args.json === true);
      return EXIT.ok;
    }
    for await (const line of createInterface({ input: process.stdin })) {
      const [, method, rest] = /^\s*(\S+)\s*(.*)$/.exec(line) ?? [];
      if (method === undefined) continue;
      try {
        print(
          await controller.request(method, rest === undefined || rest === '' ? {} : parseParams(rest), limit),
          true,
        );
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        printJson({ error: error.message });
      }
    }
    return EXIT.ok;
  } finally {
    await controller.close();
  }
}

function print(result: unknown, json: boolean): void {
  process.stdout.write(`${JSON.stringify(result, null, json ? undefined : 2)}\n`);
}

function parseParams(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new EngineError('usage', `The params are no JSON: ${text.slice(0, 80)}`);
  }
}

/** A code is claimed once; what it was claimed for may be kept in a file. */
async function credentials(args: CallArgs): Promise<ClaimedController> {
  if (args.code !== undefined) {
    // A code can be claimed once: that its fruit can be kept is made sure of before.
    if (args.controller !== undefined) await makeWritable(args.controller);
    // The short codes that people type have a dash in the middle.
    const kind = /^[A-Z0-9]{4}-?[A-Z0-9]{4}$/i.test(args.code) ? 'manual' : 'pairing';
    const claimed = await claim(
      { baseUrl: args.baseUrl },
      { kind, code: new Secret(args.code) },
      { displayName: 'rc-engine call' },
    );
    if (args.controller !== undefined) await keep(args.controller, claimed);
    return claimed;
  }
  if (args.controller === undefined) {
    throw new EngineError(
      'usage',
      'Give a pairing --code, or a --controller file that keeps a claimed one.',
      {
        remediation: 'rc-engine pair makes a code.',
      },
    );
  }
  return read(args.controller);
}

async function keep(file: string, claimed: ClaimedController): Promise<void> {
  const text = JSON.stringify({
    client_id: claimed.clientId,
    controller_token: claimed.token.reveal(),
    environment_id: claimed.environmentId,
    server_name: claimed.serverName,
  });
  try {
    // A file that was there before may be readable to others.
    await chmod(file, 0o600);
    await writeFile(file, `${text}\n`);
  } catch (error) {
    throw new EngineError('usage', `The controller file ${file} cannot be written: ${errnoText(error)}.`, {
      cause: error,
      remediation: 'The code is used up: make room, and ask for a new one with rc-engine pair.',
    });
  }
}

async function makeWritable(file: string): Promise<void> {
  try {
    await (await open(file, 'a', 0o600)).close();
  } catch (error) {
    throw new EngineError('usage', `The controller file ${file} cannot be written: ${errnoText(error)}.`, {
      cause: error,
    });
  }
}

async function read(file: string): Promise<ClaimedController> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it holds no controller' : errnoText(error);
    throw new EngineError('usage', `The controller file ${file} cannot be read: ${why}.`, { cause: error });
  }
  const parsed = v.safeParse(keptSchema, value);
  if (!parsed.success) throw new EngineError('usage', `The controller file ${file} holds no controller.`);
  return {
    clientId: parsed.output.client_id,
    token: new Secret(parsed.output.controller_token),
    environmentId: parsed.output.environment_id,
    serverName: parsed.output.server_name,
  };
}
