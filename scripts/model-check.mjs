// Explores the product of the charts that talk to each other, within bounds. A counterexample is printed in words and written
// to model-check.LAW.timeline.json in the current directory, for rc-engine inspect.
import { writeFile } from 'node:fs/promises';
import { importSource } from './import-source.mjs';

const HELP = `Usage: npm run model-check [-- --begin off|connected] [--depth N] [--events N] [--seconds N] [--situations N]
Without --begin both. Defaults: --depth 8 --events 1 --seconds 300 --situations 500000.`;

const options = { depth: 8, events: 1, seconds: 300, situations: 500_000 };
let begins = ['off', 'connected'];
for (let args = process.argv.slice(2); args.length > 0; args = args.slice(2)) {
  const [flag = '', value] = args;
  const name = flag.slice(2);
  if (flag === '--begin' && begins.includes(value)) begins = [value];
  else if (flag.startsWith('--') && Object.hasOwn(options, name) && /^\d+$/.test(value ?? ''))
    options[name] = Number(value);
  else {
    console.error(HELP);
    process.exit(64);
  }
}

const { CHARTS, checkEngine } = await importSource('src/internal.ts');
for (const begin of begins) {
  const { depth, events, seconds, situations } = options;
  const { report, timelines } = checkEngine(CHARTS, {
    ...{ begin, depth, events, situations },
    time: seconds * 1_000,
  });
  console.log(report);
  for (const [law, text] of timelines) {
    const file = `model-check.${law.replaceAll(' ', '-')}.timeline.json`;
    await writeFile(file, text);
    console.log(`It is in ${file}: rc-engine inspect ${file}`);
    process.exitCode = 1;
  }
}
