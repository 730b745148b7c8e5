import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.js';
import type { Command } from '../../src/cli/parser/command.js';
import { parseCommandLine } from '../../src/cli/parser/parser.js';
import { parsePlainStart } from '../../src/cli/parser/plain-start.js';
import { resolveStartSettings } from '../../src/cli/settings/resolve-settings.js';
import { START_SETTINGS } from '../../src/cli/settings/start-settings.js';
import { split } from '../support/shell-words.js';

/** Every command that can run, by its full name. */
const COMMAND_LIST: readonly (readonly [string, Command])[] = COMMANDS.flatMap((command) =>
  'subcommands' in command
    ? command.subcommands.map((one) => [`${command.name} ${one.name}`, one] as const)
    : [[command.name, command] as const],
);

describe('every command', () => {
  it.each(COMMAND_LIST)('%s: has a description, options with descriptions, and an example', (_, command) => {
    for (const text of [
      command.description,
      ...Object.values(command.options).map((one) => one.description),
    ]) {
      expect(text, 'starts with a capital letter and ends without a full stop').toMatch(/^[A-Z].*[^.]$/s);
    }
    expect(Object.keys(command.options)).not.toEqual([]);
    expect(command.examples.length).toBeGreaterThan(0);
    const known = START_SETTINGS.map(({ name }) => name as string);
    for (const name of command.settings ?? []) expect(known).toContain(name);
  });

  it.each(COMMAND_LIST)('%s: each example is a valid command line of this command', async (name, command) => {
    for (const [line, description] of command.examples) {
      expect(description).toMatch(/^[A-Z].*[^.]$/);
      const words = split(line);
      const dashes = words.indexOf('--');
      const own = dashes < 0 ? words : words.slice(0, dashes);
      if (dashes >= 0) expect(['start', 'doctor', 'service install']).toContain(name);
      const invocation = await parseCommandLine(own, COMMANDS);
      expect(invocation?.name).toBe(name);
      expect(invocation?.command).toBe(command);
      // The values of settings are checked later, together with the environment and the configuration file.
      const settings = (command.settings ?? []).map((setting) => [setting, invocation?.args[setting]]);
      await resolveStartSettings(Object.fromEntries(settings), {}, '/does/not/exist');
    }
  });

  it('start: the short parser and the full one read the same from a plain command line', async () => {
    const line = split('start --json --home /a --base-url embedded --max-connections 5 --no-token-check');
    const full = await parseCommandLine(line, COMMANDS);
    expect(full?.args).toMatchObject(parsePlainStart(line) ?? {});
    expect(full?.args).toMatchObject({ json: true, home: '/a', maxConnections: '5', noTokenCheck: true });
  });
});
