import { EngineError } from '../../protocol/errors.js';
import { EXIT, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { block, stdout, text } from '../output/terminal.js';
import { COLOURS, type Row } from '../output/text.js';
import { type CommandGroup, defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import type { Manager, ServicePlace } from '../service/manager.js';
import { START_SETTINGS } from '../settings/start-settings.js';

const NAME_WIDTH = 10;

const NAME_OPTIONS = {
  name: { type: 'string', description: 'Name of the service', default: 'rc-engine' },
  system: {
    type: 'boolean',
    description: 'A service of the system instead of this user (systemd, needs root)',
  },
  ...JSON_OPTION,
} as const;

const install = defineCommand({
  name: 'install',
  description: 'Install a service that starts the engine with the machine, and start it',
  progress: 'Installing the service',
  notes:
    'Flags and variables of start that are given here become part of the service; config.json is read at each start.\n' +
    'Without --listen and --auth-startup the service has --listen off and --auth-startup recoverable.\n' +
    'PATH, HOME, CODEX_HOME, proxies without a password and certificate files are recorded. A secret is refused.\n' +
    'A service of a user ends when its user logs out, until: loginctl enable-linger USER',
  settings: START_SETTINGS.map(({ name }) => name).filter((name) => name !== 'json'),
  options: {
    ...HOME_OPTION,
    ...NAME_OPTIONS,
    manager: {
      type: 'string',
      values: ['systemd', 'launchd'],
      description: 'Service manager',
      default: 'launchd on macOS, otherwise systemd',
    },
    user: {
      type: 'string',
      description: 'With --system: the user that the engine runs as',
      default: 'SUDO_USER',
    },
    print: { type: 'boolean', description: 'Print the definition, and change nothing' },
    'no-start': { type: 'boolean', description: 'Write the definition, and do not start it' },
  },
  examples: [
    ['service install -- codex app-server', 'Serve Codex from the next start of the machine on, and now'],
    ['service install --print -- codex app-server', 'Show the unit that would be written'],
    ['service install --name work --home ~/work-engine', 'A second engine on another home'],
  ],
  run: async (args, appServer) => {
    const { json = false, print = false, noStart = false } = args;
    errorOutput.json = json;
    const { createManager, definitionFor, installService } = await import('../service/manager.js');
    const manager = createManager(placeOf(args), process.env);
    const definition = await definitionFor(args, placeOf(args), appServer, process.env);
    if (print) {
      const content = await manager.render(definition);
      if (json) printJson({ type: 'service', path: manager.path, content, notes: definition.notes });
      else stdout.write(block(content));
      return EXIT.ok;
    }
    await installService(manager, definition, noStart);
    const notes = [...definition.notes, ...(await manager.notes())];
    if (json) printJson({ type: 'installed', path: manager.path, started: !noStart, notes });
    else {
      stdout.print(text`Wrote ${manager.path}.`);
      stdout.print(
        noStart
          ? `Start it with: ${manager.startCommand}`
          : 'The service runs now, and starts with the machine.',
      );
      for (const note of notes) stdout.print(note);
      stdout.print(`Its log: ${manager.logCommand}`);
    }
    return EXIT.ok;
  },
});

const uninstall = defineCommand({
  name: 'uninstall',
  description: 'Stop the service and remove its definition; the home directory stays',
  progress: 'Removing the service',
  options: NAME_OPTIONS,
  examples: [['service uninstall', 'Stop and remove the service of this user']],
  run: async (args, appServer) => {
    const { json, manager } = await serviceOf(args, appServer);
    await manager.uninstall();
    if (json) printJson({ type: 'uninstalled', path: manager.path });
    else stdout.print(text`Stopped the service and removed ${manager.path}.`);
    return EXIT.ok;
  },
});

const status = defineCommand({
  name: 'status',
  description: 'Show whether the service is installed and runs',
  progress: 'Asking the service manager',
  notes: 'Exit codes: 0 it runs, 1 it is installed and does not run, 5 it is not installed.',
  options: NAME_OPTIONS,
  examples: [['service status', 'The state of the service; rc-engine status has that of the engine']],
  run: async (args, appServer) => {
    const { json, manager } = await serviceOf(args, appServer);
    if (!manager.installed) {
      throw new EngineError('notRunning', `The service ${manager.path} does not exist.`, {
        remediation: 'Install it with: rc-engine service install',
      });
    }
    const state = await manager.state();
    if (json) printJson({ type: 'service', path: manager.path, ...state });
    else {
      const rows: Row[] = [
        ['service', manager.path],
        ['state', state.running ? `runs, pid ${state.pid ?? 'unknown'}` : `does not run (${state.detail})`],
        ...(state.statusText === '' ? [] : ([['status', state.statusText]] satisfies Row[])),
        ['at start', state.enabled ? 'starts with the machine' : 'does not start with the machine'],
        ['log', manager.logCommand],
      ];
      for (const [name, value] of rows) {
        stdout.print(text`${stdout.paint(COLOURS.grey, name.padEnd(NAME_WIDTH))}${value}`);
      }
      for (const note of await manager.notes()) stdout.print(note);
    }
    return state.running ? EXIT.ok : EXIT.failed;
  },
});

function refuseCommand(appServer: readonly string[] | undefined): void {
  if (appServer === undefined) return;
  throw usageError('Only service install accepts a command after --.', 'Remove -- and what follows it.');
}

/** The service manager of a command that takes no app server. */
async function serviceOf(
  args: PlaceFlags & { readonly json?: boolean | undefined },
  appServer: readonly string[] | undefined,
) {
  refuseCommand(appServer);
  const json = args.json === true;
  errorOutput.json = json;
  const { createManager } = await import('../service/manager.js');
  return { json, manager: createManager(placeOf(args), process.env) };
}

/** @throws EngineError `serviceFailed` where there is neither of the two */
export function managerOf(platform: NodeJS.Platform): Manager {
  if (platform === 'darwin') return 'launchd';
  if (platform !== 'win32') return 'systemd';
  throw new EngineError('serviceFailed', 'Windows has neither systemd nor launchd.', {
    remediation:
      'Let the Task Scheduler start rc-engine: docs/platforms.md has the command. --print --manager systemd shows the flags.',
  });
}

interface PlaceFlags {
  readonly name?: string | undefined;
  readonly system?: boolean | undefined;
  readonly manager?: Manager | undefined;
  readonly user?: string | undefined;
}

function placeOf({ name = 'rc-engine', system = false, manager, user }: PlaceFlags): ServicePlace {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) {
    throw usageError(
      `--name must be a short name of letters, digits, dots and dashes, not ${JSON.stringify(name)}.`,
      'Choose one such as rc-engine-work.',
    );
  }
  if (user !== undefined && !system)
    throw usageError('--user needs --system.', 'Remove --user, or add --system.');
  const used = manager ?? managerOf(process.platform);
  if (system && used === 'launchd') {
    throw usageError('--system is for systemd.', 'Remove it: launchd runs the engine for this user.');
  }
  return { name, scope: system ? 'system' : 'user', manager: used, user };
}

export const service: CommandGroup = {
  name: 'service',
  description: 'Run the engine as a service of systemd or launchd',
  subcommands: [install, uninstall, status],
};
