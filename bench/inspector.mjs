/**
 * What the inspector costs an engine: the share of a core that 1,000 actors with 1,000 events a second take, with
 * nobody watching, watched, and watched with a page that reads along. Prints one JSON object.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { createActor, setup } from 'xstate';

const quick = process.argv[2] === 'quick';
const ROUNDS = quick ? 3 : 9;
const MS = quick ? 800 : 2_000;
const ACTORS = 1_000;
const EVENTS_PER_SECOND = 1_000;
/** Each tick sends what is due. */
const TICK = 5;

const folder = mkdtempSync(join(tmpdir(), 'rc-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const { openInspector } = await inspector();

const chart = setup({}).createMachine({
  id: 'client',
  context: { decision: { reason: 'connected' } },
  initial: 'idle',
  states: { idle: { on: { FRAME: 'active' } }, active: { on: { FRAME: 'idle' } } },
});

const startActors = (watcher) =>
  Array.from({ length: ACTORS }, (_, i) => {
    const actor = createActor(chart, { id: `client-${i}` });
    watcher?.actor(actor);
    actor.subscribe(() => {});
    return actor.start();
  });

/** Share of a core that the process uses meanwhile, in percent; other programs do not disturb it. */
async function share(actors) {
  const began = performance.now();
  const before = process.cpuUsage();
  let sent = 0;
  for (let now = began; now - began < MS; now = performance.now()) {
    for (const due = ((now - began) / 1_000) * EVENTS_PER_SECOND; sent < due; sent += 1) {
      actors[(sent * 7) % ACTORS].send({ type: 'FRAME' });
    }
    await new Promise((resolve) => setTimeout(resolve, TICK));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 10 / (performance.now() - began);
}

async function openPage(link) {
  const reader = spawn(
    process.execPath,
    [fileURLToPath(new URL('inspector-reader.mjs', import.meta.url)), link],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(reader.stdout, 'data');
  return reader;
}

const open = () =>
  openInspector({ port: 0, pageFile: pathToFileURL(join(folder, 'page.html')), engine: 'bench', charts: {} });
writeFileSync(join(folder, 'page.html'), 'page');
const [watched, shown] = [await open(), await open()];
const reader = await openPage(shown.link.reveal());
const sets = { off: startActors(), watched: startActors(watched.watcher), shown: startActors(shown.watcher) };
const found = { off: [], watched: [], shown: [] };
for (let round = -1; round < ROUNDS; round += 1) {
  for (const [name, actors] of Object.entries(sets)) {
    const value = await share(actors);
    if (round >= 0) found[name].push(value);
  }
}
reader.kill();
await Promise.all([watched.close(), shown.close()]);
console.log(JSON.stringify(found));
process.exit(0);

/** From the sources: it is no part of the library. */
async function inspector() {
  const outfile = join(folder, 'inspector.cjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../src/inspector/index.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  });
  return createRequire(import.meta.url)(outfile);
}
