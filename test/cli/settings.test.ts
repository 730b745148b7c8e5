import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flagOf, resolveStartSettings, START_SETTINGS, variableOf } from '../../src/cli/settings.js';
import { tmpFolder } from '../support/tmp.js';

/** Three allowed values of each setting: by flag, by environment (as text), by file. */
const VALUES: Readonly<Record<string, readonly [unknown, string, unknown]>> = {
  authFile: ['/flag/auth.json', '/env/auth.json', '/file/auth.json'],
  baseUrl: ['http://127.0.0.1:1', 'http://127.0.0.1:2', 'embedded'],
  allowHost: [['flag.test'], 'env.test, env.test:8443', ['file.test']],
  caCert: ['/flag.pem', '/env.pem', '/file.pem'],
  listen: ['stdio://', 'off', 'stdio://'],
  remoteControl: ['on', 'off', 'preference'],
  clientName: ['flag', 'env', 'file'],
  authStartup: ['ready', 'recoverable', 'ready'],
  onConflict: ['wait', 'reenroll', 'exit'],
  store: ['memory:', 'sqlite:/env.sqlite', 'none'],
  json: [true, 'false', true],
  logLevel: ['debug', 'error', 'silent'],
  logFormat: ['json', 'pretty', 'json'],
};
const asRead = (name: string, text: string): unknown =>
  name === 'json' ? text === 'true' : name === 'allowHost' ? text.split(', ') : text;

/** A mistake in each setting that is checked here: as text, as JSON, and what is said to be allowed. */
const MISTAKES: Readonly<Record<string, readonly [string, unknown, string]>> = {
  authFile: ['', '', 'must not be empty'],
  baseUrl: ['', 5, 'must be a text'],
  allowHost: ['https://my.host/', ['a b'], 'must be a host name, or host:port'],
  caCert: ['', 5, 'must be a text'],
  listen: ['ws://127.0.0.1:0', 'tcp', 'must be off or stdio://'],
  remoteControl: ['maybe', true, 'must be on, off or preference'],
  clientName: ['', '', 'must not be empty'],
  authStartup: ['later', 1, 'must be ready or recoverable'],
  onConflict: ['fight', 'fight', 'must be wait, reenroll or exit'],
  store: ['postgres://x', 'redis:', 'must be sqlite:PATH, memory: or none'],
  json: ['maybe', 'yes', 'must be true or false'],
  logLevel: ['loud', 7, 'must be silent, error, warn, info, debug or trace'],
  logFormat: ['xml', 'xml', 'must be pretty or json'],
};

async function configFile(content: object | string): Promise<string> {
  const path = join(await tmpFolder(), 'config.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('settings of start', () => {
  it('every setting is tried here', () => {
    expect(Object.keys(VALUES).sort()).toEqual(START_SETTINGS.map(({ name }) => name).sort());
  });

  it.each(START_SETTINGS.map(({ name }) => [name]))(
    '%s: flag over environment over file, each of them alone, and none',
    async (name) => {
      const [flag, text, key] = VALUES[name]!;
      const file = await configFile({ [name]: key });
      const none = await configFile({});
      const env = { [variableOf(name)]: text };
      const flags = { [name]: flag };
      const of = async (...args: Parameters<typeof resolveStartSettings>) =>
        (await resolveStartSettings(...args))[name as 'store'];
      expect(await of(flags, env, file)).toEqual(flag);
      expect(await of({}, env, file)).toEqual(asRead(name, text));
      expect(await of({}, {}, file)).toEqual(key);
      expect(await of(flags, {}, none)).toEqual(flag);
      expect(await of({}, {}, none)).toBeUndefined();
      // Shells and unit files set a variable to nothing to mean that it is not set.
      expect(await of({}, { [variableOf(name)]: '' }, file)).toEqual(key);
    },
  );

  it.each(Object.entries(MISTAKES))(
    '%s: a mistake is named by its source, with what is allowed',
    async (name, [text, value, allowed]) => {
      const none = await configFile({});
      const wrong = (flags: object, env: object, file: string) =>
        expect(resolveStartSettings(flags as never, env as never, file)).rejects;
      const said = (source: string, code: string) => ({
        code,
        message: expect.stringMatching(new RegExp(`${source}.*${allowed}`)),
      });
      await wrong({ [name]: value }, {}, none).toMatchObject(said(`^--${flagOf(name)} `, 'usage'));
      if (text !== '') {
        await wrong({}, { [variableOf(name)]: text }, none).toMatchObject(
          said(`^${variableOf(name)} `, 'usage'),
        );
      }
      await wrong({}, {}, await configFile({ [name]: value })).toMatchObject(
        said(`config.json.*"${name}`, 'configInvalid'),
      );
    },
  );

  it('names are what the README says', () => {
    expect(flagOf('onConflict')).toBe('on-conflict');
    expect(variableOf('onConflict')).toBe('RC_ENGINE_ON_CONFLICT');
  });

  it('a file that is not there is an empty one', async () => {
    expect(await resolveStartSettings({}, {}, join(await tmpFolder(), 'config.json'))).toEqual({});
  });

  it('an unknown key is an error that names the likely one', async () => {
    const file = await configFile({ baseurl: 'x' });
    await expect(resolveStartSettings({}, {}, file)).rejects.toMatchObject({
      code: 'configInvalid',
      message: expect.stringContaining('did you mean "baseUrl"?'),
    });
  });
});
