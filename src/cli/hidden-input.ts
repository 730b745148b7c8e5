import { block, stderr } from './output/terminal.js';
import { withoutWaiting } from './output/waiting.js';

const [INTERRUPT, END, BACKSPACE, DELETE, ERASE_LINE] = ['\u0003', '\u0004', '\b', '\u007f', '\u0015'];

/**
 * Reads one line from the terminal without showing it. Ctrl-C ends the process as it does without a question.
 * @param limit The line is given up when it is longer, in characters.
 */
export const readHidden = (question: string, limit: number): Promise<string> =>
  withoutWaiting(() => read(question, limit));

async function read(question: string, limit: number): Promise<string> {
  const stdin = process.stdin;
  // First: who answers at once must not be shown either.
  stdin.setRawMode(true);
  stderr.write(block(question));
  stdin.setEncoding('utf8').resume();
  let line = '';
  try {
    return await new Promise<string>((resolve) => {
      const onData = (text: string): void => {
        // A paste may be wrapped in markers, and arrows send sequences: neither is part of a key.
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal sends.
        for (const character of text.replace(/\u001b\[[\d;]*[A-Za-z~]/g, '')) {
          if (character === INTERRUPT) {
            stdin.setRawMode(false);
            stderr.print('');
            process.kill(process.pid, 'SIGINT');
            return;
          }
          if (character === '\r' || character === '\n' || character === END) {
            stdin.off('data', onData);
            resolve(line);
            return;
          }
          if (character === BACKSPACE || character === DELETE) line = line.slice(0, -1);
          else if (character === ERASE_LINE) line = '';
          else if (line.length <= limit) line += character;
        }
      };
      stdin.on('data', onData);
    });
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.print('');
  }
}
