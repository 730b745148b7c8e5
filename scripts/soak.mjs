// npm run soak: the real built engine for an hour (--minutes N) with a backend whose tokens live for seconds, whose sockets drop
// and which refuses requests now and then, while local clients come and go. Memory, file descriptors, handles and disk of the
// last quarter are compared with those of the first quarter after the warm-up. Growth is a failure (exit code 1).
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { WebSocket } from 'ws';
import { importSource, ROOT } from './import-source.mjs';

const HELP = 'Usage: npm run soak [-- --minutes N]';
const MIB = 1024 * 1024;
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } }, strict: true });
const minutes = Number(values.minutes);
if (!(minutes >= 0.5 && minutes <= 1440)) {
  console.error(`${HELP}\nN is a number from 0.5 to 1440.`);
  process.exit(64);
}

/** What is sampled: its name in the metrics, and how much more the last quarter may have. */
const FIGURES = {
  rss: { metric: 'process_resident_memory_bytes', unit: MIB, more: (first) => first * 0.15 + 8 * MIB },
  heap: {
    metric: 'nodejs_heap_size_used_bytes',
    unit: MIB,
    more: (first) => first * 0.2 + 4 * MIB,
    least: true,
  },
  descriptors: { metric: 'process_open_fds', unit: 1, more: () => 5 },
  handles: { metric: 'nodejs_active_handles_total', unit: 1, more: () => 5 },
  // The history is a ring: it may still be filling.
  disk: { unit: MIB, more: () => 9 * MIB },
};

const SAMPLE_EVERY = 1_000;
const CLIENT_EVERY = 150;
const TOKEN_SECONDS = 5;
const STATUSES = [401, 403, 409, 429, 500, 503];

const { createBackend } = await importSource('src/backend/index.ts');
const { signIn, writeAuth } = await importSource('test/support/auth.ts');
const home = await mkdtemp(join(tmpdir(), 'rc-soak-'));
const backend = await createBackend();
await writeAuth(join(home, 'auth.json'), signIn('account-soak').json);
backend.fault({ action: 'tokenLife', seconds: TOKEN_SECONDS });

const engine = spawn(
  process.execPath,
  [
    ...[join(ROOT, 'dist/cli.js'), 'start', '--home', home, '--base-url', backend.url, '--json'],
    ...['--metrics-listen', '127.0.0.1:0', '--history-size', '8', '--log-level', 'info'],
  ],
  { stdio: ['ignore', 'pipe', 'pipe'] },
);
let output = '';
let ended;
engine.stdout.on('data', (data) => {
  if (output.length < MIB) output += data;
});
engine.stderr.on('data', (data) => {
  if (output.length < MIB) output += data;
});
engine.once('exit', (code) => {
  ended = code ?? 'a signal';
});

const counts = { clients: 0, answered: 0, drops: 0, refusals: 0 };
const samples = [];
let running = true;

