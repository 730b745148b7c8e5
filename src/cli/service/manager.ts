/** Installs, removes and shows the service of an engine, with systemd or launchd. RC-128 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { findEngine } from '../../home/running-engine.js';
import { EngineError } from '../../protocol/errors.js';
import { replaceFile } from '../../system/atomic-file.js';
import { errnoText } from '../../system/errno.js';
import { whyNotExecutable } from '../../system/processes.js';
import { usageError } from '../errors.js';
import { type ManagerCommand, runCommand, runQuietly, shown } from './commands.js';
import { type ServiceDefinition, serviceDefinition } from './definition.js';
import { bootout, bootstrap, plistPath, plistText, print } from './launchd.js';
import { MARK, type Scope, systemctl, unitName, unitPath, unitText } from './systemd.js';

export type Manager = 'systemd' | 'launchd';

export interface ServicePlace {
  readonly name: string;
  readonly scope: Scope;
  readonly manager: Manager;
  readonly user: string | undefined;
}

interface ServiceState {
  readonly running: boolean;
  readonly enabled: boolean;
  readonly pid: number | null;
  /** What the manager calls the state. */
  readonly detail: string;
  /** What the engine has reported last; empty: nothing. */
  readonly statusText: string;
}

export interface ServiceManager {
  readonly path: string;
  readonly installed: boolean;
  readonly startCommand: string;
  readonly logCommand: string;
  render(definition: ServiceDefinition): Promise<string>;
  start(): Promise<void>;
  uninstall(): Promise<void>;
  state(): Promise<ServiceState>;
  /** What the owner should know, in sentences. */
  notes(): Promise<readonly string[]>;
}

export const createManager = (place: ServicePlace, env: NodeJS.ProcessEnv): ServiceManager =>
  place.manager === 'launchd' ? launchd(place) : systemd(place, env);

type Flags = Readonly<Record<string, unknown>>;

/** What the service runs. @throws EngineError `usage` */
export async function definitionFor(
  flags: Flags,
  place: ServicePlace,
  appServer: readonly string[] | undefined,
  env: NodeJS.ProcessEnv,
): Promise<ServiceDefinition> {
  const { checkHome, locateHome, resolveHome } = await import('../../home/home.js');
  const { parseConfig, readConfigText } = await import('../../home/config-file.js');
  const { configSchema, resolveEach } = await import('../settings/resolve-settings.js');
  const given = flags.home;
  const home = locateHome(resolveHome(typeof given === 'string' ? given : undefined));
  checkHome(home.dir);
  if (place.scope === 'system' && userOf(place, env) === undefined) {
    throw usageError(
      'A service of the system needs a user.',
      'Add --user NAME: the owner of the home directory.',
    );
  }
  const file: Record<string, unknown> = parseConfig(
    home.configFile,
    await readConfigText(home.configFile),
    configSchema,
  );
  const resolved = resolveEach(flags, { ...env }, file);
  const { listenerOptions } = await import('../settings/listener-options.js');
  const settings = Object.fromEntries(
    resolved.filter(({ value }) => value !== undefined).map(({ setting, value }) => [setting.name, value]),
  );
  // A service that its settings keep from starting would only fail later.
  listenerOptions({ listen: 'off', ...settings });
  const script = process.argv[1] ?? '';
  return serviceDefinition({ name: place.name, home: home.dir, resolved, appServer, env, script });
}

/** Writes the definition and starts the service. @throws EngineError `alreadyRunning`, `serviceFailed`, `usage` */
export async function installService(
  manager: ServiceManager,
  definition: ServiceDefinition,
  noStart: boolean,
): Promise<void> {
  refuseForeignFile(manager.path);
  const { locateHome, openHome } = await import('../../home/home.js');
  if (!noStart) {
    const engine = await findEngine(locateHome(definition.home));
    if (engine !== undefined && !manager.installed) {
      throw new EngineError('alreadyRunning', `An engine runs on ${definition.home} already.`, {
        remediation: 'Stop it first with: rc-engine stop',
      });
    }
  }
  openHome(definition.home);
  const content = await manager.render(definition);
  try {
    await mkdir(dirname(manager.path), { recursive: true });
    if (manager.path.startsWith(homedir())) await replaceFile(manager.path, content, true);
    else await writeFile(manager.path, content, { mode: 0o644 });
  } catch (error) {
    throw new EngineError('serviceFailed', `${manager.path} cannot be written: ${errnoText(error)}.`, {
      cause: error,
      remediation: 'Run it with sudo for --system, or leave out --system.',
    });
  }
  if (!noStart) await manager.start();
}

