/** The command blocks that install packages or write into the tree, each run in a clone. scripts/test-package.mjs runs it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DocumentMachine } from '../support/command-blocks.js';
import { documentsWithCommands } from './documents.js';

const DOCUMENTS = documentsWithCommands()
  .map(({ name, blocks }) => ({ name, blocks: blocks.filter(({ needs }) => needs === 'clone') }))
  .filter(({ blocks }) => blocks.length > 0);

const enabled = process.env.RC_ENGINE_TEST_TOOLS !== undefined && process.platform !== 'win32';

describe.runIf(enabled)('the commands that need a clone', { timeout: 900_000 }, () => {
  it('are there in the README', () => {
    expect(DOCUMENTS.map(({ name }) => name)).toContain('README.md');
  });

  it('run as they are written', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'rc-clone-'));
    const machine = await DocumentMachine.create(directory);
    try {
      for (const { name, blocks } of DOCUMENTS) {
        for (const block of blocks) {
          await machine.run(block).catch((error: Error) => {
            throw new Error(`${name}, line ${block.line}: ${error.message}`);
          });
        }
      }
      expect(await machine.installedCommand(['--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
    } finally {
      await machine.close();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
