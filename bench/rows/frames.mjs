/**
 * What the engine's own writer of WebSocket frames (src/remote-control/link/frame-batch.ts) saves: the engine beside the
 * same engine that sends each frame with `ws`, its socket corked for one turn of the event loop.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundledKeyvSqlite } from '../../scripts/keyv-sqlite.mjs';
import { inTurns } from '../connected.mjs';
import { atMost, line } from '../report.mjs';
import { Home, Subject } from '../subjects.mjs';

export const name = 'frames';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OPEN_LIMIT = 60_000;
/** The writer stays as long as a relayed 200 B message costs 20 % more without it. */
const SIZES = [
  { size: 200, shown: '200 B', inFlight: 32, goal: atMost(0.83) },
  { size: 1_000_000, shown: '1 MB', inFlight: 2 },
];
/** How BackendSocket sends a frame, and the same with `ws`. */
const BATCHED = /if \(this\.#batch\.size === 0\) setImmediate\(this\.#flush\);\s+this\.#batch\.add\(frame\);/;
const CORKED = `if (this.#stream.writableCorked === 0) {
      this.#stream.cork();
      setImmediate(() => this.#stream.uncork());
    }
    this.#ws.send(frame, { binary: false });`;

export async function run({ generator, repetitions }) {
  const { batched, corked, remove } = await buildBoth();
  const engines = [];
  const start = async (cli) => {
    const engine = await connect(generator, cli);
    engines.push(engine);
    return engine;
  };
  try {
    const [own, ws] = [await start(batched), await start(corked)];
    const lines = [];
    for (const { size, shown, inFlight, goal } of SIZES) {
      const spec = { kind: 'echo', size, inFlight, streams: 1, warmupMs: 500, measureMs: 1_500 };
      const found = await inTurns(repetitions(25, 5), {
        own: () => own.requests(spec),
        ws: () => ws.requests(spec),
      });
      const lineOf = (what, unit, key, lineGoal) =>
        line({
          row: name,
          what: `${what}, ${shown} there and back`,
          unit,
          values: found.own.map((result) => result[key]),
          baseline: { name: 'ws, corked', values: found.ws.map((result) => result[key]) },
          goal: lineGoal,
        });
      lines.push(
        lineOf('CPU of the engine', 'µs', 'peerCpuPerAnswer', goal),
        lineOf('messages', '/s', 'perSecond'),
      );
    }
    return lines;
  } finally {
    await Promise.all(engines.map((engine) => engine.end()));
    remove();
  }
}

async function connect(generator, cli) {
  const home = new Home();
  const site = await generator.site();
  const subject = Subject.start('engine', home, site, { cli });
  await site.waitFor('open', 1, OPEN_LIMIT);
  return {
    requests: (spec) => site.requests({ ...spec, pid: subject.pid }),
    async end() {
      await subject.stop();
      await site.close();
      home.remove();
    },
  };
}

async function buildBoth() {
  // Beside node_modules, where packages are found.
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'bench-'));
  const [batched, corked] = [join(directory, 'batched.mjs'), join(directory, 'corked.mjs')];
  const withCork = {
    name: 'with-cork',
    setup({ onLoad }) {
      onLoad({ filter: /[\\/]remote-control[\\/]link[\\/]socket\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        if (!BATCHED.test(text)) throw new Error(`${path} sends in another way than this row expects`);
        return { loader: 'ts', contents: text.replace(BATCHED, CORKED) };
      });
    },
  };
  await bundle(batched, []);
  await bundle(corked, [withCork]);
  return { batched, corked, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

const bundle = (outfile, plugins) =>
  build({
    entryPoints: [join(ROOT, 'src/cli/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    plugins: [...plugins, bundledKeyvSqlite],
    logLevel: 'error',
  });
