/** Completion for bash and zsh: functions that are the same in both, and an entry for each. RC-171 */
import type { CompletionTable, Proposal } from './table.js';

/** A word in single quotes: no word of the table has a quote or a space. */
const quoted = (words: readonly string[]): string => `'${words.join(' ')}'`;

/** `f` files, `d` directories, `-` nothing, `w …` these words, `F …` these words and files. */
const encoded = (value: Proposal): string =>
  'words' in value
    ? `${value.kind === 'words' ? 'w' : 'F'} ${value.words.join(' ')}`
    : { files: 'f', directories: 'd', nothing: '-' }[value.kind];

/** Each sets `_rc_engine_found`. They hold the whole table, so that no process starts at a press of Tab. */
function tables({ commands, words }: CompletionTable): string[] {
  const values = commands.flatMap(({ path, options }) =>
    options.flatMap(({ name, short, value }) => {
      if (value === undefined) return [];
      const flags = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
      return [
        `    ${flags.map((flag) => `'${path} ${flag}'`).join('|')}) _rc_engine_found='${encoded(value)}' ;;`,
      ];
    }),
  );
  return [
    '# The words after the program or a group of commands.',
    '_rc_engine_words() {',
    "  _rc_engine_found=''",
    '  case "$1" in',
    ...[...words].map(
      ([path, list]) => `    '${path}') _rc_engine_found=${quoted(list.map(([word]) => word))} ;;`,
    ),
    '  esac',
    '}',
    '# The flags of a command.',
    '_rc_engine_flags() {',
    "  _rc_engine_found='--help --version'",
    '  case "$1" in',
    ...commands.map(
      ({ path, options }) =>
        `    '${path}') _rc_engine_found=${quoted(options.map(({ name }) => `--${name}`))} ;;`,
    ),
    '  esac',
    '}',
    '# What follows a flag; empty for a flag without a value.',
    '_rc_engine_value() {',
    "  _rc_engine_found=''",
    '  case "$1" in',
    ...values,
    '  esac',
    '}',
    '# What an argument without a flag can be: command and position.',
    '_rc_engine_positional() {',
    "  _rc_engine_found='-'",
    '  case "$1" in',
    ...commands.flatMap(({ path, positionals }) =>
      positionals.map(
        ({ value, isList }, at) =>
          `    '${path} '${isList ? '*' : at}) _rc_engine_found='${encoded(value)}' ;;`,
      ),
    ),
    '  esac',
    '}',
    '# Reads one word before the cursor. State: _rc_engine_path, _rc_engine_at, _rc_engine_flag.',
    '_rc_engine_read() {',
    '  if [ -n "$_rc_engine_flag" ]; then',
    '    [ "$1" = "=" ] || _rc_engine_flag=""',
    '    return',
    '  fi',
    '  case "$1" in',
    '    --*=*|=) ;;',
    '    -*)',
    '      _rc_engine_value "$_rc_engine_path $1"',
    '      [ -z "$_rc_engine_found" ] || _rc_engine_flag="$1" ;;',
    '    *)',
    '      _rc_engine_words "$_rc_engine_path"',
    '      if [ -z "$_rc_engine_path" ]; then _rc_engine_path="$1"',
    '      elif [ -n "$_rc_engine_found" ]; then _rc_engine_path="$_rc_engine_path $1"',
    '      else _rc_engine_at=$((_rc_engine_at + 1)); fi ;;',
    '  esac',
    '}',
    '# What the word at the cursor can be.',
    '_rc_engine_propose() {',
    '  case "$1" in',
    '    --*=*)',
    `      _rc_engine_value "$_rc_engine_path \${1%%=*}" ;;`,
    '    -*)',
    '      _rc_engine_flags "$_rc_engine_path"',
    '      _rc_engine_found="w $_rc_engine_found" ;;',
    '    *)',
    '      _rc_engine_words "$_rc_engine_path"',
    '      if [ -n "$_rc_engine_found" ]; then _rc_engine_found="w $_rc_engine_found"',
    '      else _rc_engine_positional "$_rc_engine_path $_rc_engine_at"; fi ;;',
    '  esac',
    '}',
  ];
}

export const bashScript = (table: CompletionTable): string =>
  [
    '# Completion of rc-engine for bash. Add to ~/.bashrc: eval "$(rc-engine completion bash)"',
    ...tables(table),
    '_rc_engine() {',
    `  local cur="\${COMP_WORDS[COMP_CWORD]}" i word`,
    "  local _rc_engine_path='' _rc_engine_at=0 _rc_engine_flag='' _rc_engine_found=''",
    '  COMPREPLY=()',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    `    word="\${COMP_WORDS[i]}"`,
    '    if [ "$word" = -- ] && [ -z "$_rc_engine_flag" ]; then',
    '      if ((i == COMP_CWORD - 1)); then COMPREPLY=($(compgen -c -- "$cur"))',
    '      else COMPREPLY=($(compgen -f -- "$cur")); fi',
    '      return',
    '    fi',
    '    _rc_engine_read "$word"',
    '  done',
    '  if [ -n "$_rc_engine_flag" ]; then',
    '    _rc_engine_value "$_rc_engine_path $_rc_engine_flag"',
    '    [ "$cur" != "=" ] || cur=""',
    '  else _rc_engine_propose "$cur"; fi',
    '  case "$_rc_engine_found" in',
    '    f) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;',
    '    d) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;',
    `    w*) COMPREPLY=($(compgen -W "\${_rc_engine_found#w }" -- "$cur")) ;;`,
    '    F*)',
    '      compopt -o filenames 2>/dev/null',
    `      COMPREPLY=($(compgen -W "\${_rc_engine_found#F }" -- "$cur") $(compgen -f -- "$cur")) ;;`,
    '  esac',
    '}',
    'complete -F _rc_engine rc-engine',
    '',
  ].join('\n');

export const zshScript = (table: CompletionTable): string =>
  [
    '#compdef rc-engine',
    '# Completion of rc-engine for zsh. Add to ~/.zshrc after compinit: eval "$(rc-engine completion zsh)"',
    ...tables(table),
    '_rc_engine() {',
    `  local cur="\${words[CURRENT]}" i word`,
    "  local _rc_engine_path='' _rc_engine_at=0 _rc_engine_flag='' _rc_engine_found=''",
    '  for ((i = 2; i < CURRENT; i++)); do',
    `    word="\${words[i]}"`,
    '    if [[ "$word" == -- && -z "$_rc_engine_flag" ]]; then',
    '      if ((i == CURRENT - 1)); then _command_names -e; else _files; fi',
    '      return',
    '    fi',
    '    _rc_engine_read "$word"',
    '  done',
    '  if [[ -n "$_rc_engine_flag" ]]; then _rc_engine_value "$_rc_engine_path $_rc_engine_flag"',
    '  else',
    '    _rc_engine_propose "$cur"',
    '    [[ "$cur" != --*=* ]] || compset -P "*="',
    '  fi',
    '  case "$_rc_engine_found" in',
    '    f) _files ;;',
    '    d) _files -/ ;;',
    `    w*) compadd -- \${=_rc_engine_found#w } ;;`,
    `    F*) compadd -- \${=_rc_engine_found#F }; _files ;;`,
    '  esac',
    '}',
    'if [ "$funcstack[1]" = "_rc_engine" ]; then _rc_engine "$@"; else compdef _rc_engine rc-engine; fi',
    '',
  ].join('\n');
