/** The local listener beside bare `ws` servers: upgrades, relayed messages, and what idle connections hold. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../clock.mjs';
import { Load, MODES, startBare, startCodex, startEngine } from '../listener/processes.mjs';
import { cpuMs, rssMiB } from '../process-tree.mjs';
import { atLeast, atMost, line } from '../report.mjs';

export const name = 'listener';

const WIDTH = 32;
const ACCEPTED_GOALS = { queryToken: 0.65, capability: 0.65, signedBearer: 0.45 };

export async function run({ programs, repetitions }) {
  const dir = mkdtempSync(join(tmpdir(), 'rc-bench-'));
  const load = new Load(dir);
  const at = { dir, load, repetitions, withCodex: programs.includes('codex') };
  try {
    return [...(await upgrades(at)), ...(await relay(at)), ...(await idle(at))];
  } finally {
    await load.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Upgrades per second, and processor time of the server per upgrade, ms. */
async function measureUpgrades(load, server, request, ms) {
  const before = cpuMs(server.part.pid);
  const { perSecond, done, wrong } = await load.do('upgrades', { width: WIDTH, ms, ...request });
  if (wrong > done / 100) throw new Error(`${wrong} of ${done + wrong} upgrades failed`);
  return { perSecond, cpu: (cpuMs(server.part.pid) - before) / done };
}

async function upgrades({ dir, load, repetitions, withCodex }) {
  const bare = await startBare(dir, 'echo');
  const codex = withCodex ? await startCodex(dir) : undefined;
  const found = { codex: [] };
  const lines = [];
  const ms = repetitions(500, 250);
  const servers = {};
  for (const mode of Object.keys(MODES)) servers[mode] = await startEngine(dir, mode);
  const goodRequest = ({ url, headers }) => ({ url, headers, status: 101 });
  const badRequest = (mode, server) => ({ ...MODES[mode].bad(server.bareUrl), status: 401 });
  // Warm up, because the first runs are slower everywhere.
  await measureUpgrades(load, bare, goodRequest(bare), 2_000);
  for (const [mode, server] of Object.entries(servers)) {
    await measureUpgrades(load, server, goodRequest(server), 2_000);
    await measureUpgrades(load, server, badRequest(mode, server), 500);
    found[mode] = { bare: [], accepted: [], rejected: [] };
  }
  // Many short rounds with the baseline right before each, so that other load on the machine affects both alike.
  for (let round = 0; round < repetitions(25, 8); round += 1) {
    for (const [mode, server] of Object.entries(servers)) {
      found[mode].bare.push(await measureUpgrades(load, bare, goodRequest(bare), ms));
      found[mode].accepted.push(await measureUpgrades(load, server, goodRequest(server), ms));
      found[mode].rejected.push(await measureUpgrades(load, server, badRequest(mode, server), ms));
    }
    if (codex !== undefined) {
      found.codex.push(await measureUpgrades(load, codex, goodRequest(codex), ms));
    }
  }
  const rates = (all) => all.map(({ perSecond }) => perSecond);
  const cpus = (all) => all.map(({ cpu }) => cpu * 1_000);
  for (const mode of Object.keys(MODES)) {
    const baseline = { name: 'bare ws', values: rates(found[mode].bare) };
    lines.push(
      line({
        row: name,
        what: `accepted upgrades, ${mode}`,
        unit: '/s',
        values: rates(found[mode].accepted),
        baseline,
        goal: atLeast(ACCEPTED_GOALS[mode]),
      }),
      line({
        row: name,
        what: `rejected upgrades, ${mode}`,
        unit: '/s',
        values: rates(found[mode].rejected),
        baseline: { ...baseline, name: 'bare ws, accepted' },
        goal: atLeast(1),
      }),
      line({
        row: name,
        what: `server CPU for an accepted upgrade, ${mode}`,
        unit: 'µs',
        values: cpus(found[mode].accepted),
        baseline: { name: 'bare ws', values: cpus(found[mode].bare) },
        goal: atMost(Math.round(100 / ACCEPTED_GOALS[mode]) / 100),
      }),
    );
  }
  if (codex !== undefined) {
    lines.push(
      line({
        row: name,
        what: 'accepted upgrades, capability',
        unit: '/s',
        values: rates(found.capability.accepted),
        baseline: { name: 'Codex CLI', values: rates(found.codex) },
      }),
    );
  }
  await Promise.all([bare, codex, ...Object.values(servers)].map((one) => one?.part.stop()));
  return lines;
}

