// An app server over JSON lines for large amounts of data: `test/deaf` stops reading until SIGUSR2, `test/flood` sends
// as much as requested, as fast as it is read.
import { createInterface } from 'node:readline';

let count = 0;
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const lines = createInterface({ input: process.stdin });
process.on('SIGUSR2', () => process.stdin.resume());
// A paused stdin alone does not keep the process alive.
setInterval(() => {}, 1_000);
process.stdin.on('end', () => process.exit(0));

async function flood({ messages, size }) {
  const pad = 'x'.repeat(size);
  for (let n = 1; n <= messages; n += 1) {
    if (!say({ method: 'test/drop', params: { n, pad } })) {
      await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
  }
}

lines.on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') say({ id, result: { pid: process.pid } });
  else if (method === 'test/load') count += params.n === count + 1 ? 1 : Number.NaN;
  else if (method === 'test/deaf') {
    say({ id, result: {} });
    process.stdin.pause();
  } else if (method === 'test/flood') {
    say({ id, result: {} });
    void flood(params);
  } else if (id !== undefined) say({ id, result: { count } });
});
