/** The checks of this machine: home directory, settings, store. */
import { type Stats, statSync } from 'node:fs';
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkHome, type Home } from '../../home/home.js';
import { listHistory } from '../../recorder/read-history.js';
import { historyDirectory } from '../../recorder/recorder.js';
import { databasePath, openEnrollmentStore } from '../../remote-control/store/enrollment-store.js';
import { siblingName } from '../../system/atomic-file.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { userName } from '../../system/permissions.js';
import { LOW_SPACE, readDisk, sizeText } from '../output/disk.js';
import { nextStepFor } from '../output/text.js';
import { DEFAULT_HISTORY_SIZE, type StartSettings } from '../settings/start-settings.js';
import { type Check, type Finding, failed, notNeeded, ok, warning } from './check.js';

const GROUP = 'This machine';

/** The settings that a start from here would use; resolved once. */
export type SettingsSource = () => Promise<StartSettings>;

export function homeChecks(home: Home, settings: SettingsSource): Check[] {
  return [
    { id: 'home', group: GROUP, title: 'home', run: () => homeFinding(home) },
    { id: 'disk', group: GROUP, title: 'disk', needs: ['home'], run: () => diskFinding(home) },
    {
      id: 'config',
      group: GROUP,
      title: 'settings',
      needs: ['home'],
      run: async () => {
        await settings();
        const file = statSync(home.configFile, { throwIfNoEntry: false });
        return ok(file === undefined ? 'no config.json; flags, variables and defaults' : home.configFile);
      },
    },
    {
      id: 'history',
      group: GROUP,
      title: 'history',
      needs: ['disk', 'config'],
      run: async () => historyFinding(home, (await settings()).historySize ?? DEFAULT_HISTORY_SIZE),
    },
    {
      id: 'store',
      group: GROUP,
      title: 'store',
      needs: ['disk', 'config'],
      run: async () => storeFinding((await settings()).store ?? home.storeUrl),
    },
  ];
}

async function homeFinding({ dir }: Home): Promise<Finding> {
  const found = statSync(dir, { throwIfNoEntry: false });
  if (found === undefined) return ok(`${dir} does not exist yet; start makes it`);
  if (!found.isDirectory()) {
    return failed(`${dir} is not a directory`, 'Move it away, or choose another --home.');
  }
  const readable = checkHome(dir);
  const closed = await whyClosed(dir, found);
  if (closed !== undefined) return closed;
  if (readable !== null) return warning(readable.replace(/: run .*$/, ''), `Run: chmod 700 ${dir}`);
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
  return ok(process.platform === 'win32' ? dir : `${dir}, mode ${mode}`);
}

/** Whether this user may use the home. That its file system is read-only is found with the disk. */
async function whyClosed(dir: string, { uid }: Stats): Promise<Finding | undefined> {
  try {
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (errnoOf(error) === 'EROFS') return undefined;
    const owner = userName(uid);
    return uid === process.getuid?.()
      ? failed(`${dir} cannot be used: ${errnoText(error)}`, `Run: chmod 700 ${dir}`)
      : failed(
          `${dir} belongs to the user ${owner}: ${errnoText(error)}`,
          `Run this as that user (sudo -u ${owner} …), or choose another --home.`,
        );
  }
}

/** Writes a file, because only that finds quotas, read-only file systems and full disks alike. */
async function diskFinding({ dir }: Home): Promise<Finding> {
  const place = nearestDirectory(dir);
  const file = siblingName(join(place, 'doctor'));
  try {
    if (place === dir)
      await writeFile(file, 'written by rc-engine doctor\n', { mode: 0o600, flag: 'wx', flush: true });
    else await access(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = errnoOf(error);
    const disk = code === 'ENOSPC' ? await readDisk(place) : undefined;
    const free = disk === undefined ? '' : `, ${sizeText(disk.freeBytes)} free`;
    return failed(`nothing can be written in ${place}: ${errnoText(error)}${free}`, writeRemedy(place, code));
  } finally {
    await rm(file, { force: true }).catch(() => {});
  }
  const disk = await readDisk(place);
  if (disk === undefined) return ok('writable');
  const shown = `${sizeText(disk.freeBytes)} free`;
  return disk.freeBytes < LOW_SPACE
    ? warning(`only ${shown} in ${place}`, 'Free some space there.')
    : ok(`writable, ${shown}`);
}

function writeRemedy(place: string, code: string | undefined): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Free some space there. Until then, a renewed sign-in cannot be stored.';
    case 'EROFS':
      return 'Mount its file system writable, or choose another --home. Until then, a renewed sign-in cannot be stored.';
    default:
      return `Correct the owner and the permissions of ${place}, or choose another --home.`;
  }
}

/** The directory itself, or the closest one above it that exists. */
function nearestDirectory(dir: string): string {
  for (let at = dir; ; at = dirname(at)) {
    if (statSync(at, { throwIfNoEntry: false }) !== undefined || at === dirname(at)) return at;
  }
}

/** The engine runs without a history, so this is never more than a warning. @param limit MiB */
async function historyFinding({ dir }: Home, limit: number): Promise<Finding> {
  if (limit === 0) return notNeeded('switched off (--history-size 0)');
  const directory = historyDirectory(dir);
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined) return ok(`${directory} does not exist yet; start makes it`);
  const remedy = `Move ${directory} away, or correct its owner and permissions. The engine runs without it.`;
  if (!found.isDirectory()) return warning(`${directory} is not a directory`, remedy);
  const file = siblingName(join(directory, 'doctor'));
  try {
    await writeFile(file, 'written by rc-engine doctor\n', { mode: 0o600, flag: 'wx' });
  } catch (error) {
    return warning(`nothing can be written in ${directory}: ${errnoText(error)}`, remedy);
  } finally {
    await rm(file, { force: true });
  }
  const paths = await listHistory(directory);
  const sizes = paths.map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return ok(`${(bytes / 1024 / 1024).toFixed(1)} of ${limit} MiB in ${directory}`);
}

/** No account has this key, so nothing is read but the database as a whole is verified. */
const PROBE_KEY = { socketUrl: 'doctor:', accountId: 'doctor', clientName: null };

/** Opens the store that exists, or one in a temporary directory, which shows that the SQLite driver works. */
async function storeFinding(url: string): Promise<Finding> {
  if (url === 'none') return notNeeded('switched off (--store none), so there is no remote control');
  if (url === 'memory:') {
    return warning('in memory: this machine gets a new identity at each start', 'Use --store sqlite:PATH.');
  }
  const path = databasePath(url);
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) {
    return (await storeProblem(url)) ?? ok(`SQLite works, ${path} is readable`);
  }
  const place = await mkdtemp(join(tmpdir(), 'rc-engine-doctor-'));
  try {
    const problem = await storeProblem(`sqlite:${join(place, 'probe.sqlite')}`);
    return problem ?? ok(`SQLite works; ${path} does not exist yet`);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function storeProblem(url: string): Promise<Finding | undefined> {
  const store = openEnrollmentStore(url, { now: Date.now });
  try {
    const outcome = await store.load(PROBE_KEY);
    if (outcome.kind !== 'failed') return undefined;
    const { message, reason } = outcome.failure;
    return failed(message.replace(/\.$/, ''), nextStepFor(reason));
  } finally {
    await store.close();
  }
}
