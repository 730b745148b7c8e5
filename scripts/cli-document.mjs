// docs/cli.md, from the table of commands that the parser, the help, completion and the manual page use.

/** Commands that take the command of an app server after `--`. */
const WITH_COMMAND = new Set(['start', 'doctor', 'service install']);

const EXIT_CODES = [
  ['0', 'success; `status`: connected'],
  ['1', 'failure; `status`: not connected'],
  ['2', 'wrong usage'],
  ['3', 'sign-in needed'],
  ['4', 'another engine runs on this home'],
  ['5', 'no engine runs on this home'],
  ['6', '`status`: connected, but the app server fails'],
  ['70', 'internal error'],
];

/** @returns the text of docs/cli.md */
export function cliDocument({ commands, settings, variableOf, flagOf }) {
  const settingNames = new Set(settings.map(({ name }) => flagOf(name)));
  return [
    '# The command line',
    '',
    '<!-- Made by `npm run docs` from the table of commands. Change src/cli/, not this file. -->',
    '',
    '`rc-engine COMMAND --help` prints the same. Each setting of `start` has three forms: a flag, a variable, and a key of',
    '`config.json` in the home. A flag comes before a variable, a variable before the file.',
    '',
    '| command | what it does |',
    '| --- | --- |',
    ...commands.map(
      ({ path, command }) => `| [\`${path}\`](#${anchorOf(path)}) | ${cell(command.description)}. |`,
    ),
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...EXIT_CODES.map((row) => `| ${row.join(' | ')} |`),
    '',
    '## Settings of start',
    '',
    '| flag | variable | key | what it is | default |',
    '| --- | --- | --- | --- | --- |',
    ...settings.map((setting) => settingRow(setting, { variableOf, flagOf })),
    '',
    ...commands.flatMap((entry) => section(entry, settingNames)),
  ].join('\n');
}

const anchorOf = (path) => `rc-engine-${path.replaceAll(' ', '-')}`;

function settingRow(setting, { variableOf, flagOf }) {
  const { name, type, values, min, max, default: value } = setting;
  const notes = [
    ...(values === undefined ? [] : [`One of ${values.map((one) => `\`${one}\``).join(', ')}.`]),
    ...(min === undefined || max === undefined ? [] : [`From ${min} to ${max}.`]),
    ...(type === 'list' ? ['In the file a list; in the variable with commas.'] : []),
  ];
  return row([
    `\`--${flagOf(name)}\``,
    `\`${variableOf(name)}\``,
    `\`${name}\``,
    [`${cell(setting.description)}.`, ...notes].join(' '),
    value === undefined ? '' : `\`${code(value)}\``,
  ]);
}

function section({ path, command, options, positionals }, settingNames) {
  const own = options.filter(({ name }) => name in command.options);
  const shared = options.filter(({ name }) => !(name in command.options) && settingNames.has(name));
  const usage = [
    `rc-engine ${path}`,
    ...positionals.map(({ name, isList }) => {
      const word = `${name.toUpperCase()}${isList ? '...' : ''}`;
      return command.positionals[name].required ? word : `[${word}]`;
    }),
    '[OPTIONS]',
    ...(WITH_COMMAND.has(path) ? ['[-- COMMAND]'] : []),
  ];
  return [
    `## rc-engine ${path}`,
    '',
    `${command.description}.`,
    '',
    '```text',
    usage.join(' '),
    '```',
    '',
    ...positionals.map(
      ({ name }) => `- \`${name.toUpperCase()}\`: ${text(command.positionals[name].description)}`,
    ),
    ...(positionals.length > 0 ? [''] : []),
    ...(own.length > 0 ? ['| option | what it is |', '| --- | --- |', ...own.map(optionRow), ''] : []),
    ...(path === 'start'
      ? ['All [settings](#settings-of-start) are options, too.', '']
      : shared.length > 0
        ? [`[Settings of start](#settings-of-start) that it takes, too: ${flags(shared)}.`, '']
        : []),
    ...(command.notes === undefined ? [] : ['```text', command.notes, '```', '']),
    ...command.examples.flatMap(([line, does]) => [`- ${text(does)}: \`rc-engine ${line}\``]),
    ...(command.examples.length > 0 ? [''] : []),
  ];
}

const flags = (options) => options.map(({ name }) => `\`--${name}\``).join(', ');

function optionRow({ name, short, spec, value }) {
  const names = [...(short === undefined ? [] : [`-${short}`]), `--${name}`];
  const shown = names.map((one) => `\`${one}${value === undefined ? '' : ' VALUE'}\``).join(', ');
  const parts = [`${cell(spec.description)}.`];
  if (spec.required) parts.push('Required.');
  if (spec.values !== undefined) parts.push(`One of ${spec.values.map((one) => `\`${one}\``).join(', ')}.`);
  if (spec.default !== undefined) parts.push(`Default: \`${code(spec.default)}\`.`);
  if (spec.variable !== undefined) parts.push(`Variable: \`${spec.variable}\`.`);
  return row([shown, parts.join(' ')]);
}

const row = (cells) => `| ${cells.join(' | ')} |`;
/** Angle brackets would be HTML, and square brackets a link. */
const text = (value) => value.replace(/[<[]/g, '\\$&');
/** In a table, and there between backticks. */
const code = (value) => value.replaceAll('|', '\\|').replaceAll('\n', ' ');
const cell = (value) => code(text(value));
