import { block } from './terminal.js';
import { withoutWaiting } from './waiting.js';

/** Asks a person. Ctrl-C ends the process, as it does without a question. */
export const ask = (question: string, where: 'stdout' | 'stderr'): Promise<string> =>
  withoutWaiting(async () => {
    const { createInterface } = await import('node:readline/promises');
    const prompt = createInterface({ input: process.stdin, output: process[where] });
    prompt.on('SIGINT', () => {
      prompt.close();
      process.kill(process.pid, 'SIGINT');
    });
    try {
      return (await prompt.question(String(block(question)))).trim();
    } finally {
      prompt.close();
    }
  });
