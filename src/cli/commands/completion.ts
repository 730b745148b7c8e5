import { basename } from 'node:path';
import { EXIT, oneOf } from '../errors.js';
import { block, stdout } from '../output/terminal.js';
import { type Command, type CommandGroup, defineCommand } from '../parser/command.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** @param commands all commands, this one included */
export const completionOf = (commands: () => readonly (Command | CommandGroup)[]): Command =>
  defineCommand({
    name: 'completion',
    description: 'Print a completion script for bash, zsh or fish',
    notes:
      'bash: add to ~/.bashrc                     eval "$(rc-engine completion bash)"\n' +
      'zsh: add to ~/.zshrc, after compinit       eval "$(rc-engine completion zsh)"\n' +
      'fish: run once   rc-engine completion fish > ~/.config/fish/completions/rc-engine.fish',
    positionals: {
      shell: { type: 'string', description: 'bash, zsh or fish [default: that of SHELL]', completes: SHELLS },
    },
    options: {
      man: {
        type: 'boolean',
        description: 'Print the manual page instead: rc-engine completion --man | man -l -',
      },
    },
    examples: [['completion bash', 'Complete commands, flags, values, files, charts and codes in bash']],
    run: async ({ shell, man = false }) => {
      const { CHARTS } = await import('../../engine/charts.js');
      const { completionTable } = await import('../completion/table.js');
      const table = completionTable(commands(), Object.keys(CHARTS));
      if (man) {
        const { manualPage } = await import('../completion/manual.js');
        stdout.write(block(manualPage(table)));
        return EXIT.ok;
      }
      const used = shell === undefined ? shellOf(process.env.SHELL) : oneOf('shell', shell, SHELLS);
      const { bashScript, zshScript } = await import('../completion/shell.js');
      const { fishScript } = await import('../completion/fish.js');
      stdout.write(block({ bash: bashScript, zsh: zshScript, fish: fishScript }[used](table)));
      return EXIT.ok;
    },
  });

/** The shell of the user, where it is one of ours; bash otherwise. */
const shellOf = (path = ''): (typeof SHELLS)[number] =>
  SHELLS.find((shell) => shell === basename(path)) ?? 'bash';