/** A file that somebody else wrote is not replaced and not removed. */
function refuseForeignFile(path: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8').includes(MARK)) return;
  throw usageError(
    `${path} was not written by rc-engine service install.`,
    'Move it away, or choose another --name.',
  );
}

const userOf = ({ user }: ServicePlace, env: NodeJS.ProcessEnv): string | undefined => user ?? env.SUDO_USER;

function systemd(place: ServicePlace, env: NodeJS.ProcessEnv): ServiceManager {
  const { name, scope } = place;
  const path = unitPath(name, scope, env);
  const unit = unitName(name);
  const run = (...args: string[]): ManagerCommand => systemctl(scope, ...args);
  const start: readonly ManagerCommand[] = [run('daemon-reload'), run('enable', unit), run('restart', unit)];
  const log: ManagerCommand = ['journalctl', ...(scope === 'user' ? ['--user'] : []), '-u', unit, '-f'];
  return {
    path,
    get installed() {
      return existsSync(path);
    },
    startCommand: start.map(shown).join(' && '),
    logCommand: shown(log),
    render: async (definition) =>
      unitText(definition, {
        scope,
        user: userOf(place, env),
        notifies: whyNotExecutable('systemd-notify', env) === null,
      }),
    start: async () => {
      for (const command of start) {
        await runCommand(
          command,
          `The unit stays in ${path}. Correct that, then run: ${start.map(shown).join(' && ')}`,
        );
      }
    },
    uninstall: async () => {
      refuseMissing(path);
      refuseForeignFile(path);
      await runCommand(run('disable', '--now', unit), `Then remove ${path} yourself.`);
      await rm(path, { force: true });
      await runQuietly(run('daemon-reload'));
    },
    state: async () => {
      const names = ['ActiveState', 'SubState', 'MainPID', 'StatusText', 'UnitFileState', 'Result'];
      const { stdout, failure } = await runQuietly(
        run('show', ...names.map((one) => `--property=${one}`), unit),
      );
      const found = new Map(
        stdout.split('\n').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]),
      );
      const pid = Number(found.get('MainPID') ?? 0);
      const result = found.get('Result') ?? '';
      const states = [found.get('ActiveState'), found.get('SubState'), result === 'success' ? '' : result];
      return {
        running: found.get('ActiveState') === 'active',
        enabled: found.get('UnitFileState') === 'enabled',
        pid: pid > 0 ? pid : null,
        detail: failure ?? states.filter((one) => one !== undefined && one !== '').join(', '),
        statusText: found.get('StatusText') ?? '',
      };
    },
    notes: async () => (scope === 'user' ? lingerNotes() : []),
  };
}

/** A service of a user runs only while its user is logged in, unless the user lingers. */
async function lingerNotes(): Promise<readonly string[]> {
  const { username } = userInfo();
  const { stdout, failure } = await runQuietly([
    'loginctl',
    'show-user',
    username,
    '--property=Linger',
    '--value',
  ]);
  if (failure === undefined && stdout === 'yes') return [];
  return [
    `The service ends when ${username} logs out. To keep it running: loginctl enable-linger ${username}`,
  ];
}

function launchd(place: ServicePlace): ServiceManager {
  const { name } = place;
  const path = plistPath(name);
  const start = bootstrap(path);
  return {
    path,
    get installed() {
      return existsSync(path);
    },
    startCommand: shown(start),
    logCommand: 'rc-engine logs -f',
    render: async (definition) => plistText(definition),
    start: async () => {
      // A job that is loaded already keeps its old definition.
      await runQuietly(bootout(name));
      await runCommand(start, `The job stays in ${path}. Correct that, then run: ${shown(start)}`);
    },
    uninstall: async () => {
      refuseMissing(path);
      refuseForeignFile(path);
      await runQuietly(bootout(name));
      await rm(path, { force: true });
    },
    state: async () => {
      const { stdout, failure } = await runQuietly(print(name));
      const pid = /^\s*pid = (\d+)/m.exec(stdout)?.[1];
      const detail = failure ?? /^\s*state = (.*)$/m.exec(stdout)?.[1] ?? 'unknown';
      return {
        ...{ running: pid !== undefined, enabled: failure === undefined },
        ...{ pid: pid === undefined ? null : Number(pid), detail, statusText: '' },
      };
    },
    notes: async () => [
      `Errors of its start are in ${join('HOME', 'service.log')}, where HOME is the home directory of the engine.`,
    ],
  };
}

function refuseMissing(path: string): void {
  if (existsSync(path)) return;
  throw new EngineError('notRunning', `The service ${path} does not exist.`, {
    remediation: 'rc-engine service status --system shows one of the system.',
  });
}
