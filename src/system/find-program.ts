import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Why a program cannot be started from here, in words that go on from its name; null: nothing speaks against it.
 * Only a look: it may come, or go, until somebody starts it.
 */
export function whyNotExecutable(program: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const named = /[/\\]/.test(program);
  const windows = process.platform === 'win32';
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const endings = windows ? ['', ...(env.PATHEXT ?? '.EXE;.CMD;.BAT').split(';')] : [''];
  const places = named ? [program] : folders.map((folder) => join(folder, program));
  if (places.some((place) => endings.some((ending) => mayRun(place + ending)))) return null;
  return named ? 'is not a program that can be run' : 'is not on the PATH';
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
