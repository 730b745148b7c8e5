/** Programs that stay connected for a whole row and take turns. */
import { Home, Subject } from './subjects.mjs';

const LIMIT = 60_000;

export async function connect(kinds, generator) {
  const all = await Promise.all(
    kinds.map(async (kind) => {
      const home = new Home();
      const site = await generator.site();
      const subject = Subject.start(kind, home, site);
      await site.waitFor('open', 1, LIMIT).catch((error) => {
        throw new Error(`${kind}: ${error.message}\n${subject.lastWords}`);
      });
      return connection({ kind, home, site, subject });
    }),
  );
  return Object.fromEntries(all.map((one) => [one.kind, one]));
}

/** The bare echo, connected to its own site. */
export async function connectEcho(generator, corked) {
  const home = new Home();
  const site = await generator.site();
  const subject = Subject.echo(home, site, corked);
  await site.waitFor('pipe', 1, LIMIT);
  return connection({ kind: 'pipe', home, site, subject });
}

function connection(parts) {
  const { home, site, subject } = parts;
  return {
    ...parts,
    requests: (spec) => site.requests({ ...spec, pid: subject.pid }),
    pipe: (spec) => site.pipe({ ...spec, pid: subject.pid }),
    async end() {
      await subject.stop();
      await site.close();
      home.remove();
    },
  };
}

/** Runs the named measurements in turns, for a number of rounds. The first round is the warm-up. */
export async function inTurns(rounds, measurements) {
  const results = Object.fromEntries(Object.keys(measurements).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, measure] of Object.entries(measurements)) {
      const result = await measure();
      if (round > 0) results[name].push(result);
    }
  }
  return results;
}
