/** What other users of the machine can do with a file or directory. Windows has no such modes: nothing is found there. */
import { readFileSync, type Stats } from 'node:fs';

const WRITE = 0o022;
const READ = 0o044;
const STICKY = 0o1000;

/** How other users can change it, as the rest of a sentence that begins with its name; undefined: only its owner can. */
export function writableByOthers(stats: Stats): string | undefined {
  return isPosix && (stats.mode & WRITE) !== 0
    ? `can be changed by other users (${modeText(stats)})`
    : undefined;
}

/** Like `writableByOthers`, for reading. */
export function readableByOthers(stats: Stats): string | undefined {
  return isPosix && (stats.mode & READ) !== 0 ? `can be read by other users (${modeText(stats)})` : undefined;
}

/** It belongs neither to this user nor to root, who can change everything anyway. */
export function ownedByAnother(stats: Stats): string | undefined {
  const { uid } = stats;
  return isPosix && uid !== 0 && uid !== process.getuid?.()
    ? `belongs to another user (uid ${uid})`
    : undefined;
}

/** The name of a user, where the list of this system has it; else the number. */
export function userName(uid: number): string {
  try {
    const line = new RegExp(`^([^:\\n]+):[^:\\n]*:${uid}:`, 'm').exec(readFileSync('/etc/passwd', 'utf8'));
    return line?.[1] ?? String(uid);
  } catch {
    return String(uid);
  }
}

/** Whether other users can replace what is in this directory: the sticky bit keeps them from that. */
export function entriesReplaceable(stats: Stats): boolean {
  return isPosix && (stats.mode & WRITE) !== 0 && (stats.mode & STICKY) === 0;
}

const isPosix = process.getuid !== undefined;

const modeText = (stats: Stats): string => `mode ${(stats.mode & 0o7777).toString(8).padStart(4, '0')}`;
