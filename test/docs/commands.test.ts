/** Each command block of the README and of docs/ is run as it is written, or says above it why it is not run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readFiles } from '../spec/repository.js';
import { commandBlocks, DocumentMachine } from '../support/command-blocks.js';

const DOCUMENTS = readFiles('README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs')
  .filter(({ path: name, text }) => name.endsWith('.md') && text.includes('```sh\n'))
  .map(({ path: name, text }) => ({ name, blocks: commandBlocks(text) }));

const RUN = DOCUMENTS.filter(({ blocks }) => blocks.some(({ notRun }) => notRun === undefined));

describe.runIf(process.platform !== 'win32')('the commands of', { timeout: 180_000 }, () => {
  it.each(RUN)('$name', async ({ name, blocks }) => {
    const directory = await mkdtemp(path.join(tmpdir(), 'rc-docs-'));
    const machine = await DocumentMachine.create(directory);
    try {
      for (const block of blocks) {
        if (block.notRun !== undefined) continue;
        await machine.run(block).catch((error: Error) => {
          throw new Error(`${name}, line ${block.line}: ${error.message}`);
        });
      }
    } finally {
      await machine.close();
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('the markers above command blocks', () => {
  it('leave most of the blocks without an account, an agent or another machine to run', () => {
    const blocks = DOCUMENTS.flatMap((one) => one.blocks);
    const run = blocks.filter(({ notRun }) => notRun === undefined).length;
    expect(run).toBeGreaterThanOrEqual(60);
    expect(blocks.length - run).toBeLessThanOrEqual(12);
  });

  it('no block has a name under which it would be overlooked', () => {
    const names = readFiles('README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs').flatMap(({ text }) =>
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
