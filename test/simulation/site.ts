/** The whole system of one seed: machines, processes and who talks to whom. Steps act on it. */
import type { Code } from './compile.js';
import { AppServerPart } from './parts/app-server.js';
import { BackendPart } from './parts/backend.js';
import { Client } from './parts/client.js';
import { ControllerPart } from './parts/controller.js';
import { AUTH_FILE, EnginePart, HOME, LOCAL_SOCKET } from './parts/engine.js';
import { Issuer } from './parts/issuer.js';
import { authFile } from './parts/tokens.js';
import type { Machine } from './world/machine.js';
import { World } from './world/world.js';

const CONTROLLERS = 2;
/** How long a person waits for the answer to a sign-out, and how often they look, ms. */
const PATIENCE = 20_000;
const LOOK = 500;

export class Site {
  readonly world: World;
  readonly cloud: Machine;
  readonly host: Machine;
  readonly issuer: Issuer;
  readonly backend: BackendPart;
  readonly appServer: AppServerPart;
  readonly engine: EnginePart;
  readonly controllers: readonly ControllerPart[];
  readonly local: Client;
  /** The account that the person has signed in with last. */
  account = 'acct-1';
  /** Whose identity the engine may use: those who have signed in since the last sign-out. */
  readonly accounts = new Set<string>();
  #signIns = 0;
  /** Until then the person waits for the answer to a sign-out. */
  #signingOutUntil = 0;
  /** A person has to sign in again. */
  signInBroken = false;

  constructor(seed: number, code: Code) {
    const world = new World(seed, code);
    this.world = world;
    this.cloud = world.machine('cloud');
    this.host = world.machine('host');
    this.issuer = new Issuer(world, this.cloud);
    this.backend = new BackendPart(world, this.cloud);
    this.backend.onEvent = ({ kind, detail }) => {
      if (kind !== 'stateSaved') world.trace.add('backend', `${kind} ${JSON.stringify(detail)}`);
    };
    this.appServer = new AppServerPart(world, this.host);
    for (const path of ['/home', '/home/user']) this.host.disk.mkdir(path, 0o755);
    this.host.disk.mkdir(HOME, 0o700);
    this.signIn(this.account);
    this.engine = new EnginePart(world, this.host, {
      ...{ baseUrl: this.backend.url, issuer: this.issuer.url, appServer: this.appServer.url },
    });
    const now = () => this.host.monotonic();
    const phones = world.machine('phones');
    this.controllers = Array.from(
      { length: CONTROLLERS },
      (_, index) =>
        new ControllerPart(world, phones, `phone-${index + 1}`, {
          ...{ baseUrl: this.backend.url, pair: () => this.engine.pair(), now },
        }),
    );
    this.local = new Client(world, this.host, 'local', () => ({ url: `ws+unix:${LOCAL_SOCKET}:/` }), now);
  }

  get clients(): readonly Client[] {
    return [...this.controllers.map(({ client }) => client), this.local];
  }

  start(): void {
    this.issuer.start();
    this.backend.start();
    this.appServer.start();
    this.engine.start();
  }

  /** A person signs in at this machine: when it is awake, and not before a sign-out of theirs was answered. */
  signInSoon(account: string): void {
    const { scheduler } = this.world;
    const wait = Math.max(this.host.asleepFor, this.#signingOutUntil - scheduler.now);
    if (wait <= 0) this.signIn(account);
    else scheduler.after(Math.min(wait, LOOK), () => this.signInSoon(account));
  }

  /** Signs in with Codex CLI, which replaces the account file. */
  signIn(account: string): void {
    const { disk } = this.host;
    const { access, refresh } = this.issuer.issue(account);
    const text = authFile(account, access, refresh, this.host.wall());
    const temporary = `${AUTH_FILE}.new`;
    disk.untroubled(() => {
      if (disk.find(temporary) !== undefined) disk.unlink(temporary);
      const node = disk.create(temporary, 0o600);
      disk.write(node, Buffer.from(text), 0, temporary);
      disk.sync(node, temporary);
      disk.rename(temporary, AUTH_FILE);
      disk.sync(disk.root, '/');
    });
    this.account = account;
    this.accounts.add(account);
    this.#signIns += 1;
    this.signInBroken = false;
    this.world.trace.add('person', `signs in as ${account}`);
  }

  /** By the engine, which forgets the account. Without a client, only the file is removed. */
  signOut(): void {
    const { disk } = this.host;
    const { conversation, process } = this.local;
    this.signInBroken = true;
    if (conversation === undefined) {
      if (disk.find(AUTH_FILE) !== undefined) disk.unlink(AUTH_FILE);
      this.world.trace.add('person', 'deletes the account file');
      return;
    }
    const signIns = this.#signIns;
    this.#signingOutUntil = this.world.scheduler.now + this.host.asleepFor + PATIENCE;
    process.after(0, () =>
      conversation.logout(() => {
        this.#signingOutUntil = 0;
        if (signIns === this.#signIns) this.accounts.clear();
      }),
    );
    this.world.trace.add('person', 'signs out');
  }

  /** Everything around the engine works again. */
  heal(): void {
    const { world, host, engine, issuer, appServer, backend, cloud } = this;
    world.trace.add('world', 'everything is repaired');
    world.network.heal();
    for (const machine of [host, cloud]) {
      machine.disk.full = false;
      machine.disk.broken.read = 0;
      machine.disk.broken.write = 0;
      machine.disk.broken.sync = 0;
      machine.setClock(0);
    }
    issuer.mood = 'good';
    issuer.life = 28 * 86_400;
    appServer.start();
    backend.start();
    backend.fault({ action: 'clear' });
    if (this.signInBroken) this.signInSoon(this.account);
    engine.start();
  }
}