async function relay({ dir, load, repetitions }) {
  const echo = await startBare(dir, 'app');
  const pipe = await startBare(dir, 'pipe', echo.url);
  const engine = await startEngine(dir, 'queryToken', { appServer: echo.url });
  const found = { direct: [], pipe: [], engine: [] };
  const paths = { direct: echo, pipe, engine };
  const ms = repetitions(3_000, 1_000);
  for (let round = 0; round < repetitions(5, 2) + 1; round += 1) {
    for (const [path, { url, headers }] of Object.entries(paths)) {
      const many = await load.do('relay', { url, headers, ms, clients: 8, window: 16, bytes: 200 });
      const single = await load.do('relay', { url, headers, ms: ms / 2, clients: 1, window: 1, bytes: 200 });
      // The first round is the warm-up.
      if (round > 0) found[path].push({ perSecond: many.perSecond, p99: single.p99, p50: single.p50 });
    }
  }
  await Promise.all(Object.values(paths).map((one) => one.part.stop()));
  const pick = (path, what) => found[path].map((one) => one[what]);
  const against = (what, unit, key, baseName, base, goal) =>
    line({
      row: name,
      what,
      unit,
      values: pick('engine', key),
      baseline: { name: baseName, values: pick(base, key) },
      goal,
    });
  return [
    against('messages there and back', '/s', 'perSecond', 'bare ws pipe', 'pipe', atLeast(0.7)),
    against('messages there and back', '/s', 'perSecond', 'direct', 'direct'),
    against('one message there and back, p50', 'ms', 'p50', 'bare ws pipe', 'pipe'),
    against('one message there and back, p99', 'ms', 'p99', 'bare ws pipe', 'pipe'),
    against('one message there and back, p99', 'ms', 'p99', 'direct', 'direct'),
  ];
}

const IDLE = 1_000;
const SETTLE = 3_000;

async function idle({ dir, repetitions, withCodex }) {
  const starts = {
    engine: () => startEngine(dir, 'queryToken'),
    bare: () => startBare(dir, 'echo'),
    ...(withCodex ? { codex: () => startCodex(dir) } : {}),
  };
  const found = Object.fromEntries(Object.keys(starts).map((who) => [who, { each: [], left: [] }]));
  for (let round = 0; round < repetitions(3, 1); round += 1) {
    for (const [who, open] of Object.entries(starts)) {
      const server = await open();
      const load = new Load(dir);
      const { url, headers } = server;
      const start = rssMiB(server.part.pid);
      // Only the second thousand counts: the first includes what the process allocates once.
      await load.do('hold', { url, headers, count: IDLE });
      await sleep(SETTLE);
      const first = rssMiB(server.part.pid);
      await load.do('hold', { url, headers, count: IDLE });
      await sleep(SETTLE);
      const second = rssMiB(server.part.pid);
      await load.do('release', {});
      await sleep(SETTLE);
      found[who].each.push(((second - first) * 1024) / IDLE);
      found[who].left.push(rssMiB(server.part.pid) - start);
      await load.stop();
      await server.part.stop();
    }
  }
  const above = found.engine.each.map((each, i) => each - found.bare.each[i]);
  return [
    line({
      row: name,
      what: 'RSS of an idle connection above bare ws',
      unit: 'KiB',
      values: above,
      goal: { ...atMost(25), absolute: true, unit: 'KiB' },
    }),
    line({
      row: name,
      what: `RSS above the start, 3 s after ${2 * IDLE} connections closed`,
      unit: 'MiB',
      values: found.engine.left,
      baseline: withCodex
        ? { name: 'Codex CLI', values: found.codex.left }
        : { name: 'bare ws', values: found.bare.left },
      goal: { ...atMost(12), absolute: true, unit: 'MiB' },
    }),
    line({
      row: name,
      what: 'RSS of an idle connection',
      unit: 'KiB',
      values: found.engine.each,
      baseline: withCodex
        ? { name: 'Codex CLI', values: found.codex.each }
        : { name: 'bare ws', values: found.bare.each },
    }),
  ];
}