try {
  const metricsUrl = await found(/metrics at (http:[^"]+)/);
  const listenUrl = await connectUrl();
  const end = performance.now() + minutes * 60_000;
  const work = [clients(listenUrl), trouble(), sample(metricsUrl)];
  while (performance.now() < end && ended === undefined) await sleep(200);
  running = false;
  await Promise.all(work);
  if (ended !== undefined) throw new Error(`The engine ended with ${ended}:\n${output.slice(-2_000)}`);
  process.exitCode = report();
} finally {
  running = false;
  engine.kill('SIGTERM');
  if (ended === undefined)
    await Promise.race([new Promise((done) => engine.once('exit', done)), sleep(10_000)]);
  if (ended === undefined) engine.kill('SIGKILL');
  await backend.close();
  await rm(home, { recursive: true, force: true });
}

async function found(pattern) {
  for (let tries = 0; tries < 300 && ended === undefined; tries += 1) {
    const match = pattern.exec(output);
    if (match !== null) return match[1];
    await sleep(100);
  }
  throw new Error(`The engine did not start: no ${pattern} in\n${output.slice(-2_000)}`);
}

async function connectUrl() {
  const command = promisify(execFile);
  const { stdout } = await command(process.execPath, [join(ROOT, 'dist/cli.js'), 'url', '--home', home]);
  return stdout.trim();
}

/** Local clients come, send two requests, and leave; some without a close frame. */
async function clients(url) {
  while (running) {
    counts.clients += 1;
    const number = counts.clients;
    const socket = new WebSocket(url);
    socket.on('error', () => {});
    socket.on('open', () => {
      socket.send(
        JSON.stringify({
          id: 1,
          method: 'initialize',
          params: { clientInfo: { name: 'soak', version: '1' } },
        }),
      );
    });
    socket.on('message', (data) => {
      const { id } = JSON.parse(String(data));
      if (id === 1) socket.send(JSON.stringify({ id: 2, method: 'remoteControl/status/read', params: {} }));
      if (id !== 2) return;
      counts.answered += 1;
      if (number % 5 === 0) socket.terminate();
      else socket.close();
    });
    const limit = setTimeout(() => socket.terminate(), 10_000);
    socket.on('close', () => clearTimeout(limit));
    await sleep(CLIENT_EVERY);
  }
}

/** The link drops every few seconds, and the next attempt meets another answer each time. */
async function trouble() {
  for (let round = 0; running; round += 1) {
    if (round % 3 === 2) {
      counts.refusals += 1;
      const status = STATUSES[round % STATUSES.length];
      backend.fault({
        action: 'answer',
        fault: { route: round % 2 === 0 ? 'socket' : 'refresh', answer: 'status', status },
      });
    }
    counts.drops += 1;
    backend.fault({ action: 'dropSockets' });
    for (let waited = 0; running && waited < 4_000; waited += 200) await sleep(200);
  }
}

async function sample(url) {
  while (running) {
    const response = await fetch(url).catch(() => undefined);
    const text = response === undefined ? '' : await response.text();
    const one = { disk: await sizeOf(home) };
    for (const [name, { metric }] of Object.entries(FIGURES)) {
      if (metric === undefined) continue;
      const value = new RegExp(`^${metric} (\\S+)`, 'm').exec(text)?.[1];
      if (value !== undefined) one[name] = Number(value);
    }
    one.dropped = Number(/^rc_engine_history_dropped_total (\S+)/m.exec(text)?.[1] ?? 0);
    one.links = Number(/^rc_engine_links_opened_total (\S+)/m.exec(text)?.[1] ?? 0);
    if (text !== '') samples.push(one);
    await sleep(SAMPLE_EVERY);
  }
}

async function sizeOf(directory) {
  let size = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (entry.isFile())
      size += (await stat(join(entry.parentPath ?? entry.path, entry.name)).catch(() => ({ size: 0 }))).size;
  }
  return size;
}

function report() {
  // The first tenth is the warm-up.
  const measured = samples.slice(Math.ceil(samples.length / 10));
  const quarter = Math.floor(measured.length / 4);
  if (quarter < 3) throw new Error(`Only ${samples.length} samples were taken.`);
  const [first, last] = [measured.slice(0, quarter), measured.slice(-quarter)];
  console.log(
    `${minutes} minutes: ${counts.clients} clients (${counts.answered} answered), ${counts.drops} drops, ${counts.refusals} refusals, ` +
      `${samples.at(-1).links} links, ${samples.at(-1).dropped} lines of the history dropped`,
  );
  console.log('figure        first quarter   last quarter   may be');
  const grown = [];
  for (const [name, { unit, more, least }] of Object.entries(FIGURES)) {
    const [before, after] = [first, last].map((part) =>
      figureOf(
        part.map((one) => one[name]),
        least,
      ),
    );
    if (before === undefined || after === undefined) {
      console.log(`${name.padEnd(12)}  not available on this system`);
      continue;
    }
    const limit = before + more(before);
    if (after > limit) grown.push(name);
    const shown = [before, after, limit].map((value) =>
      (value / unit).toFixed(unit === 1 ? 0 : 1).padStart(13),
    );
    console.log(
      `${name.padEnd(12)}${shown.join('  ')}${unit === MIB ? '  MiB' : ''}${after > limit ? '  GROWS' : ''}`,
    );
  }
  if (counts.answered === 0 || samples.at(-1).links < 2) {
    console.log('The engine did not work: no client was answered, or the link never came back.');
    return 1;
  }
  console.log(grown.length === 0 ? 'flat' : `grows: ${grown.join(', ')}`);
  return grown.length === 0 ? 0 : 1;
}

/** The median; of what the garbage collector changes all the time, the lowest value. */
function figureOf(list, least) {
  const sorted = list.filter((value) => value !== undefined).sort((a, b) => a - b);
  return sorted.length === 0 ? undefined : least ? sorted[0] : sorted[Math.floor(sorted.length / 2)];
}
