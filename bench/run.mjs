/**
 * `npm run bench`: measures rc-engine, each figure beside a baseline of the same run.
 * README.md says what each row means.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Generator } from './remote-generator.mjs';
import { machineFacts, printTable } from './report.mjs';
import { CLI } from './subjects.mjs';

const ROWS = [
  'start',
  'recovery',
  'idle-rss',
  'requests',
  'relay',
  'frames',
  'clients',
  'listener',
  'charts',
  'inspector',
];
const USAGE = `npm run bench -- [--only NAME[,NAME]] [--quick] [--json]
  --only   ${ROWS.join(', ')}
  --quick  fewer and shorter repetitions
  --json   one JSON object on stdout instead of the table
  CODEX_BIN=PATH measures Codex CLI in the same run`;

function fail(message) {
  console.error(`bench: ${message}\n${USAGE}`);
  process.exit(2);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const only = values.only?.split(',') ?? ROWS;
    const unknown = only.find((name) => !ROWS.includes(name));
    if (unknown !== undefined) fail(`there is no row "${unknown}"`);
    return {
      rows: ROWS.filter((name) => only.includes(name)),
      quick: values.quick ?? false,
      json: values.json,
    };
  } catch (error) {
    return fail(error.message);
  }
}

function ensureBuilt() {
  if (existsSync(CLI)) return;
  const script = fileURLToPath(new URL('../scripts/build.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [script], {
    stdio: ['ignore', 2, 2],
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  });
  if (status !== 0) process.exit(1);
}

const { rows, quick, json } = readOptions();
const codex = process.env.CODEX_BIN;
if (codex !== undefined && !existsSync(codex)) fail('CODEX_BIN does not exist');
ensureBuilt();

const lines = [];
const failures = [];
for (const name of rows) {
  if (!json) console.error(`… ${name}`);
  const { run } = await import(`./rows/${name}.mjs`);
  const generator = new Generator();
  try {
    lines.push(
      ...(await run({
        /** The programs that take turns: rc-engine, and Codex CLI with CODEX_BIN. */
        programs: codex === undefined ? ['engine'] : ['engine', 'codex'],
        quick,
        repetitions: (full, short) => (quick ? short : full),
        generator,
      })),
    );
  } catch (error) {
    failures.push({ row: name, error: error.message });
    console.error(`bench: ${name} failed: ${error.stack}`);
  } finally {
    generator.close();
  }
}

const machine = machineFacts();
if (json) console.log(JSON.stringify({ machine, quick, lines, failures }));
else {
  const { node, platform, cpu, cores, memoryGiB } = machine;
  console.log(
    `node ${node}, ${platform}, ${cores} cores of ${cpu}, ${memoryGiB} GiB${quick ? ' (quick)' : ''}\n`,
  );
  printTable(lines, (text) => console.log(text));
}
process.exitCode = failures.length > 0 ? 1 : 0;
