/** The GitHub Action: what it writes, against an API on loopback. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, cleanEnv } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SCRIPT = path.join(ROOT, 'action/comment.mjs');

interface Comment {
  readonly id: number;
  body: string;
}

let project: string;
let server: Server;
let comments: Comment[];
let requests: string[];
/** HTTP status of everything; undefined: it works. */
let refusal: number | undefined;

beforeEach(async () => {
  comments = [];
  requests = [];
  refusal = undefined;
  server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      requests.push(`${request.method} ${request.url}`);
      expect(request.headers.authorization).toBe('Bearer secret');
      if (refusal !== undefined) response.writeHead(refusal).end('{}');
      else response.end(JSON.stringify(answer(request, body)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  project = await tmpFolder();
  mkdirSync(path.join(project, 'node_modules'));
  symlinkSync(path.join(ROOT, 'node_modules/xstate'), path.join(project, 'node_modules/xstate'));
  write('.gitignore', 'node_modules\n');
  write('light.machine.ts', LIGHT);
  git('init', '--quiet');
  git('add', '.');
  git('commit', '--quiet', '-m', 'base');
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

function answer({ method, url = '' }: IncomingMessage, body: string): unknown {
  if (method === 'GET') return url.endsWith('page=1') ? comments : [];
  const text = String((JSON.parse(body) as { body: unknown }).body);
  const known = comments.find(({ id }) => url.endsWith(`/comments/${id}`));
  if (method === 'PATCH' && known !== undefined) known.body = text;
  if (method === 'POST') comments.push({ id: comments.length + 7, body: text });
  return {};
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += String(part);
  return text;
}

const LIGHT = `import { createMachine } from 'xstate';
export const light = createMachine({ id: 'light', initial: 'red',
  states: { red: { on: { GO: 'green' } }, green: { on: { STOP: 'red' } } } });
`;
const CHANGED = LIGHT.replace("STOP: 'red'", "STOP: 'yellow'").replace(
  'green: {',
  "yellow: { after: { 500: 'red' } }, green: {",
);

const write = (name: string, text: string) => writeFileSync(path.join(project, name), text);
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
    cwd: project,
    encoding: 'utf8',
  });

/** Runs both steps as action.yml does. */
async function runAction(
  inputs: Record<string, string> = {},
): Promise<{ code: number; log: string; outputs: string; summary: string }> {
  const place = await tmpFolder();
  const file = (name: string, text = '') => {
    writeFileSync(path.join(place, name), text);
    return path.join(place, name);
  };
  const base = git('rev-parse', 'HEAD').trim();
  const outputs = file('outputs');
  const summary = file('summary');
  const env: NodeJS.ProcessEnv = {
    ...cleanEnv(),
    CHARTS_FILES: '*.machine.ts\n',
    CHARTS_COMMAND: `'${process.execPath}' '${CLI}'`,
    CHARTS_TOKEN: 'secret',
    GITHUB_API_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    GITHUB_EVENT_PATH: file('event', JSON.stringify({ pull_request: { number: 5, base: { sha: base } } })),
    GITHUB_OUTPUT: outputs,
    GITHUB_REPOSITORY: 'someone/project',
    GITHUB_STEP_SUMMARY: summary,
    RUNNER_TEMP: place,
    ...inputs,
  };
  let log = '';
  const step = (name: string): Promise<number> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [SCRIPT, name],
        { cwd: project, env, encoding: 'utf8' },
        (error, stdout, stderr) => {
          log += stdout + stderr;
          resolve(typeof error?.code === 'number' ? error.code : 0);
        },
      );
    });
  let code = await step('compare');
  env.CHARTS_DIRECTORY = /^directory=(.*)$/m.exec(readFileSync(outputs, 'utf8'))?.[1] ?? '';
  if (code === 0 && readFileSync(outputs, 'utf8').includes('changed=true'))
    env.CHARTS_PICTURES = 'https://example.test/artifact';
  if (code === 0) code = await step('comment');
  return { code, log, outputs: readFileSync(outputs, 'utf8'), summary: readFileSync(summary, 'utf8') };
}

