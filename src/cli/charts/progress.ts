import { stderr, text } from '../output/terminal.js';

/** Says on a terminal what takes a while. */
export async function withProgress<T>(step: string, work: () => Promise<T>): Promise<T> {
  if (!stderr.overwrites) return work();
  stderr.overwrite(text`${`${step} …`}`);
  try {
    return await work();
  } finally {
    stderr.overwrite(text``);
    stderr.writeSequence('\r');
  }
}
