import { readFiles } from '../spec/repository.js';
import { type CommandBlock, commandBlocks } from '../support/command-blocks.js';

export interface DocumentWithCommands {
  readonly name: string;
  readonly blocks: readonly CommandBlock[];
}

/** All documents that a reader can take commands from. */
export const readDocuments = () => readFiles('README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs');

export const documentsWithCommands = (): readonly DocumentWithCommands[] =>
  readDocuments()
    .filter(({ path, text }) => path.endsWith('.md') && text.includes('```sh\n'))
    .map(({ path, text }) => ({ name: path, blocks: commandBlocks(text) }));
