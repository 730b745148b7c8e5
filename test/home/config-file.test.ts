import { execFileSync } from 'node:child_process';
import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/home/config-file.js';
import { EngineError } from '../../src/protocol/errors.js';
import { tmpFolder } from '../support/tmp.js';

const schema = v.strictObject({
  baseUrl: v.optional(v.string()),
  remoteControl: v.optional(v.picklist(['on', 'off', 'preference']), 'on'),
  maxRemoteClients: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  allowHosts: v.optional(v.array(v.string())),
  log: v.optional(v.object({ level: v.picklist(['info', 'debug']), file: v.optional(v.string()) })),
  proxy: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => text.startsWith('http'), 'must be an http(s) URL'),
    ),
  ),
});

async function configOf(text: string | Uint8Array): Promise<string> {
  const path = join(await tmpFolder(), 'config.json');
  await writeFile(path, text);
  return path;
}

async function problem(text: string | Uint8Array): Promise<string> {
  const path = await configOf(text);
  const error = await readConfigFile(path, schema).catch((reason: unknown) => reason);
  if (!(error instanceof EngineError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
  expect(error.code).toBe('configInvalid');
  expect(error.cause === undefined || !JSON.stringify(error.cause).includes('hush')).toBe(true);
  const start = `The configuration file ${path} `;
  expect(error.message.slice(0, start.length)).toBe(start);
  return error.message.slice(start.length);
}

describe('configuration file', () => {
  it('RC-8c: refuses a file that other users can change', async () => {
    const path = await configOf('{}');
    for (const mode of [0o666, 0o620, 0o602]) {
      await chmod(path, mode);
      await expect(readConfigFile(path, schema)).rejects.toMatchObject({
        code: 'configInvalid',
        message: expect.stringContaining(`can be changed by other users (mode 0${mode.toString(8)})`),
      });
    }
    await chmod(path, 0o644);
    await expect(readConfigFile(path, schema)).resolves.toBeDefined();
  });

  it('names a repeated key, also with escapes: the parser must not choose one silently', async () => {
    expect(await problem('{"baseUrl": "a", "remoteControl": "on", "base\\u0055rl": "b"}')).toMatch(
      /contains the key "baseUrl" twice/,
    );
    expect(await problem('{"log": {}, "log": {}}')).toMatch(/contains the key "log" twice/);
  });

  it('a pipe in its place does not block the start', async () => {
    const path = join(await tmpFolder(), 'config.json');
    execFileSync('mkfifo', [path]);
    await expect(readConfigFile(path, schema)).rejects.toThrow(/is a pipe, not a file/);
  });

  it('counts as an empty object when the file is missing', async () => {
    expect(await readConfigFile(join(await tmpFolder(), 'config.json'), schema)).toEqual({
      remoteControl: 'on',
    });
  });

  it('gives its content, with the defaults of the schema', async () => {
    const path = await configOf('\ufeff{ "baseUrl": "https://chatgpt.com/x", "log": {"level": "debug"} }\n');
    expect(await readConfigFile(path, schema)).toEqual({
      baseUrl: 'https://chatgpt.com/x',
      remoteControl: 'on',
      log: { level: 'debug' },
    });
  });

  it('names an unknown key and the most similar one', async () => {
    expect(await problem('{"base_url": "x"}')).toBe(
      'is not valid: "base_url" is not a known key (did you mean "baseUrl"?).',
    );
    expect(await problem('{"remoteContorl": "on"}')).toContain('did you mean "remoteControl"?');
    expect(await problem('{"log": {"level": "info", "lvel": 1}}')).toBe(
      'is not valid: "log.lvel" is not a known key (did you mean "log.level"?).',
    );
  });

  it('lists the allowed keys when none is similar', async () => {
    expect(await problem('{"zzz": 1}')).toBe(
      'is not valid: "zzz" is not a known key (allowed: baseUrl, remoteControl, maxRemoteClients, allowHosts, log, proxy).',
    );
    expect(await problem('{"__proto__": {}, "constructor": 1}')).toContain(
      '"constructor" is not a known key',
    );
  });

  it('names the key, what is wrong and what is allowed', async () => {
    expect(await problem('{"remoteControl": "onn"}')).toBe(
      'is not valid: "remoteControl" must be "on" or "off" or "preference", not "onn".',
    );
    expect(await problem('{"maxRemoteClients": 0}')).toBe(
      'is not valid: "maxRemoteClients" must be >=1, not 0.',
    );
    expect(await problem('{"allowHosts": ["a", 5]}')).toBe(
      'is not valid: "allowHosts.1" must be a string, not 5.',
    );
    expect(await problem('{"log": {}}')).toBe('is not valid: "log.level" is missing.');
    expect(await problem('{"log": null}')).toContain('"log" must be an object, not null');
    expect(await problem('{"proxy": "ftp://x"}')).toBe('is not valid: "proxy" must be an http(s) URL.');
  });

  it('names every problem, up to five', async () => {
    expect(await problem('{"baseUrl": 1, "remoteControl": true, "q": 1}')).toBe(
      'is not valid: "q" is not a known key (allowed: baseUrl, remoteControl, maxRemoteClients, allowHosts, log, proxy); ' +
        '"baseUrl" must be a string, not 1; "remoteControl" must be "on" or "off" or "preference", not true.',
    );
    expect(await problem('{"q1":1,"q2":1,"q3":1,"q4":1,"q5":1,"q6":1,"q7":1}')).toMatch(/; and 2 more\.$/);
  });

  it('never quotes a string that may be a secret', async () => {
    expect(await problem('{"maxRemoteClients": "hush"}')).toContain('not a string');
    expect(await problem('{"proxy": "hush"}')).not.toContain('hush');
    expect(await problem('{"baseUrl": "hush", }')).not.toContain('hush');
    expect(await problem('{"baseUrl": hush}')).not.toContain('hush');
  });

  it.each([
    ['', 'line 1, column 1: the file ends where a value is expected'],
    ['{\n  "a": 1,\n}', 'line 3, column 1: a comma before } is not allowed'],
    ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: expected a comma or }'],
    ["{'a': 1}", 'line 1, column 2: strings need double quotes; expected a key in double quotes'],
    ['{"a": 1} x', 'line 1, column 10: unexpected content after the value'],
    ['// x\n{}', 'line 1, column 1: comments are not allowed; expected a value'],
    ['{"a": "C:\\x"}', 'line 1, column 10: invalid escape; write \\\\ for a backslash'],
  ])('says where %j is not valid JSON', async (text, where) => {
    expect(await problem(text)).toBe(`is not valid JSON: ${where}.`);
  });

  it('must contain an object', async () => {
    expect(await problem('[]')).toBe('must contain an object in braces, but contains a list.');
    expect(await problem('"x"')).toBe('must contain an object in braces, but contains a string.');
    expect(await problem('null')).toBe('must contain an object in braces, but contains null.');
  });

  it('names a file that cannot be read', async () => {
    const dir = await tmpFolder();
    await mkdir(join(dir, 'config.json'));
    await expect(readConfigFile(join(dir, 'config.json'), schema)).rejects.toMatchObject({
      code: 'configInvalid',
      message: expect.stringContaining('cannot be read: it is a directory, not a file (EISDIR)'),
    });
    expect(await problem(Buffer.from([0x7b, 0xff, 0x7d]))).toBe('is not UTF-8.');
    const large = await configOf('');
    await truncate(large, 1024 * 1024 + 1);
    await expect(readConfigFile(large, schema)).rejects.toMatchObject({
      message: expect.stringContaining('is larger than 1 MiB'),
    });
  });
});
