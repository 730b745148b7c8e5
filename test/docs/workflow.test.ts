/** The workflow of .github/ runs the steps of .ci/run on each system, and gives no job more rights than it needs. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

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
});
