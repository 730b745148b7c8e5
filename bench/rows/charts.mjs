/** The cost of the charts alone, in a process of their own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { line } from '../report.mjs';

export const name = 'charts';

const SCRIPT = fileURLToPath(new URL('../charts-alone.mjs', import.meta.url));
const V8_FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];

const MEASURED = [
  ['remoteControl event that makes a decision', 'remoteControlEvent', 'smallestEvent'],
  ['remoteControl event that changes the state', 'transition', 'smallestEvent'],
  ['remoteControl event that is ignored', 'ignoredEvent', 'smallestEvent'],
  ['virtualClient actor, opened and ended', 'virtualClient', 'smallestActor'],
];
const BYTES_OF = { smallestEvent: 'left to collect', smallestActor: 'while it lives' };

export async function run({ quick }) {
  const args = [...V8_FLAGS, SCRIPT, quick ? 'quick' : 'full'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
  const found = JSON.parse(stdout);
  return MEASURED.flatMap(([what, key, smallest]) =>
    ['us', 'bytes'].map((unit) =>
      line({
        row: name,
        what: unit === 'us' ? what : `${what}: bytes ${BYTES_OF[smallest]}`,
        unit: unit === 'us' ? 'µs' : 'B',
        values: found[key].map((sample) => sample[unit]),
        baseline: { name: 'smallest chart', values: found[smallest].map((sample) => sample[unit]) },
      }),
    ),
  );
}