describe.runIf(process.platform !== 'win32')('the action', { timeout: 120_000 }, () => {
  it('comments once with words, diagram, scenarios and pictures, and changes its comment after that', async () => {
    comments.push({ id: 1, body: 'of somebody else' });
    write('light.machine.ts', CHANGED);
    const first = await runAction();
    expect([first.code, first.log]).toEqual([0, '']);
    expect(first.outputs).toContain('changed=true');
    const [, own] = comments;
    expect(own?.body).toContain('- new state yellow\n');
    expect(own?.body).toContain('- green on STOP: goes to yellow instead of red\n');
    expect(own?.body).toContain('```mermaid\n%% chart ');
    expect(own?.body).toContain('light: 1 new scenarios, 1 gone');
    expect(own?.body).toContain('**New:** From red to red');
    expect(own?.body).toContain('[Pictures of both versions](https://example.test/artifact)');
    expect(own?.body).toContain(first.summary.split('\n')[0]);
    const directory = /^directory=(.*)$/m.exec(first.outputs)?.[1] ?? '';
    expect(readdirSync(directory)).toEqual(
      expect.arrayContaining(['changes.html', 'light.after.svg', 'light.before.svg']),
    );
    write('light.machine.ts', CHANGED.replace('500', '900'));
    await runAction({ CHARTS_SCENARIOS: 'false' });
    expect(comments).toHaveLength(2);
    expect(own?.body).toContain('after 900 ms');
    expect(own?.body).not.toContain('new scenarios');
    // What it said is taken back when the change is.
    write('light.machine.ts', LIGHT);
    await runAction();
    expect(own?.body).toContain('No statechart differs');
  });

  it('says nothing where nothing differs', async () => {
    expect(await runAction()).toMatchObject({
      code: 0,
      log: '',
      outputs: expect.stringContaining('changed=false'),
    });
    expect(requests).toEqual(['GET /repos/someone/project/issues/5/comments?per_page=100&page=1']);
  });

  it('a token that may not comment is a warning, and the summary has the text', async () => {
    refusal = 403;
    write('light.machine.ts', CHANGED);
    const { code, log, summary } = await runAction();
    expect(code).toBe(0);
    expect(log).toMatch(/^::warning::The token may not comment \(HTTP 403\)\..*pull-requests: write/);
    expect(summary).toContain('new state yellow');
  });

  it('charts that need options say so in the comment, and names are no markup', async () => {
    write(
      'light.machine.ts',
      `import { createMachine } from 'xstate'; export const a = createMachine({ id: '<b>@all*', context: ({ input }: any) => ({ x: input.x.y }) });`,
    );
    expect(await runAction()).toMatchObject({ code: 0, log: '' });
    expect(comments[0]?.body).toContain('If it needs input, give it');
    expect(comments[0]?.body).toContain('&lt;b>@\u200ball\\*');
  });

  it.each([
    [{ CHARTS_FILES: '\n' }, '::error::The input `files` names no file.'],
    [{ CHARTS_FILES: 'none.ts' }, 'There is no file or directory none.ts.'],
    [{ GITHUB_EVENT_PATH: '/nowhere' }, '::error::The event of the workflow cannot be read'],
  ])('%j is an error', async (inputs, message) => {
    const { code, log } = await runAction(inputs);
    expect(code).toBe(1);
    expect(log).toContain(message);
    expect(requests).toEqual([]);
  });

  it('an API that fails is an error', async () => {
    refusal = 500;
    write('light.machine.ts', CHANGED);
    expect(await runAction()).toMatchObject({ code: 1, log: expect.stringContaining('HTTP 500') });
  });
});

describe('action.yml', () => {
  const text = readFileSync(path.join(ROOT, 'action/action.yml'), 'utf8');

  it('passes inputs only through the environment, and names a version of each action', () => {
    const scripts = [...text.matchAll(/^ +run: (.*)$/gm)].map(([, script]) => script);
    expect(scripts).toHaveLength(2);
    for (const script of scripts) expect(script).not.toContain('${{');
    for (const [, action] of text.matchAll(/uses: (\S+)/g))
      expect(action).toMatch(/^actions\/[\w-]+@v\d+\.\d+\.\d+$/);
  });

  it('declares each input that it uses, and the script reads each variable that it sets', () => {
    const declared = new Set([...text.matchAll(/^ {2}(\w+):\n {4}description/gm)].map(([, name]) => name));
    const used = [...text.matchAll(/inputs\.(\w+)/g)].map(([, name]) => name);
    expect(used.length).toBeGreaterThan(5);
    for (const name of used) expect(declared).toContain(name);
    const script = readFileSync(SCRIPT, 'utf8');
    for (const [, variable] of text.matchAll(/^ +(CHARTS_\w+):/gm))
      expect(script).toContain(`env.${variable}`);
  });
});
