/** One end-to-end run: a home, a sign-in with marked secrets, a backend, engines, and a search for leaks at its end. */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { type Backend, type BackendOptions, createBackend } from '../../src/backend/index.js';
import { apiKeySignIn, type SignIn, signIn, writeAuth } from './auth.js';
import { type CliOptions, CliProcess, type CliResult, cli } from './cli.js';
import { LineClient } from './control.js';
import { filesOf, findLeaks, type Place, place, processOf } from './leaks.js';
import { Tap } from './tap.js';
import { tmpFolder } from './tmp.js';

export type Json = Record<string, unknown>;

export class Lab {
  readonly folder: string;
  readonly home: string;
  readonly authFile: string;
  readonly #secrets: string[] = [];
  readonly #engines: CliProcess[] = [];
  readonly #seen: Place[] = [];
  readonly #clients: LineClient[] = [];
  /** Files that may hold secrets. */
  readonly exempt: string[];
  #backend: Backend | undefined;
  #tap: Tap | undefined;
  /** The account in auth.json that was written last. */
  account: SignIn | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.home = join(folder, 'home');
    this.authFile = join(this.home, 'auth.json');
    this.exempt = [this.authFile];
  }

  static async open(): Promise<Lab> {
    return new Lab(await tmpFolder());
  }

  /** Created at the first use, always behind a tap, so that the tokens that it issues are known. */
  async backend(options: BackendOptions = {}): Promise<Backend> {
    if (this.#backend === undefined) {
      this.#backend = await createBackend(options);
      this.#tap = await Tap.open(this.#backend.url);
    }
    return this.#backend;
  }

  get tap(): Tap {
    if (this.#tap === undefined) throw new Error('there is no backend yet');
    return this.#tap;
  }

  /** The `--base-url` of the engine. */
  async baseUrl(): Promise<string> {
    const { url } = await this.backend();
    return this.tap.url(url);
  }

  /** Signs in: replaces auth.json. */
  async signIn(accountId = 'account-A', file = this.authFile): Promise<SignIn> {
    const account = signIn(accountId);
    this.mark(account.secrets);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeAuth(file, account.json);
    this.account = account;
    return account;
  }

  async writeAuth(content: object | string): Promise<void> {
    await mkdir(this.home, { recursive: true, mode: 0o700 });
    await writeAuth(this.authFile, content);
  }

  async signInWithApiKey(): Promise<void> {
    const { json, secrets } = apiKeySignIn();
    this.mark(secrets);
    await this.writeAuth(json);
  }

  /** Secrets that must not appear anywhere at the end. */
  mark(secrets: readonly string[]): void {
    this.#secrets.push(...secrets);
  }

  /** `rc-engine start` on this home against this backend, with `--listen off --json` by default. */
  async start(
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
    json = true,
    options: CliOptions = {},
  ): Promise<CliProcess> {
    const baseUrl = args.includes('--base-url') ? [] : ['--base-url', await this.baseUrl()];
    const listen = args.includes('--listen') ? [] : ['--listen', 'off'];
    const face = json ? ['--json'] : [];
    return this.run(['start', '--home', this.home, ...baseUrl, ...listen, ...face, ...args], env, options);
  }

  /** Signed in, started and connected. */
  async connected(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<CliProcess> {
    if (this.account === undefined) await this.signIn();
    const engine = await this.start(args, env);
    await engine.connected();
    return engine;
  }

  /** Any long-lived command; it ends with the lab. */
  run(args: readonly string[], env: NodeJS.ProcessEnv = {}, options: CliOptions = {}): CliProcess {
    const engine = new CliProcess(args, { HOME: this.folder, ...env }, options);
    this.#engines.push(engine);
    return engine;
  }

  /** Stops every process of this lab but one. */
  async stopAllBut(kept: CliProcess): Promise<void> {
    for (const engine of this.#engines) if (engine !== kept) await engine.stop();
  }

  /** A command that ends on its own. Its output is searched for secrets, too. */
  async cli(args: readonly string[], env: NodeJS.ProcessEnv = {}, input = ''): Promise<CliResult> {
    const result = await cli(args, { HOME: this.folder, ...env }, input);
    this.#note(args.join(' '), result);
    return result;
  }

  /** A JSON-RPC connection to the engine of this home, as the commands use it. */
  async control(): Promise<LineClient> {
    const client = await LineClient.connect(join(this.home, 'control.sock'));
    this.#clients.push(client);
    await client.initialize();
    return client;
  }

  async ask(method: string, params: object = {}): Promise<Json> {
    const client = await this.control();
    const answer = await client.call(method, params);
    client.close();
    if ('error' in answer) throw new Error(JSON.stringify(answer.error));
    return answer.result as Json;
  }

  /** The full status of the running engine. */
  async status(): Promise<Json & { remoteControl: Json; counters: Record<string, number> }> {
    return (await this.ask('engine/status/read')) as never;
  }

  /** Waits until the running engine reports this; fails with what it reports instead. */
  async reached(wanted: Json, limitMs = 10_000): Promise<Json> {
    const client = await this.control();
    const limit = Date.now() + limitMs;
    for (;;) {
      const { remoteControl } = (await client.call('engine/status/read', {})).result as {
        remoteControl: Json;
      };
      const there = Object.entries(wanted).every(([key, value]) => remoteControl[key] === value);
      if (there || Date.now() > limit) {
        client.close();
        expect(remoteControl).toMatchObject(wanted);
        return remoteControl;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  requests(route: string): number {
    const events = this.#backend?.events ?? [];
    return events.filter(({ kind, detail }) => kind === 'request' && detail.route === route).length;
  }

  /** What a running engine shows to others. Recorded before it ends. */
  async look(engine: CliProcess): Promise<void> {
    if (!engine.running) return;
    this.#seen.push(...(await processOf(engine.child.pid)));
    const path = join(this.home, 'control.sock');
    const client = await LineClient.connect(path).catch(() => undefined);
    if (client === undefined) return;
    try {
      await client.initialize();
      for (const method of ['engine/status/read', 'engine/audit/read', 'remoteControl/status/read']) {
        this.#seen.push(place(method, JSON.stringify(await client.call(method, {}))));
      }
    } catch {
      // It has ended.
    } finally {
      client.close();
    }
  }

  /** All output and files so far. */
  async places(): Promise<Place[]> {
    const shown = this.#engines.flatMap(({ stdout, stderr }) => [
      place('stdout of the engine', stdout),
      place('stderr of the engine', stderr),
    ]);
    const files = await filesOf(this.folder, this.exempt).catch(() => []);
    return [...this.#seen, ...shown, ...files];
  }

  get secrets(): readonly string[] {
    return [...this.#secrets, ...(this.#tap?.tokens ?? [])];
  }

  /** Stops everything, and fails when a secret was found. */
  async end(alsoShown: readonly Place[] = []): Promise<void> {
    try {
      for (const engine of this.#engines) {
        await this.look(engine);
        await engine.stop();
      }
      const leaks = findLeaks(this.secrets, [...alsoShown, ...(await this.places())]);
      expect(leaks, 'secrets were found outside of auth.json').toEqual([]);
    } finally {
      for (const client of this.#clients) client.close();
      await this.#tap?.close();
      await this.#backend?.close();
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  #note(what: string, { stdout, stderr }: CliResult): void {
    this.#seen.push(place(`stdout of ${what}`, stdout), place(`stderr of ${what}`, stderr));
  }
}

/** A test with its own lab. */
export const it = test.extend<{ lab: Lab }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the names of the fixtures from this pattern
  lab: async ({}, use) => {
    const lab = await Lab.open();
    await use(lab);
    await lab.end();
  },
});
