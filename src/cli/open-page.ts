import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Secret } from '../protocol/secret.js';
import { openBrowser, whyNoBrowser } from './open-browser.js';

const PREFIX = 'open-inspector-';
/** A browser that has not read the file by then will not, ms. */
const LIFETIME = 60_000;

export interface OpenedPage {
  /** Why no browser was started; undefined when one was. */
  readonly obstacle: string | undefined;
  /** Deletes the file. Call it when the link has been used, and at the end of the command. */
  remove(): Promise<void>;
}

/**
 * Opens a link in the browser. Other users can read the arguments of processes, so the browser gets the path of a private
 * file that leads to the link, not the link. RC-192
 * @param directory a private directory; undefined: a temporary one
 */
export async function openPage(link: Secret, directory: string | undefined): Promise<OpenedPage> {
  const obstacle = whyNoBrowser(process.env, process.platform);
  if (obstacle !== undefined) return { obstacle, remove: async () => {} };
  const temporary = directory === undefined ? await mkdtemp(join(tmpdir(), 'rc-engine-')) : undefined;
  const place = directory ?? temporary ?? '';
  await removeLeftovers(place);
  const file = join(place, `${PREFIX}${randomBytes(8).toString('hex')}.html`);
  await writeFile(file, pageOf(link), { mode: 0o600, flag: 'wx' });
  const timer = setTimeout(() => void remove(), LIFETIME);
  timer.unref();
  const remove = async () => {
    clearTimeout(timer);
    await rm(temporary ?? file, { recursive: true, force: true });
  };
  const started = await openBrowser(pathToFileURL(file).href, process.env, process.platform);
  if (!started) await remove();
  return { obstacle: started ? undefined : 'no browser could be started', remove };
}

/** The link consists of characters that need no escaping. */
const pageOf = (link: Secret): string =>
  `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${link.reveal()}"><title>rc-engine inspector</title>\n`;

/** Files of commands that were killed. Their links are void. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(directory, name);
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > LIFETIME) await rm(path, { force: true });
  }
}
