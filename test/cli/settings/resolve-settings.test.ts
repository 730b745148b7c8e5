import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveStartSettings } from '../../../src/cli/settings/resolve-settings.js';
import { flagOf, type Setting, variableOf } from '../../../src/cli/settings/setting.js';
import { START_SETTINGS } from '../../../src/cli/settings/start-settings.js';
import { tmpFolder } from '../../support/tmp.js';

/** Values for settings with a check: each accepts some of GOOD and refuses some of BAD. */
const GOOD = [
  ...['off', 'stdio://', 'ws://127.0.0.1:1', 'builtin', 'ws://127.0.0.1:2', 'unix:///tmp/s'],
  ...['memory:', 'none', 'sqlite:/x', 'one.test', 'two.test:8443', 'three.test', '7', '8', '9'],
  ...['a', 'b', 'c'].map((digit) => digit.repeat(64)),
  ...[
    'thread/*',
    'turn/start',
    'remote:engine/*',
    'http://127.0.0.1:1/',
    'http://127.0.0.1:2/',
    'http://127.0.0.1:3/',
    '127.0.0.1:9464',
    '[::1]:9464',
    '10.0.0.1:0',
    'file',
    'auto',
    'ephemeral',
  ],
];
const BAD = ['not like this: at all', 'https://my.host/', '\u0000', ' '];

function valuesFor({ name, check }: Setting): [string, string, string] {
  const good = GOOD.filter((text) => check?.(text) === undefined);
  const [first, second, third] = check === undefined ? [`${name}-1`, `${name}-2`, `${name}-3`] : good;
  if (first === undefined || second === undefined || third === undefined) {
    throw new Error(`Add values to GOOD that ${name} accepts.`);
  }
  return [first, second, third];
}

/** Three allowed values: for the flag, the variable (as string, and as it is resolved) and the file. */
function valuesOf(setting: Setting): { flag: unknown; text: string; env: unknown; file: unknown } {
  const { type, values, min = 0 } = setting;
  if (type === 'boolean') return { flag: true, text: 'false', env: false, file: true };
  if (type === 'integer') return { flag: `${min}`, text: `${min + 1}`, env: min + 1, file: min + 2 };
  const [one, two, three] =
    values === undefined ? valuesFor(setting) : [0, 1, 2].map((n) => String(values[n % values.length]));
  if (type === 'list') return { flag: [one], text: `${two}, ${three}`, env: [two, three], file: [three] };
  return { flag: one, text: String(two), env: two, file: three };
}

/** A wrong value as string and as JSON, and what the message says is allowed. */
function mistakeOf({ type, values, check }: Setting): { text: string; value: unknown; allowed: string } {
  if (type === 'boolean') return { text: 'maybe', value: 'yes', allowed: 'must be true or false' };
  if (type === 'integer') return { text: 'many', value: 1.5, allowed: 'must be a whole number from' };
  if (values !== undefined) return { text: 'no such', value: 7, allowed: `must be ${values[0]}` };
  const text = BAD.find((bad) => check?.(bad) !== undefined) ?? '';
  const allowed = text === '' ? 'must not be empty' : String(check?.(text));
  return { text, value: type === 'list' ? [text] : text, allowed };
}

const ALL = (START_SETTINGS as readonly Setting[]).map((setting) => [setting.name, setting] as const);
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

async function configFile(content: object): Promise<string> {
  const path = join(await tmpFolder(), 'config.json');
  await writeFile(path, JSON.stringify(content));
  return path;
}

describe('settings of start', () => {
  it.each(ALL)(
    '%s: the flag takes precedence over the variable, the variable over the file',
    async (name, setting) => {
      const { flag, text, env, file } = valuesOf(setting);
      const full = await configFile({ [name]: file });
      const none = await configFile({});
      const variables = { [variableOf(name)]: text };
      const flags = { [name]: flag };
      const asRead = setting.type === 'integer' ? Number(flag) : flag;
      const of = async (...args: Parameters<typeof resolveStartSettings>) =>
        (await resolveStartSettings(...args))[name as 'store'];
      expect(await of(flags, { ...variables }, full)).toEqual(asRead);
      expect(await of({}, { ...variables }, full)).toEqual(env);
      expect(await of({}, {}, full)).toEqual(file);
      expect(await of(flags, {}, none)).toEqual(asRead);
      expect(await of({}, {}, none)).toBeUndefined();
    },
  );

  it.each(ALL)(
    'ACC-86: %s leaves the environment once it is read if it may hold a secret',
    async (name, setting) => {
      const { text } = valuesOf(setting);
      const variables = { [variableOf(name)]: text };
      await resolveStartSettings({}, variables, await configFile({}));
      expect(variables).toEqual(setting.mayHoldSecret === true ? {} : { [variableOf(name)]: text });
    },
  );

  it.each(ALL)(
    '%s: the error names the source of a wrong value and what is allowed',
    async (name, setting) => {
      const { text, value, allowed } = mistakeOf(setting);
      const none = await configFile({});
      const wrong = (flags: object, env: object, file: string) =>
        expect(resolveStartSettings(flags as never, env as never, file)).rejects;
      const said = (source: string, code: string) => ({
        code,
        message: expect.stringMatching(new RegExp(`${source}.*${escaped(allowed)}`)),
      });
      const flag = setting.type === 'list' ? [text] : text;
      if (setting.type !== 'boolean') {
        await wrong({ [name]: flag }, {}, none).toMatchObject(said(`^--${flagOf(name)} `, 'usage'));
      }
      if (text !== '') {
        await wrong({}, { [variableOf(name)]: text }, none).toMatchObject(
          said(`^${variableOf(name)} `, 'usage'),
        );
      }
      await wrong({}, {}, await configFile({ [name]: value })).toMatchObject(
        said(`config\\.json.*"${name}`, 'configInvalid'),
      );
    },
  );

  it('an empty variable counts as not set, as in unit files and shells', async () => {
    const file = await configFile({ clientName: 'file' });
    expect(await resolveStartSettings({}, { RC_ENGINE_CLIENT_NAME: '' }, file)).toEqual({
      clientName: 'file',
    });
  });

  it('the names of flags and variables follow from the name of the setting', () => {
    expect(flagOf('onConflict')).toBe('on-conflict');
    expect(variableOf('onConflict')).toBe('RC_ENGINE_ON_CONFLICT');
  });

  it('the file holds numbers as JSON numbers', async () => {
    const path = join(await tmpFolder(), 'config.json');
    await writeFile(path, '{"maxConnections": "5"}');
    await expect(resolveStartSettings({}, {}, path)).rejects.toThrow(
      /"maxConnections" must be a whole number from 1 to/,
    );
  });

  it('a missing file counts as empty', async () => {
    expect(await resolveStartSettings({}, {}, join(await tmpFolder(), 'config.json'))).toEqual({});
  });

  it('an unknown key is an error that proposes a known one', async () => {
    const file = await configFile({ baseurl: 'x' });
    await expect(resolveStartSettings({}, {}, file)).rejects.toMatchObject({
      code: 'configInvalid',
      message: expect.stringContaining('did you mean "baseUrl"?'),
    });
  });
});
