/** The manual page `rc-engine(1)`. RC-171 */
import { VERSION } from '../../protocol/version.js';
import { variableOf } from '../settings/setting.js';
import type { CompletionTable, TableCommand, TableOption } from './table.js';

/** Text for roff: no line begins a request, and backslashes and dashes are what they look like. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');

const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
const italic = (text: string): string => `\\fI${roff(text)}\\fR`;

function optionLines({ name, short, spec, value }: TableOption, isSetting: boolean): string[] {
  const flags = [...(short === undefined ? [] : [bold(`-${short}`)]), bold(`--${name}`)].join(', ');
  const parts = [`${spec.description}.`];
  if (spec.values !== undefined) parts.push(`One of: ${spec.values.join(', ')}.`);
  if (spec.default !== undefined) parts.push(`Default: ${spec.default}.`);
  const variable = isSetting
    ? variableOf(name.replace(/-(.)/g, (_all, letter: string) => letter.toUpperCase()))
    : spec.variable;
  if (variable !== undefined) parts.push(`Variable: ${variable}.`);
  return ['.TP', value === undefined ? flags : `${flags} ${italic('VALUE')}`, roff(parts.join(' '))];
}

function commandLines({ path, command, options, positionals }: TableCommand): string[] {
  const own = new Set(Object.keys(command.options));
  // The settings of start are described once.
  const shown = options.filter(({ name }) => own.has(name) || path === 'start');
  const others = options.filter(({ name }) => !own.has(name) && name !== 'help');
  const words = positionals.map(({ name }) => italic(name.toUpperCase())).join(' ');
  const dashes = ['start', 'doctor', 'service install'].includes(path)
    ? ` [${bold('--')} ${italic('COMMAND')}]`
    : '';
  return [
    `.SS ${roff(path)}`,
    `${bold(`rc-engine ${path}`)}${words === '' ? '' : ` ${words}`} [${italic('OPTIONS')}]${dashes}`,
    '.PP',
    roff(`${command.description}.`),
    ...shown
      .filter(({ name }) => name !== 'help')
      .flatMap((option) => optionLines(option, !own.has(option.name))),
    ...(path === 'start' || others.length === 0
      ? []
      : ['.PP', roff(`Also settings of start: ${others.map(({ name }) => `--${name}`).join(', ')}.`)]),
    ...(command.notes === undefined ? [] : ['.PP', roff(command.notes)]),
    ...command.examples.flatMap(([line, does]) => [
      '.PP',
      `${roff(does)}:`,
      '.RS 4',
      roff(`rc-engine ${line}`),
      '.RE',
    ]),
  ];
}

export function manualPage({ commands }: CompletionTable): string {
  return [
    `.TH RC\\-ENGINE 1 "" "rc\\-engine ${roff(VERSION)}" "User Commands"`,
    '.SH NAME',
    'rc\\-engine \\- keeps a local app server reachable, locally and remotely',
    '.SH SYNOPSIS',
    `${bold('rc-engine')} ${italic('COMMAND')} [${italic('OPTIONS')}]`,
    '.SH DESCRIPTION',
    roff(
      'rc-engine enrolls this machine with a backend, keeps one connection to it, and serves the controllers that you pair and clients on this machine with an app server such as Codex. rc-engine COMMAND --help lists the options of a command, rc-engine explain CODE says what a code of an error, a log or the status means.',
    ),
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
    '.SH EXIT STATUS',
    ...[
      ['0', 'success'],
      ['1', 'failure'],
      ['2', 'wrong usage'],
      ['3', 'sign-in needed'],
      ['4', 'another engine runs on this home'],
      ['5', 'no engine runs'],
      ['6', 'connected, but the app server fails'],
      ['70', 'internal error'],
    ].flatMap(([code = '', text = '']) => ['.TP', bold(code), roff(text)]),
    '.SH ENVIRONMENT',
    roff(
      'Each setting of start has a variable, RC_ENGINE_ and its name in capitals. A flag comes before a variable, a variable before a key of config.json.',
    ),
    '.SH FILES',
    '.TP',
    roff('~/.rc-engine'),
    roff(
      'Home directory: sign-in (auth.json), settings (config.json), identity (rc-engine.sqlite), control socket.',
    ),
    '',
  ].join('\n');
}
