/**
 * The cost of the inspector for the real engine while 1,000 remote clients come and go with 1,000 events per second in
 * the charts, and the cost of its hooks for an engine without an inspector.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { buildWithAndWithoutHooks } from '../hooks.mjs';
import { exactCpuMs } from '../process-tree.mjs';
import { atMost, line } from '../report.mjs';
import { Home, Subject } from '../subjects.mjs';

export const name = 'inspector';

const READER = fileURLToPath(new URL('../inspector-reader.mjs', import.meta.url));
const CLIENTS = 1_000;
const IN_FLIGHT = 32;
/**
 * XState counts five events for each replaced client: it starts, its app-server connection is requested and opens, the
 * client is notified, and it is closed.
 */
const EVENTS_OF_ONE = 5;
const REPLACED_PER_SECOND = 1_000 / EVENTS_OF_ONE;
/** Most that it may cost the engine, percent of a core. */
const LIMIT = 5;
/** Less than this is noise, percent of a core. */
const NOISE = 1;

export async function run({ generator, repetitions }) {
  const { hooked, bare, remove } = await buildWithAndWithoutHooks();
  const engines = [];
  const engine = async (cli, flags) => {
    const one = await start(generator, cli, flags);
    engines.push(one);
    return one;
  };
  let reader;
  try {
    const parts = {
      bare: await engine(bare, []),
      off: await engine(hooked, []),
      again: await engine(hooked, []),
      watched: await engine(hooked, ['--inspect']),
      shown: await engine(hooked, ['--inspect']),
    };
    reader = await openPage(parts.shown.subject);
    const found = Object.fromEntries(Object.keys(parts).map((part) => [part, []]));
    const ms = repetitions(4_000, 1_500);
    for (let round = -1; round < repetitions(7, 3); round += 1) {
      for (const [part, { subject, site }] of Object.entries(parts)) {
        const share = await shareOfCore(subject.pid, () => site.replaceClients(REPLACED_PER_SECOND, ms));
        if (round >= 0) found[part].push(share);
      }
    }
    return linesOf(found, reader.entries);
  } finally {
    reader?.child.kill();
    await Promise.all(engines.map((one) => one.end()));
    remove();
  }
}

function linesOf(found, entries) {
  const more = (part, than) => found[part].map((value, round) => value - found[than][round]);
  const unit = '% of a core';
  const lineOf = (what, values, baseline, limit, note) =>
    line({
      row: name,
      what,
      unit,
      values,
      baseline,
      goal: { ...atMost(limit), absolute: true, unit },
      note,
    });
  const nobody = { name: 'no watcher', values: found.off };
  return [
    lineOf(
      '1,000 clients, 1,000 events/s, watched: more than unwatched',
      more('watched', 'off'),
      nobody,
      LIMIT,
    ),
    lineOf(
      '1,000 clients, 1,000 events/s, shown on a page: more than unwatched',
      more('shown', 'off'),
      nobody,
      LIMIT,
      `the page read ${entries()} entries`,
    ),
    lineOf(
      'unused hooks: more than an engine without them',
      more('off', 'bare'),
      { name: 'no hooks', values: found.bare },
      NOISE,
      `two runs of the same program differ by ${spread(more('again', 'off'))} of a core`,
    ),
  ];
}

const spread = (values) => `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)} %`;

async function start(generator, cli, flags) {
  const home = new Home();
  const site = await generator.site();
  const subject = Subject.start('engine', home, site, { cli, flags });
  await site.waitFor('open', 1).catch((error) => {
    throw new Error(`${error.message}\n${subject.lastWords}`);
  });
  await site.openClients(CLIENTS, IN_FLIGHT);
  return {
    site,
    subject,
    async end() {
      await subject.stop();
      await site.close();
      home.remove();
    },
  };
}

/** Processor time of the process during `work`, percent of a core. */
async function shareOfCore(pid, work) {
  const [began, before] = [performance.now(), exactCpuMs(pid)];
  await work();
  return ((exactCpuMs(pid) - before) / (performance.now() - began)) * 100;
}

/** A page of the inspector, in a process of its own. */
async function openPage({ said }) {
  const [, link] = /"type":"inspector".*?"url":"([^"]+)"/.exec(said) ?? [];
  if (link === undefined) throw new Error('the engine printed no link of its inspector');
  const child = spawn(process.execPath, [READER, link], { stdio: ['ignore', 'pipe', 'inherit'] });
  let entries = 0;
  child.stdout.setEncoding('utf8').on('data', (text) => {
    entries = Number(text.trim().split('\n').at(-1));
  });
  await once(child.stdout, 'data');
  return { child, entries: () => entries };
}
