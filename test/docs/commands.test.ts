/**
 * Each command block of the README and of docs/ is run as it is written. The comment above a block says what it needs;
 * those that need a clone are in clone-commands.test.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readFiles } from '../spec/repository.js';
import { type CommandBlock, commandBlocks, DocumentMachine } from '../support/command-blocks.js';
import { documentsWithCommands, readDocuments } from './documents.js';

const DOCUMENTS = documentsWithCommands();

const pick = (wanted: (block: CommandBlock) => boolean) =>
  DOCUMENTS.map(({ name, blocks }) => ({ name, blocks: blocks.filter(wanted) })).filter(
    ({ blocks }) => blocks.length > 0,
  );

const RUN = pick(({ notRun, needs }) => notRun === undefined && (needs ?? 'engine') === 'engine');
const OF_REPOSITORY = pick(({ needs }) => needs === 'repository');
const WITH_CODEX = pick(({ needs }) => needs === 'codex');
const CHECKED = pick(({ needs }) => needs === 'check');

async function runAll(name: string, blocks: readonly CommandBlock[]): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'rc-docs-'));
  const machine = await DocumentMachine.create(directory);
  try {
    for (const block of blocks) {
      await machine.run(block).catch((error: Error) => {
        throw new Error(`${name}, line ${block.line}: ${error.message}`);
      });
    }
  } finally {
    await machine.close();
    await rm(directory, { recursive: true, force: true });
  }
}

describe.runIf(process.platform !== 'win32')('the commands of', { timeout: 300_000 }, () => {
  it.each(RUN)('$name', ({ name, blocks }) => runAll(name, blocks));

  it.each(OF_REPOSITORY)('$name that are for this repository', ({ name, blocks }) => runAll(name, blocks));

  it.runIf(process.env.CODEX_BIN).each(WITH_CODEX)('$name that need Codex CLI', ({ name, blocks }) =>
    runAll(name, blocks),
  );
});

describe('the markers above command blocks', () => {
  it('leave no block out, except those that need a machine of somebody else', () => {
    const blocks = DOCUMENTS.flatMap((one) => one.blocks);
    expect(RUN.flatMap((one) => one.blocks).length).toBeGreaterThanOrEqual(60);
    expect(blocks.flatMap(({ notRun }) => notRun ?? [])).toEqual([]);
  });

  it('name commands that .ci/run runs, where they say so', () => {
    const [{ text } = { text: '' }] = readFiles('.ci/run');
    const run = text.replaceAll(' --silent', '');
    const commands = CHECKED.flatMap(({ blocks }) => blocks)
      .flatMap((block) => block.commands)
      .flatMap((line) => line.replace(/ +#.*/, '').split(' && '));
    expect(commands).toContain('npm test');
    for (const command of commands) expect(run).toMatch(new RegExp(`^step .*\\b${command}\\b`, 'm'));
  });

  it('no block has a name under which it would be overlooked', () => {
    const names = readDocuments().flatMap(({ text }) =>
      [...text.matchAll(/^```(bash|shell|console|zsh)$/gm)].map(([, name]) => name),
    );
    expect(names).toEqual([]);
  });

  it.each(['', 'nor run: a typing error', 'not run:', 'not run: short', 'run beside a engine'])(
    'an unknown one is an error: %j',
    (marker) => {
      const text = `Text.\n\n<!-- ${marker} -->\n\`\`\`sh\nrc-engine status\n\`\`\`\n`;
      if (marker === '') expect(commandBlocks(text.replace('<!--  -->\n', ''))).toHaveLength(1);
      else expect(() => commandBlocks(text)).toThrow('unknown marker');
    },
  );
});
