/** Completion for fish: one line for each command, flag and argument. RC-171 */
import type { CompletionTable, Proposal, TableCommand } from './table.js';

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;

/** After `-x` fish proposes nothing but these words; after `-r` also files. */
function valueFlags(value: Proposal | undefined): string {
  if (value === undefined) return '';
  switch (value.kind) {
    case 'files':
      return ' -r -F';
    case 'directories':
      return " -x -a '(__fish_complete_directories)'";
    case 'words':
      return ` -x -a ${quoted(value.words.join(' '))}`;
    case 'wordsOrFiles':
      return ` -r -F -a ${quoted(value.words.join(' '))}`;
    case 'nothing':
      return ' -x';
  }
}

function condition({ path }: Pick<TableCommand, 'path'>): string {
  const [first = '', second] = path.split(' ');
  const after = (word: string) => `__fish_seen_subcommand_from ${word}`;
  return quoted(second === undefined ? after(first) : `${after(first)}; and ${after(second)}`);
}

export function fishScript({ commands, words }: CompletionTable): string {
  const lines = [
    '# Completion of rc-engine for fish. Save it: rc-engine completion fish > ~/.config/fish/completions/rc-engine.fish',
    'complete -c rc-engine -f',
  ];
  for (const [group, list] of words) {
    const names = list.map(([word]) => word).join(' ');
    const when =
      group === ''
        ? '__fish_use_subcommand'
        : `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${names}`;
    for (const [word, description] of list) {
      lines.push(`complete -c rc-engine -n ${quoted(when)} -a ${word} -d ${quoted(description)}`);
    }
  }
  for (const command of commands) {
    const when = condition(command);
    for (const { name, short, spec, value } of command.options) {
      const letter = short === undefined ? '' : ` -s ${short}`;
      lines.push(
        `complete -c rc-engine -n ${when} -l ${name}${letter}${valueFlags(value)} -d ${quoted(firstSentence(spec.description))}`,
      );
    }
    for (const { value } of command.positionals) {
      if ('words' in value)
        lines.push(`complete -c rc-engine -n ${when} -a ${quoted(value.words.join(' '))}`);
      if (value.kind === 'files' || value.kind === 'wordsOrFiles')
        lines.push(`complete -c rc-engine -n ${when} -F`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const MAX_DESCRIPTION = 90;

/** Fish shows it beside the flag. */
function firstSentence(text: string): string {
  const short = text.split(/[:;(]/, 1).join().trim();
  return short.length <= MAX_DESCRIPTION ? short : `${short.slice(0, MAX_DESCRIPTION - 1)}…`;
}
