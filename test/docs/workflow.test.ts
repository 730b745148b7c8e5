/** The workflow of .github/ runs the steps of .ci/run on each system, and gives no job more rights than it needs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const WORKFLOW = readFileSync(path.join(ROOT, '.github/workflows/ci.yml'), 'utf8');
/** Up to the labs, which are not part of the repository. */
const [RUN = ''] = readFileSync(path.join(ROOT, '.ci/run'), 'utf8').split('if [ -d ../shared');

/** The name and the command of each step of .ci/run. */
const STEPS = [...RUN.replaceAll('\\\n', '').matchAll(/^step (['"])(.*?)\1 +(.*)$/gm)].map(
  ([, , name = '', command = '']) => ({
    name: name.replace(/ \(RC_.*\)$/, ''),
    command: command.replace(/^env (?:\w+=\S+ +)*/, '').trim(),
  }),
);

/** The name and the command of each step of the workflow that is for Windows. */
const WINDOWS = [
  ...WORKFLOW.matchAll(
    /- name: (.*)\n +if: runner\.os == 'Windows'\n(?: +env:\n(?: {10}.*\n)+)? +run: (?:\w+="[^"]*" )?(.*)/g,
  ),
].map(([, name = '', command = '']) => ({ name, command }));

describe('the workflow', () => {
  it('runs each step of .ci/run on Windows, with the same command and in the same order', () => {
    expect(STEPS.length).toBeGreaterThan(10);
    expect(WINDOWS).toEqual(STEPS);
  });

  it('runs .ci/run on the other systems, with each version of Node that is supported', () => {
    expect(WORKFLOW).toContain('os: [ubuntu-latest, macos-latest, windows-latest]');
    expect(WORKFLOW).toContain('node: [20, 22, 24, 26]');
    expect(WORKFLOW).toContain('run: .ci/run');
  });

  it('names a version of each action', () => {
    const actions = [...WORKFLOW.matchAll(/uses: (\S+)/g)].map(([, action]) => action);
    expect(actions.length).toBeGreaterThan(0);
    for (const action of actions) expect(action).toMatch(/^actions\/[\w-]+@v\d+\.\d+\.\d+$/);
  });

  it('may read the repository; only the job that publishes a tag may also ask for an identity', () => {
    const [before = '', publish = ''] = WORKFLOW.split(/^ {2}publish:$/m);
    expect(before).toContain('\npermissions:\n  contents: read\n');
    expect(before).not.toMatch(/: write/);
    expect([...publish.matchAll(/^ +([\w-]+): write$/gm)].map(([, right]) => right)).toEqual(['id-token']);
    expect(publish).toContain("if: startsWith(github.ref, 'refs/tags/v')");
    expect(publish).toContain('npm publish --provenance');
    expect(publish).toContain('needs: check');
  });

  it('writes its repository into package.json before it publishes, because npm compares the two', () => {
    const [, publish = ''] = WORKFLOW.split(/^ {2}publish:$/m);
    expect(publish).toMatch(/run: node scripts\/set-repository\.mjs\n[\s\S]*npm publish --provenance/);
  });
});

describe('scripts/set-repository.mjs', () => {
  const OWNER = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'owner/name' };
  const places: string[] = [];
  afterAll(() => {
    for (const place of places) rmSync(place, { recursive: true, force: true });
  });

  function run(content: object, env: NodeJS.ProcessEnv) {
    const place = mkdtempSync(path.join(tmpdir(), 'rc-repository-'));
    places.push(place);
    const file = path.join(place, 'package.json');
    writeFileSync(file, JSON.stringify(content));
    const script = path.join(ROOT, 'scripts/set-repository.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script], { cwd: place, env, encoding: 'utf8' });
    return { status, stderr, written: JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown> };
  }

  it.each([undefined, 'https://github.com/owner/name', { url: 'git+https://github.com/owner/name.git' }])(
    'writes the repository of the workflow where package.json has %j',
    (repository) => {
      const { status, written } = run({ name: 'x', repository }, OWNER);
      expect(status).toBe(0);
      expect(written).toEqual({
        name: 'x',
        repository: { type: 'git', url: 'git+https://github.com/owner/name.git' },
      });
    },
  );

  it('refuses another repository, also one that differs in case, and says which', () => {
    for (const url of ['https://github.com/other/name', 'https://github.com/Owner/name']) {
      const { status, stderr, written } = run({ repository: { url } }, OWNER);
      expect(status).toBe(1);
      expect(stderr).toContain(`package.json names the repository ${url}, and this workflow runs in`);
      expect(stderr).toMatch(/\n {2}Publish from the repository/);
      expect(written).toEqual({ repository: { url } });
    }
  });

  it('says that it runs in a workflow only', () => {
    const { status, stderr } = run({}, {});
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('GITHUB_REPOSITORY is "", not OWNER/NAME.'),
    ]);
  });
});
