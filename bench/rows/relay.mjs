/** Round trips: remote client → engine → built-in app server → back, beside a bare `ws` echo. */
import { connect, connectEcho, inTurns } from '../connected.mjs';
import { atLeast, line } from '../report.mjs';

export const name = 'relay';

/** Least fraction of the rate of the bare pipe. 4 KB has no goal of its own. */
const SIZES = [
  { size: 200, shown: '200 B', inFlight: 32, goal: atLeast(0.6) },
  { size: 4_096, shown: '4 KB', inFlight: 16 },
  { size: 1_000_000, shown: '1 MB', inFlight: 2, goal: atLeast(0.5) },
];

export async function run({ programs, repetitions, generator }) {
  const rounds = repetitions(5, 2);
  const up = await connect(programs, generator);
  const bare = await connectEcho(generator, false);
  const corked = await connectEcho(generator, true);
  const lines = [];
  try {
    for (const { size, shown, inFlight, goal } of SIZES) {
      const spec = {
        size,
        inFlight,
        streams: 1,
        warmupMs: repetitions(700, 400),
        measureMs: repetitions(2_500, 1_200),
      };
      const bigIds = programs.map((kind) => [kind, () => up[kind].requests({ ...spec, kind: 'bigId' })]);
      const measured = await inTurns(rounds, {
        echo: () => up.engine.requests({ ...spec, kind: 'echo' }),
        bare: () => bare.pipe(spec),
        corked: () => corked.pipe(spec),
        ...Object.fromEntries(bigIds),
      });
      const rate = (key) => measured[key]?.map(({ perSecond }) => perSecond) ?? null;
      const megabytes = (key) => measured[key]?.map((result) => result.bytesPerSecond / 1e6) ?? null;
      const common = { row: name, unit: 'messages/s', values: rate('echo') };
      const generatorAt = Math.max(
        ...Object.values(measured)
          .flat()
          .map((result) => result.generatorCpu),
      );
      lines.push(
        line({
          ...common,
          what: `${shown} there and back`,
          baseline: { name: 'bare ws pipe', values: rate('bare') },
          ...(goal === undefined ? {} : { goal }),
          note: `the generator used ${Math.round(generatorAt * 100)} % of a core at most`,
        }),
        line({
          ...common,
          what: `${shown} there and back`,
          baseline: { name: 'bare ws pipe, corked', values: rate('corked') },
        }),
        line({
          ...common,
          what: `${shown} there and back`,
          unit: 'MB/s',
          values: megabytes('echo'),
          baseline: { name: 'bare ws pipe', values: megabytes('bare') },
        }),
        line({
          ...common,
          what: `${shown} there and back, as an id`,
          values: rate('engine'),
          baseline: { name: 'Codex CLI', values: rate('codex') },
        }),
      );
    }
    return lines;
  } finally {
    await Promise.all([...Object.values(up), bare, corked].map((one) => one.end()));
  }
}
