/** `npm run conformance`: generated paths of remoteControl against a client process. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLI } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';
import type { Comparison } from './conformance/compare.js';

const SCRIPT = path.resolve(import.meta.dirname, '../../scripts/conformance.mjs');
const CODEX = process.env.CODEX_BIN ?? '';
const noCodex = existsSync(CODEX) ? '' : ' (skipped: CODEX_BIN is not the path of Codex CLI)';

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function conformance(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const { CODEX_BIN: _, ...rest } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [SCRIPT, ...args], { env: { ...rest, ...env } });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** A script that runs this engine but reports an open link as errored. */
async function wrongStatus(): Promise<string> {
  const file = path.join(await tmpFolder(), 'wrong-status.mjs');
  await writeFile(
    file,
    `import { spawn } from 'node:child_process';
     import { createInterface } from 'node:readline';
     const engine = spawn(process.execPath, [${JSON.stringify(CLI)}, ...process.argv.slice(2)], { stdio: ['pipe', 'pipe', 'inherit'] });
     process.stdin.pipe(engine.stdin);
     const lines = createInterface({ input: engine.stdout });
     lines.on('line', (line) => console.log(line.replaceAll('"status":"connected"', '"status":"errored"')));
     process.on('SIGINT', () => engine.kill('SIGINT'));
     engine.on('exit', (code) => process.exit(code ?? 1));`,
  );
  return file;
}

describe('npm run conformance', () => {
  it('finds no difference between this engine and its chart', { timeout: 60_000 }, async () => {
    const ran = await conformance(['--against', 'rc-engine', '--paths', '4', '--json', '--strict']);
    expect(ran).toMatchObject({ code: 0, err: '' });
    const { paths, differences, unplayable, transitions } = JSON.parse(ran.out) as Comparison;
    expect(differences).toEqual([]);
    expect(unplayable).toEqual([]);
    expect(paths.map(({ outcome }) => outcome)).toEqual(Array(4).fill('same'));
    expect(transitions.same.length).toBeGreaterThan(20);
  });

  it('reports state, event and observation of a difference, and --strict fails', {
    timeout: 60_000,
  }, async () => {
    const [file, out] = [await wrongStatus(), path.join(await tmpFolder(), 'report.md')];
    const args = ['--against', 'rc-engine', '--command', `${process.execPath} ${file}`];
    const limits = ['--paths', '2', '--patience', '4'];
    const ran = await conformance([...args, ...limits, '--format', 'markdown', '--strict', '--out', out]);
    expect(ran).toEqual({ code: 1, out: '', err: '' });
    const [row] = (await readFile(out, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('not explained**'));
    expect(row).toContain('| active.connecting | dial open');
    expect(row).toContain('connected, status connected');
    expect(row).toContain('connected, status errored');
  });

  it('reports why no path could be played when the client does not start', async () => {
    const ran = await conformance(['--against', 'rc-engine', '--command', '/bin/false', '--patience', '1']);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('Could not be played');
    expect(ran.out).toMatch(/\/bin\/false start .* did not answer initialize/);
  });

  it.each<[string, readonly string[], NodeJS.ProcessEnv, RegExp]>([
    ['no target', [], {}, /--against is missing\. Use one of: codex, rc-engine/],
    ['an unknown target', ['--against', 'curl'], {}, /Unknown target curl\. Use one of: codex, rc-engine/],
    ['no CODEX_BIN', ['--against', 'codex'], {}, /CODEX_BIN is not set/],
    [
      'a wrong CODEX_BIN',
      ['--against', 'codex'],
      { CODEX_BIN: '/no/codex' },
      /does not exist at \/no\/codex/,
    ],
    [
      'a wrong command',
      ['--against', 'rc-engine', '--command', '/no/engine'],
      {},
      /\/no\/engine does not exist/,
    ],
    [
      'an unknown format',
      ['--against', 'rc-engine', '--format', 'pdf'],
      {},
      /Unknown format pdf.*text, markdown, json/,
    ],
    ['no number', ['--against', 'rc-engine', '--jobs', 'many'], {}, /--jobs many is not a number/],
    ['an unknown option', ['--agianst', 'codex'], {}, /agianst/],
  ])('refuses %s', async (_what, args, env, message) => {
    const ran = await conformance(args, env);
    expect(ran).toMatchObject({ code: 64, out: '' });
    expect(ran.err).toMatch(message);
  });

  it.skipIf(noCodex !== '')(`plays paths against Codex CLI${noCodex}`, { timeout: 120_000 }, async () => {
    const ran = await conformance(['--against', 'codex', '--paths', '4', '--json'], { CODEX_BIN: CODEX });
    expect(ran).toMatchObject({ code: 0, err: '' });
    const { against, paths, transitions, unplayable } = JSON.parse(ran.out) as Comparison;
    expect([against, paths.length, unplayable]).toEqual(['codex', 4, []]);
    expect(transitions.same).toContain('remoteControl.active.connecting xstate.done.actor.dial 0');
  });
});
