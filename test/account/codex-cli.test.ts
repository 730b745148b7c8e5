/** Codex CLI itself on the same account file. CODEX_BIN names its executable. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { granted, LoopbackIssuer, MARK, oauthError, signIn, token } from '../support/issuer.js';
import { tmpFolder } from '../support/tmp.js';
import { Rig } from './rig.js';

const CODEX = process.env.CODEX_BIN ?? '';
const skipped = existsSync(CODEX) ? '' : ' (skipped: CODEX_BIN does not name the executable of Codex CLI)';

class CodexCli {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers = new Map<number, (answer: Record<string, unknown>) => void>();
  #lastId = 0;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as { id?: number; method?: string };
      if (message.method === undefined && message.id !== undefined) this.#answers.get(message.id)?.(message);
    });
  }

  static async start(home: string, at: LoopbackIssuer): Promise<CodexCli> {
    const user = `${home}-user`;
    await mkdir(user, { recursive: true });
    writeFileSync(join(home, 'config.toml'), `chatgpt_base_url = "${at.origin}/backend-api/"\n`);
    const child = spawn(CODEX, ['app-server'], {
      cwd: user,
      env: {
        PATH: process.env.PATH,
        HOME: user,
        CODEX_HOME: home,
        CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${at.origin}/oauth/token`,
        // Nothing of this test may leave this machine.
        HTTPS_PROXY: 'http://127.0.0.1:9',
        HTTP_PROXY: 'http://127.0.0.1:9',
        NO_PROXY: '127.0.0.1,localhost',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stderr.resume();
    const client = new CodexCli(child);
    await client.ask('initialize', { clientInfo: { name: 'test', title: null, version: '1' } });
    return client;
  }

  ask(method: string, params: unknown): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  async account(refreshToken: boolean): Promise<unknown> {
    const { result } = await this.ask('account/read', { refreshToken });
    return (result as { account?: unknown } | undefined)?.account;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

describe.skipIf(skipped !== '')(`Codex CLI${skipped}`, () => {
  let codex: CodexCli | undefined;
  afterEach(async () => {
    await codex?.stop();
    codex = undefined;
  });

  it('ACC-48, ACC-59: both refresh at the same time, five times, and both stay signed in', async () => {
    const home = await tmpFolder();
    const at = await LoopbackIssuer.start();
    const redeemed = new Set<unknown>();
    let collisions = 0;
    let issued = 1;
    at.always('refresh', async ({ fields }) => {
      const again = redeemed.has(fields.refresh_token);
      redeemed.add(fields.refresh_token);
      if (again) collisions += 1;
      // Long enough for the request of the other program to arrive meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (again) return oauthError(401, 'refresh_token_reused');
      issued += 1;
      return granted(token({ plan: 'plus' }), `rt-${MARK}-${issued}`);
    });
    writeFileSync(join(home, 'auth.json'), JSON.stringify(signIn(token())), { mode: 0o600 });
    codex = await CodexCli.start(home, at);
    const rig = await Rig.start({ home, at });
    for (let round = 0; round < 5; round += 1) {
      const [ours] = await Promise.all([rig.account(true), codex.account(true)]);
      expect(ours).toMatchObject({ planType: 'plus' });
      // The later one reads the file before it sends another request.
      expect(await codex.account(true)).toMatchObject({ type: 'chatgpt', planType: 'plus' });
      expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    }
    // Without a collision the test would show nothing.
    expect(collisions).toBeGreaterThan(0);
    expect(redeemed).not.toContain(rig.readAuth().tokens.refresh_token);
    expect(rig.engine.fullStatus.account).toMatchObject({ problem: null });
  }, 60_000);
});
