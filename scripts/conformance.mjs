// Compares a client with the chart remoteControl. It plays generated paths against the client: the test's backend answers
// as each path says, and requests, connection and public status are compared.
//
//   npm run conformance -- --against codex        Codex CLI; CODEX_BIN is the path of its binary
//   npm run conformance -- --against rc-engine    this engine, as built, or the program of --command
//
//   --command "WORDS"       the program to start instead
//   --format text|markdown|json, --json           format of the report; default text
//   --out FILE              write the report to a file
//   --paths N               maximum number of paths; default all
//   --jobs N                paths at the same time; default 4
//   --patience SECONDS      time for the client to reach the expected state; default 25
//   --strict                exit code 1 when there is a difference that is not explained
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { importSource, ROOT } from './import-source.mjs';

const FORMATS = ['text', 'markdown', 'json'];
const USAGE = 64;

const values = read();
const format = values.json ? 'json' : values.format;
if (!FORMATS.includes(format)) stop(`Unknown format ${format}. Use one of: ${FORMATS.join(', ')}.`);
const { compare } = await importSource('test/model/conformance/compare.ts');
const { reportOf, unexplained } = await importSource('test/model/conformance/report.ts');
const { targetOf, TARGETS } = await importSource('test/model/conformance/targets.ts');
if (values.against === undefined) stop(`--against is missing. Use one of: ${TARGETS.join(', ')}.`);

let target;
try {
  target = targetOf(values.against, { command: values.command, env: process.env, root: ROOT });
} catch (error) {
  stop(error.message);
}

const comparison = await compare(target, {
  jobs: countOf('jobs'),
  patience: countOf('patience') * 1_000,
  paths: values.paths === undefined ? undefined : countOf('paths'),
  onPath: (done) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} paths played`);
  },
});
if (process.stderr.isTTY) process.stderr.write('\n');
const report = reportOf(comparison, format);
if (values.out === undefined) process.stdout.write(report);
else
  await writeFile(values.out, report).catch((error) =>
    stop(`The report cannot be written: ${error.message}. Check --out.`),
  );
process.exitCode = values.strict && unexplained(comparison).length > 0 ? 1 : 0;

function read() {
  try {
    return parseArgs({
      options: {
        against: { type: 'string' },
        command: { type: 'string' },
        format: { type: 'string', default: 'text' },
        json: { type: 'boolean', default: false },
        out: { type: 'string' },
        paths: { type: 'string' },
        jobs: { type: 'string', default: '4' },
        patience: { type: 'string', default: '25' },
        strict: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return stop(error.message);
  }
}

function countOf(name) {
  const count = Number(values[name]);
  if (!Number.isInteger(count) || count < 1)
    stop(`--${name} ${values[name]} is not a number. Use 1 or more.`);
  return count;
}

function stop(message) {
  console.error(message);
  process.exit(USAGE);
}
