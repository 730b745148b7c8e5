/** Remote requests per second, and the latency of one, over 1 and over 100 virtual clients. */
import { connect, connectEcho, inTurns } from '../connected.mjs';
import { atLeast, atMost, line } from '../report.mjs';

export const name = 'requests';

/** Of all window sizes that were tried, about those at which Codex CLI has its highest rate. */
const IN_FLIGHT = { 1: 32, 100: 200 };

export async function run({ programs, repetitions, generator }) {
  const rounds = repetitions(5, 2);
  const times = { warmupMs: repetitions(700, 400), measureMs: repetitions(2_500, 1_000) };
  const up = await connect(programs, generator);
  const echo = await connectEcho(generator, true);
  const lines = [];
  try {
    for (const streams of [1, 100]) {
      for (const [request, inFlight] of [
        ['unknown', IN_FLIGHT[streams]],
        ['status', IN_FLIGHT[streams]],
        ['unknown', 1],
      ]) {
        const spec = { kind: request, streams, inFlight, ...times };
        const measured = await inTurns(
          rounds,
          Object.fromEntries(programs.map((kind) => [kind, () => up[kind].requests(spec)])),
        );
        lines.push(...(inFlight === 1 ? oneByOne(streams, measured) : flood(streams, request, measured)));
      }
    }
    const ceiling = await inTurns(rounds, {
      pipe: () => echo.pipe({ size: 200, inFlight: 64, ...times }),
    });
    lines.push(
      line({
        row: name,
        what: 'generator with the bare echo, 200 B',
        unit: '/s',
        values: ceiling.pipe.map((result) => result.perSecond),
        note: `what it can do at least; it used ${percent(ceiling.pipe)} of a core for it`,
      }),
    );
    return lines;
  } finally {
    await Promise.all([...Object.values(up), echo].map((one) => one.end()));
  }
}

const clients = (streams) => (streams === 1 ? '1 stream' : `${streams} streams`);
const percent = (results) =>
  `${Math.round(Math.max(...results.map(({ generatorCpu }) => generatorCpu)) * 100)} %`;
const of = (results, key) => results?.map((result) => result[key]) ?? null;

function flood(streams, request, { engine, codex }) {
  const unknown = request === 'unknown';
  return [
    line({
      row: name,
      what: `requests/s, ${clients(streams)}${unknown ? '' : ', status read'}`,
      unit: '/s',
      values: of(engine, 'perSecond'),
      baseline: { name: 'Codex CLI', values: of(codex, 'perSecond') },
      ...(unknown ? { goal: atLeast(1.5) } : {}),
      note: `rc-engine ${cost(engine)}${codex === undefined ? '' : `, Codex CLI ${cost(codex)}`}`,
    }),
  ];
}

const cost = (results) => {
  const cpu = results.map(({ peerCpuPerAnswer }) => peerCpuPerAnswer).filter((value) => value !== null);
  const mean = cpu.reduce((sum, value) => sum + value, 0) / Math.max(1, cpu.length);
  const under = `p50 ${ms(results, 'p50')} p99 ${ms(results, 'p99')} ms under load`;
  return `${under}, ${Math.round(mean)} µs of processor each, generator at ${percent(results)}`;
};
const ms = (results, key) =>
  (results.reduce((sum, result) => sum + result[key], 0) / results.length).toFixed(2);

function oneByOne(streams, { engine, codex }) {
  return ['p50', 'p99'].map((key) =>
    line({
      row: name,
      what: `${key} of one request at a time, ${clients(streams)}`,
      unit: 'ms',
      values: of(engine, key),
      baseline: { name: 'Codex CLI', values: of(codex, key) },
      ...(key === 'p50' ? { goal: atMost(1) } : {}),
    }),
  );
}
