/** `rc-engine graph` and `paths` with the files of another project. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { FORMATS } from '../../src/visualize/exports.js';
import { CLI, cleanEnv } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
let project: string;

beforeEach(async () => {
  project = await tmpFolder();
  mkdirSync(path.join(project, 'node_modules'));
  symlinkSync(path.join(ROOT, 'node_modules/xstate'), path.join(project, 'node_modules/xstate'));
});

/** Writes files by their paths in the project. */
function files(contents: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(contents)) {
    const file = path.join(project, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

function run(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd: project,
    env: cleanEnv(),
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

/** As `run`; everything but success is an error. */
function ok(...args: string[]): string {
  const { code, stdout, stderr } = run(...args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

const LIGHT = `import { setup } from 'xstate';
export const light = setup({ types: { events: {} as { type: 'GO' } | { type: 'STOP' } } }).createMachine({
  id: 'light', initial: 'red', states: { red: { on: { GO: 'green' } }, green: { on: { STOP: 'red' } } } });
`;
const plain = (id: string) =>
  `{ ${id === '' ? '' : `id: '${id}', `}initial: 'a', states: { a: { on: { GO: 'b' } }, b: { on: { BACK: 'a' } } } }`;

describe('what is loaded', { timeout: 120_000 }, () => {
  it('TypeScript with enums, type imports, parameter properties, and imports without extension or of .js', () => {
    files({
      'src/door.machine.ts': `import { createMachine, type AnyStateMachine } from 'xstate';
        import { Mode } from './mode';
        import { first } from './names.js';
        enum Level { Low = 1, High }
        namespace Names { export const second = 'shut'; }
        class Part { constructor(private readonly name: string) {} get() { return this.name; } }
        export const door: AnyStateMachine = createMachine({ id: 'door', initial: first, states: {
          open: { on: { [Mode.Close]: Names.second }, tags: [String(Level.High)] },
          shut: { on: { OPEN: new Part('open').get() } } } } as never);`,
      'src/mode.ts': `export enum Mode { Close = 'CLOSE' }`,
      'src/names.ts': `export const first = 'open' satisfies string;`,
    });
    const dot = ok('graph', 'src/door.machine.ts', '--format', 'dot');
    expect(dot).toContain('digraph "door"');
    expect(dot).toContain('label="CLOSE"');
  });

  it.each([
    ['a.machine.mjs', "import { createMachine } from 'xstate'; export default createMachine(CHART);"],
    ['a.machine.cjs', "const { createMachine } = require('xstate'); module.exports = createMachine(CHART);"],
    ['a.machine.cts', "import { createMachine } from 'xstate'; export = createMachine(CHART);"],
    ['a.machine.mts', "import { createMachine } from 'xstate'; export default createMachine(await CHART);"],
    ['a.machine.js', "import { createMachine } from 'xstate'; export const one = createMachine(CHART);"],
    ['a.machine.tsx', "import { createMachine } from 'xstate'; export const one = createMachine(CHART);"],
    ['a.machine.js', "exports.one = require('xstate').createMachine(CHART);"],
  ])('%s: %s', (name, text) => {
    files({ [name]: text.replace('CHART', plain('one')) });
    expect(ok('graph', name, '--format', 'dot')).toContain('digraph "one"');
  });

  it('the paths of tsconfig.json, also where it extends another one', () => {
    files({
      'base.json': '{ "compilerOptions": { "paths": { "@app/*": ["./lib/*"] } } }',
      'tsconfig.json': '{ "extends": "./base.json" /* a comment */ }',
      'lib/event.ts': "export const EVENT: string = 'KNOCK';",
      'src/a.machine.ts': `import { createMachine } from 'xstate'; import { EVENT } from '@app/event';
        export default createMachine({ id: 'knocked', initial: 'a', states: { a: { on: { [EVENT]: 'a' } } } });`,
    });
    expect(ok('graph', 'src/a.machine.ts', '--format', 'dot')).toContain('KNOCK');
  });

  it('several machines of a file, in objects and lists, each once, with names that do not clash', () => {
    files({
      'all.ts': `import { createMachine } from 'xstate';
        const one = createMachine(${plain('one')});
        export { one }; export default one;
        export const more = { two: createMachine(${plain('two')}), again: createMachine(${plain('one')}) };
        export const unnamed = createMachine(${plain('')}); export const list = [createMachine(${plain('')})];`,
    });
    ok('graph', 'all.ts', '--format', 'dot', '--out', 'out');
    expect(readdirSync(path.join(project, 'out')).sort()).toEqual(
      ['all.more.again.dot', 'list.0.dot', 'one.dot', 'two.dot', 'unnamed.dot'].sort(),
    );
  });

  it('a machine of another copy of xstate, and one without its input and implementations', () => {
    files({
      'a.machine.ts': `import { createMachine } from 'xstate';
        export const needy = createMachine({ id: 'needy', context: ({ input }: any) => ({ user: input.user.id }),
          initial: 'a', states: { a: { entry: 'missing', on: { GO: { guard: 'missing', target: 'b' } } }, b: {} } });`,
    });
    expect(ok('graph', 'a.machine.ts')).toContain('missing');
  });

  it('an exported definition in JSON', () => {
    files({ 'light.machine.ts': LIGHT });
    ok('graph', 'light.machine.ts', '--format', 'json', '--out', 'json');
    expect(ok('graph', 'json/light.json', '--format', 'dot')).toContain('digraph "light"');
  });

  it('directories and patterns, without node_modules and without files that have no machine', () => {
    files({
      'src/light.machine.ts': LIGHT,
      'src/deep/er/door.machine.js': `export default require('xstate').createMachine(${plain('door')})`,
      'src/other.ts': 'export const other = 1;',
      'src/node_modules/x/x.machine.ts': 'throw new Error("not this one")',
    });
    const names = () => readdirSync(path.join(project, 'rc-engine-charts')).sort();
    ok('graph', 'src', '--format', 'dot');
    expect(names()).toEqual(['door.dot', 'light.dot']);
    ok('graph', 'src/**/*.ts', '--format', 'mermaid', '--out', 'rc-engine-charts');
    expect(names()).toEqual(['door.dot', 'light.dot', 'light.mmd']);
    ok('graph', 'src/**/*.{machine.ts,machine.js}', '--format', 'dot,json');
    expect(names()).toEqual(['door.dot', 'door.json', 'light.dot', 'light.json', 'light.mmd']);
  });

  it('what files print goes to stderr, so that stdout holds only the chart', () => {
    files({ 'light.machine.ts': `console.log('loading');process.stdout.write('!');\n${LIGHT}` });
    const { code, stdout, stderr } = run('graph', 'light.machine.ts', '--format', 'json');
    expect([code, stderr]).toEqual([0, 'loading\n!']);
    expect(JSON.parse(stdout).id).toBe('light');
  });
});

describe('an error says what is wrong where, and what to do, without a stack trace', () => {
  it.each([
    ['const x: = 3;', /^rc-engine: a\.ts has a syntax error at 1:9: Unexpected token\.\n {2}Correct it/],
    ["import './nope';", /a\.ts imports "\.\/nope", which is not found\.\n {2}Correct the path/],
    [
      "import 'not-installed-at-all';",
      /"not-installed-at-all", which is not found\.\n {2}Install it .*tsconfig/,
    ],
    ["import '@/x';", /"@\/x", which is not found\.\n {2}Add it to `paths` of the tsconfig\.json/],
    ["import './below';", /below\.ts imports "\.\/gone", which is not found/],
    [
      'export const config = { initial: "a", states: {} };',
      /export config is the definition of a machine\.\n {2}Export createMachine\(definition\)/,
    ],
    ['export const make = () => 1;', /export make is a function\.\n {2}Export the machine that it returns/],
    ['export const a = 1;', /exports no machine of XState 5, only a\.\n {2}Export what createMachine/],
    ['export {};', /a\.ts exports nothing/],
    ["throw new Error('oops');", /code of a\.ts failed: oops \(a\.ts:1\)\n {2}Correct it/],
    ["throw 'oops';", /code of a\.ts failed: oops\n/],
    [
      "\n\nimport { createMachine } from 'xstate'; export const m = createMachine({ id: 'm', initial: 'a', states: { a: { on: { GO: 'b' } } } });",
      /failed: Invalid transition definition for state node 'm\.a'.*\(a\.ts:3\)/,
    ],
    [
      "import { createMachine } from 'xstate'; export const m = createMachine({ id: 'm', initial: 'b', states: { a: {} } });",
      /The chart m of a\.ts cannot be read: .*"b"/,
    ],
    ['process.exit(0);', /failed: it called process\.exit\(0\)/],
    [
      'Promise.reject(new Error("later")); await new Promise((r) => setTimeout(r, 500)); export {};',
      /code of a\.ts failed: later/,
    ],
    [
      'setTimeout(() => { throw new Error("later"); }, 1); await new Promise((r) => setTimeout(r, 500));',
      /code of a\.ts failed: later/,
    ],
  ])('%s', (text, message) => {
    files({ 'a.ts': text, 'below.ts': "import './gone';" });
    const { code, stdout, stderr } = run('graph', 'a.ts');
    expect([code === 0, stdout]).toEqual([false, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(4);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('each file that cannot be used is named', () => {
    files({ 'a.ts': 'export {};', 'b.ts': "throw new Error('oops')", 'light.machine.ts': LIGHT });
    const { code, stderr } = run('graph', 'a.ts', 'b.ts', 'light.machine.ts', '--out', 'out');
    expect(code).toBe(2);
    expect(stderr).toContain('a.ts exports nothing');
    expect(stderr).toContain('code of b.ts failed: oops');
    expect(stderr).toContain('2 of 3 files cannot be used');
    expect(existsSync(path.join(project, 'out'))).toBe(false);
  });

  it.each([
    [['graph', 'none.ts'], 'There is no file or directory none.ts.', 'Name a file, a directory or a pattern'],
    [['graph', 'x/**/*.ts'], 'No file matches x/**/*.ts.', 'Name a file'],
    [
      ['graph', 'empty'],
      'The directory empty has no file with a name such as checkout.machine.ts.',
      '"empty/**/*.ts"',
    ],
    [['graph', 'notes.txt'], 'notes.txt is neither TypeScript, JavaScript nor JSON.', 'Name a file'],
    [['graph', 'bad.json'], 'bad.json is not the definition of a machine', 'graph --format json'],
    [['graph', 'link', 'light.machine.ts'], '"link" is no file', 'Name only files'],
    [['graph', '*.ts', '--format', 'svg,png'], 'Unknown format "png"', 'Choose one of'],
    [['graph', 'light.machine.ts', '--check', '--diff', 'HEAD'], 'cannot be used together', 'Remove one'],
    [['paths', 'light.machine.ts', '--check'], '--check needs --out', 'Name the directory'],
    [['paths', 'link', '--input', '{}'], '--input is for charts of files', 'Name a file'],
    [['paths', 'light.machine.ts', '--input', '{'], '--input is not JSON', 'For example'],
    [['paths', 'light.machine.ts', '--options', 'options.ts'], 'options for "lihgt"', 'Did you mean light?'],
    [['graph', 'light.machine.ts', '--diff', 'HEAD'], 'not in a git repository', 'Name a commit'],
  ])('%j', (args, message, hint) => {
    files({
      'notes.txt': '',
      'bad.json': '{',
      'light.machine.ts': LIGHT,
      'options.ts': 'export default { lihgt: {} }',
      'empty/readme.ts': '',
    });
    const { code, stdout, stderr } = run(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });
});

describe('--check', { timeout: 120_000 }, () => {
  it('lists what is missing, different or left over, with exit code 1', () => {
    files({ 'src/light.machine.ts': LIGHT });
    const args = ['graph', 'src', '--format', 'svg,mermaid', '--out', 'charts'];
    expect(run(...args, '--check')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('light.svg is missing'),
    });
    expect(existsSync(path.join(project, 'charts'))).toBe(false);
    ok(...args);
    files({ 'charts/note.mmd': 'written by hand' });
    expect(ok(...args, '--check')).toBe('2 files in charts match their charts.\n');
    files({
      'src/light.machine.ts': LIGHT.replaceAll('STOP', 'HALT'),
      'charts/old.mmd': '%% chart 0123456789ab\nstateDiagram-v2\n',
    });
    const { code, stdout, stderr } = run(...args, '--check');
    expect(code).toBe(1);
    expect(stdout).toMatch(/light\.svg does not match its chart; the first difference is in line \d+\.\n/);
    expect(stdout).toContain('old.mmd belongs to no chart.');
    expect(stdout).not.toContain('note.mmd');
    expect(stderr).toContain('Run the same command without --check');
    const json = run(...args, '--check', '--json')
      .stdout.trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(json.map(({ type, problem }) => `${type} ${problem}`)).toEqual([
      'difference different',
      'difference different',
      'difference stale',
    ]);
    // A single file does not say which others there are.
    ok('graph', 'src/light.machine.ts', '--format', 'mermaid', '--out', 'charts');
    ok('graph', 'src/light.machine.ts', '--format', 'mermaid', '--out', 'charts', '--check');
  });

  it('line ends of Windows are no difference', () => {
    files({ 'light.machine.ts': LIGHT });
    ok('graph', 'light.machine.ts', '--format', 'dot', '--out', 'charts');
    const file = path.join(project, 'charts/light.dot');
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('\n', '\r\n'));
    ok('graph', 'light.machine.ts', '--format', 'dot', '--out', 'charts', '--check');
  });
});

describe('--diff', { timeout: 120_000 }, () => {
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      cwd: project,
      stdio: 'pipe',
    });

  it('compares with a revision, in words and pictures, and leaves the repository as it is', () => {
    files({
      'src/light.machine.ts': LIGHT,
      'src/gone.machine.ts': LIGHT.replaceAll('light', 'gone'),
      'src/same.machine.ts': LIGHT.replaceAll('light', 'same'),
      '.gitignore': 'node_modules\nout\n',
    });
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '-m', 'x');
    files({
      'src/light.machine.ts': LIGHT.replace("STOP: 'red'", "STOP: 'yellow'").replace(
        'green: {',
        'yellow: { after: { 500: "red" } }, green: {',
      ),
      'src/new.machine.ts': LIGHT.replaceAll('light', 'fresh'),
    });
    execFileSync('rm', [path.join(project, 'src/gone.machine.ts')]);
    const before = execFileSync('git', ['status', '--short'], { cwd: project, encoding: 'utf8' });
    const said = ok('graph', 'src', '--diff', 'HEAD', '--out', 'out');
    expect(said).toContain(
      '  new state yellow\n  new edge yellow → red on after 500 ms\n  green on STOP: goes to yellow instead of red\n',
    );
    expect(said).toContain('  new chart fresh\n');
    expect(said).toContain('  chart gone removed\n');
    expect(said).not.toContain('same');
    expect(readdirSync(path.join(project, 'out')).sort()).toEqual([
      'changes.html',
      'fresh.after.svg',
      'gone.before.svg',
      'light.after.svg',
      'light.before.svg',
    ]);
    expect(readFileSync(path.join(project, 'out/light.after.svg'), 'utf8')).toContain(
      'data-diff="added" data-state="light.yellow"',
    );
    expect(execFileSync('git', ['status', '--short'], { cwd: project, encoding: 'utf8' })).toBe(before);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`rc-engine-diff-`))).toEqual([]);
    const scenarios = ok('paths', 'src/light.machine.ts', '--diff', 'HEAD');
    expect(scenarios).toMatch(
      /^# light: 1 new scenarios, 1 gone\n\n## New: From red to red\n\n1\. GO → \*\*green\*\*\n2\. STOP → \*\*yellow\*\*/,
    );
    expect(ok('graph', 'src/same.machine.ts', '--diff', 'HEAD')).toBe('No statechart differs from HEAD.\n');
  });

  it('from a directory below, with its own packages, and of a chart that could not be loaded then', () => {
    files({
      'packages/app/light.machine.ts': LIGHT.replace("'xstate'", "'own-xstate'"),
      'packages/app/broken.machine.ts': 'throw new Error("it was broken")',
      '.gitignore': 'node_modules\n',
    });
    mkdirSync(path.join(project, 'packages/app/node_modules'));
    symlinkSync(
      path.join(ROOT, 'node_modules/xstate'),
      path.join(project, 'packages/app/node_modules/own-xstate'),
    );
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '-m', 'x');
    project = path.join(project, 'packages/app');
    files({
      'light.machine.ts': LIGHT.replaceAll('STOP', 'HALT'),
      'broken.machine.ts': LIGHT.replace("'light'", "'broken'"),
    });
    expect(ok('graph', 'light.machine.ts', '--diff', 'HEAD')).toContain('STOP');
    expect(run('graph', '.', '--diff', 'HEAD').stderr).toMatch(
      /charts of [0-9a-f]{12} cannot be loaded: .*it was broken/,
    );
  });
});

describe('paths', { timeout: 120_000 }, () => {
  const UPLOAD = `import { setup, fromPromise } from 'xstate';
    export const upload = setup({ types: { input: {} as { limit: number }, context: {} as { limit: number } },
      actors: { send: fromPromise(async () => 'accepted') },
      guards: { accepted: ({ event }) => { console.log('guard'); return (event as { output?: string }).output === 'accepted'; } },
    }).createMachine({ id: 'upload', context: ({ input }) => ({ limit: input.limit }), initial: 'sending',
      states: { sending: { invoke: { id: 'send', src: 'send',
        onDone: [{ guard: 'accepted', target: 'done' }, { target: 'waiting' }], onError: 'waiting' } },
        waiting: { after: { 1000: 'sending' } }, done: { type: 'final' } } });`;

  it('a chart that needs input says so; options and input come from a module', () => {
    files({
      'upload.machine.ts': UPLOAD,
      'upload.paths.ts': "export const upload = { outcomes: { send: ['accepted', 'busy'] } };",
    });
    const { code, stderr } = run('paths', 'upload.machine.ts');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /The chart upload cannot start: .*limit.*\n {2}If it needs input, give it: --input/,
    );
    const args = ['paths', 'upload.machine.ts', '--options', 'upload.paths.ts', '--input', '{"limit":3}'];
    const drawn = run(...args);
    expect(drawn.code).toBe(0);
    expect(drawn.stdout).toMatch(
      /^# upload: \d scenarios\n\nChart [0-9a-f]{12}\. States 4\/4, transitions 4\/4, guards both ways 2\/2\./,
    );
    expect(drawn.stdout).toContain('send done (busy) → **waiting**');
    expect(drawn.stdout).not.toContain('guard\n');
    run(...args, '--out', 'scenarios');
    expect(run(...args, '--out', 'scenarios', '--check').code).toBe(0);
    files({ 'upload.machine.ts': UPLOAD.replace('1000', '2000') });
    expect(run(...args, '--out', 'scenarios', '--check')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('upload.scenarios.md does not match its chart'),
    });
  });

  it('a chart that throws or grows without end is named with state and event, without a stack trace', () => {
    files({
      'grow.machine.ts': `import { assign, createMachine } from 'xstate';
        export const growth = createMachine({ id: 'growth', context: { n: 0 }, initial: 'still', states: { still: {
          on: { GROW: { actions: assign({ n: ({ context }) => context.n + 1 }) } } } } });`,
      'throw.machine.ts': `import { createMachine } from 'xstate';
        export const thrower = createMachine({ id: 'thrower', initial: 'a', states: { a: { on: { GO: { guard: 'missing', target: 'a' } } } } });`,
    });
    for (const [file, words] of [
      ['grow.machine.ts', /chart growth has more than 20000 situations.*"still".*"GROW"/],
      ['throw.machine.ts', /chart thrower in the state "a" failed on "GO": .*missing/],
    ] as const) {
      const { code, stdout, stderr } = run('paths', file);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr.replaceAll('\n', ' ')).toMatch(words);
      expect(stderr).not.toMatch(/^ +at /m);
    }
  });
});

it('the command line knows the formats of the exporters', () => {
  const { stdout } = run('graph', '--help');
  const [, listed = ''] = /values: ([^\]]*)/.exec(stdout.replace(/\s+/g, ' ')) ?? [];
  expect(listed.split(', ')).toEqual([...FORMATS]);
});
