/** The check of open files: an engine at its limit cannot take connections or start app servers. */
import { readdir, readFile } from 'node:fs/promises';
import { type Finding, failed, notNeeded, ok, warning } from './check.js';

/** Parts of the limit. */
const MUCH = 0.75;
const ALL = 0.95;
/** With less than this, a busy listener or a few app servers reach the limit. */
const SMALL_LIMIT = 256;

const REMEDY =
  'Raise the limit and restart the engine: ulimit -n 4096 in the shell that starts it, or LimitNOFILE=4096 in its systemd unit.';

/** @param pid The running engine; undefined: the limit of a start from here is checked. */
export async function openFilesFinding(pid: number | undefined): Promise<Finding> {
  const process = `/proc/${pid ?? 'self'}`;
  const limit = limitIn(await readFile(`${process}/limits`, 'utf8').catch(() => ''));
  if (limit === undefined) return notNeeded('this system does not say how many files are open');
  if (pid === undefined) {
    return limit < SMALL_LIMIT
      ? warning(`at most ${limit} for each process`, REMEDY)
      : ok(`at most ${limit}`);
  }
  const open = await readdir(`${process}/fd`).then(
    ({ length }) => length,
    () => undefined,
  );
  if (open === undefined) return notNeeded(`only the user of the engine sees how many are open, of ${limit}`);
  const shown = `${open} of at most ${limit}`;
  if (open >= limit * ALL) return failed(`${shown}: new connections and app servers fail`, REMEDY);
  return open >= limit * MUCH ? warning(shown, REMEDY) : ok(shown);
}

/** The soft limit; undefined: there is none, or it is not known. */
function limitIn(limits: string): number | undefined {
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}
