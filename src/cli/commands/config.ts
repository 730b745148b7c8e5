import type { Home } from '../../home/home.js';
import { EngineError } from '../../protocol/errors.js';
import { EXIT, suggest, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stderr, stdout, text } from '../output/terminal.js';
import { COLOURS } from '../output/text.js';
import { type CommandGroup, defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import type { ResolvedSetting } from '../settings/resolve-settings.js';
import { flagOf, type Setting, variableOf } from '../settings/setting.js';
import { START_SETTINGS } from '../settings/start-settings.js';

const SETTINGS: readonly Setting[] = START_SETTINGS;

const show = defineCommand({
  name: 'show',
  description: 'Show each setting of start with its value and where the value is from',
  notes:
    'It shows what a start from here would use: flags of this command line, then variables of this environment, then\n' +
    'config.json, then defaults. A running engine has the settings of its own start.',
  positionals: { key: { type: 'string', description: 'Only this setting', completes: 'settings' } },
  settings: SETTINGS.map(({ name }) => name).filter((name) => name !== 'json'),
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [
    ['config show', 'All settings'],
    ['config show listen', 'One setting'],
    ['config show --json', 'One line for each setting, for programs'],
  ],
  run: async ({ key, home: homeDir, json = false, ...flags }) => {
    errorOutput.json = json;
    const only = key === undefined ? undefined : settingNamed(key);
    const home = await locate(homeDir);
    const { parseConfig, readConfigText } = await import('../../home/config-file.js');
    const { memberLine } = await import('../../home/config-edit.js');
    const { configSchema, resolveEach } = await import('../settings/resolve-settings.js');
    const content = await readConfigText(home.configFile);
    const file: Record<string, unknown> = parseConfig(home.configFile, content, configSchema);
    // A copy: resolving takes secrets out of the environment.
    const resolved = resolveEach(flags, { ...process.env }, file).filter(
      ({ setting }) => only === undefined || setting.name === only.name,
    );
    const lineOf = (name: string) => (content === undefined ? undefined : memberLine(content, name));
    if (json) for (const one of resolved) printJson(jsonOf(one, home, lineOf));
    else printRows(resolved, home, lineOf);
    return EXIT.ok;
  },
});

type LineOf = (name: string) => number | undefined;

function jsonOf({ setting, value, origin }: ResolvedSetting, { configFile }: Home, lineOf: LineOf): object {
  const { name, default: byDefault } = setting;
  const hidden = setting.mayHoldSecret === true && value !== undefined;
  return {
    ...{ type: 'setting', name, value: hidden ? '<redacted>' : (value ?? null) },
    ...{ default: byDefault ?? null, origin, flag: `--${flagOf(name)}`, variable: variableOf(name) },
    ...(origin === 'file' ? { file: configFile, line: lineOf(name) } : {}),
  };
}

function printRows(resolved: readonly ResolvedSetting[], { configFile }: Home, lineOf: LineOf): void {
  const width = Math.max(...resolved.map(({ setting }) => setting.name.length));
  const { paint } = stdout;
  for (const { setting, value, origin } of resolved) {
    const { name, default: byDefault = 'not set' } = setting;
    const from = {
      flag: `--${flagOf(name)}`,
      variable: variableOf(name),
      file: `${configFile}:${lineOf(name) ?? '?'}`,
      default: 'default',
    }[origin];
    const hidden = setting.mayHoldSecret === true ? '<redacted>' : undefined;
    const shown = value === undefined ? byDefault : (hidden ?? shownValue(value));
    const marked = origin === 'default' ? text`${shown}` : paint(COLOURS.bold, shown);
    stdout.print(text`${name.padEnd(width)}  ${marked}  ${paint(COLOURS.grey, `(${from})`)}`);
  }
}

const shownValue = (value: unknown): string =>
  Array.isArray(value) ? value.join(', ') : typeof value === 'string' ? value : JSON.stringify(value);

const set = defineCommand({
  name: 'set',
  description: 'Set a key of config.json in the home directory',
  notes:
    'The value is checked first; the rest of the file stays as it is written. A list is separated by commas. The file is\n' +
    'replaced at once, so that a reader never sees half of it. A running engine uses it after a restart.',
  positionals: {
    key: {
      type: 'string',
      description: 'Name of the setting, such as listen or --base-url',
      required: true,
      completes: 'settings',
    },
    value: { type: 'string', description: 'Its value', required: true },
  },
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [
    ['config set listen off', 'No local listener'],
    ['config set maxRemoteClients 100', 'A number'],
    ['config set allowHost a.example.com,b.example.com', 'A list'],
  ],
  run: async ({ key, value, home, json = false }) => {
    errorOutput.json = json;
    const setting = settingNamed(key);
    const { settingFromText } = await import('../settings/resolve-settings.js');
    const checked = settingFromText(setting, String(value));
    const { withMember } = await import('../../home/config-edit.js');
    const file = await change(await locate(home), (content) => withMember(content, setting.name, checked));
    if (json) printJson({ type: 'set', name: setting.name, value: checked, file });
    else stdout.print(text`${setting.name} is ${shownValue(checked)} in ${file} now.`);
    await reportConsequences(home);
    return EXIT.ok;
  },
});

const unset = defineCommand({
  name: 'unset',
  description: 'Remove a key of config.json, so that its default holds',
  positionals: {
    key: { type: 'string', description: 'Name of the setting', required: true, completes: 'settings' },
  },
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [['config unset listen', 'Use the default again']],
  run: async ({ key, home, json = false }) => {
    errorOutput.json = json;
    const setting = settingNamed(key);
    const { withoutMember } = await import('../../home/config-edit.js');
    const file = await change(await locate(home), (content) =>
      content === undefined ? undefined : withoutMember(content, setting.name),
    );
    if (json) printJson({ type: 'unset', name: setting.name, file });
    else
      stdout.print(text`${setting.name} is not in ${file}; its default is ${setting.default ?? 'not set'}.`);
    await reportConsequences(home);
    return EXIT.ok;
  },
});

/** A setting by its key, its flag or its variable. @throws EngineError `usage` */
function settingNamed(given: string): Setting {
  const found = SETTINGS.find(({ name }) =>
    [name, flagOf(name), `--${flagOf(name)}`, variableOf(name)].includes(given),
  );
  if (found !== undefined) return found;
  const names = SETTINGS.map(({ name }) => name);
  const near = suggest(given.replace(/^--/, ''), names);
  throw usageError(
    `Unknown setting ${JSON.stringify(given)}.`,
    near.startsWith('Did') ? near : 'Run rc-engine config show to list all settings.',
  );
}

async function locate(homeDir: string | undefined): Promise<Home> {
  const { checkHome, locateHome, resolveHome } = await import('../../home/home.js');
  const home = locateHome(resolveHome(homeDir));
  checkHome(home.dir);
  return home;
}

/** Writes the changed text when it is valid. The result is the path of the file. */
async function change(
  homeOf: Home,
  edit: (content: string | undefined) => string | undefined,
): Promise<string> {
  const { openHome } = await import('../../home/home.js');
  const { parseConfig, readConfigText } = await import('../../home/config-file.js');
  const { configSchema } = await import('../settings/resolve-settings.js');
  const path = homeOf.configFile;
  const content = await readConfigText(path);
  // A file that is wrong already is not written: the change would hide what its owner must correct.
  parseConfig(path, content, configSchema);
  const next = edit(content);
  if (next === undefined || next === content) return path;
  parseConfig(path, next, configSchema);
  openHome(homeOf.dir);
  const { replaceFile } = await import('../../system/atomic-file.js');
  const { errnoText } = await import('../../system/errno.js');
  const { linkTarget } = await import('../../system/link-target.js');
  try {
    // Of a link, the file that it leads to.
    await replaceFile(linkTarget(path), next, true);
  } catch (error) {
    throw new EngineError('homeUnusable', `${path} cannot be written: ${errnoText(error)}.`, {
      cause: error,
    });
  }
  return path;
}

/** What the owner should know after a change: settings that contradict each other, and that an engine runs. */
async function reportConsequences(homeDir: string | undefined): Promise<void> {
  const home = await locate(homeDir);
  try {
    const { resolveStartSettings } = await import('../settings/resolve-settings.js');
    const { listenerOptions } = await import('../settings/listener-options.js');
    const { DEFAULT_LISTEN } = await import('../settings/start-settings.js');
    const settings = await resolveStartSettings({}, { ...process.env }, home.configFile);
    listenerOptions({ listen: DEFAULT_LISTEN, ...settings });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    stderr.print(`A start would be refused now: ${error.message}`, `  ${error.remediation}`);
  }
  const { findEngine } = await import('../../home/running-engine.js');
  if ((await findEngine(home)) !== undefined) {
    stderr.print('The running engine keeps its settings until it is restarted.');
  }
}

export const config: CommandGroup = {
  name: 'config',
  description: 'Show the settings of start and where they are from, and change config.json',
  subcommands: [show, set, unset],
};
