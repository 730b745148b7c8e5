import { type ChildProcess, spawn } from 'node:child_process';

/** Between SIGTERM and SIGKILL, s; the engine itself waits as long. */
const TERM_TIMEOUT = 2;

/**
 * Each input line is the list of all process groups, or a directory to delete with them. The input ends when the
 * engine ends, for whatever reason.
 */
const SCRIPT = `
while read -r line; do case $line in /*) directory=$line ;; *) groups=$line ;; esac; done
[ -n "$groups" ] || exit 0
for group in $groups; do kill -s TERM -- "-$group"; done
sleep ${TERM_TIMEOUT}
for group in $groups; do kill -s KILL -- "-$group"; done
[ -z "$directory" ] || rm -rf -- "$directory"
`;

/**
 * Ends the process groups of app servers when the engine is killed or crashes. It is a small shell that holds only the
 * other end of a pipe and starts with the first group. On Windows it does nothing.
 */
export class ChildGuard {
  readonly #groups = new Set<number>();
  #shell: ChildProcess | undefined;

  /** This process group ends with the engine from now on. */
  add(group: number): void {
    if (process.platform === 'win32') return;
    this.#groups.add(group);
    this.#shell ??= this.#start();
    this.#sendGroups();
  }

  /** Deletes this directory together with the groups. @param directory Absolute, and ours. */
  deleteWithGroups(directory: string): void {
    this.#shell?.stdin?.write(`${directory}\n`);
  }

  /** The process group has ended. */
  remove(group: number): void {
    if (this.#groups.delete(group)) this.#sendGroups();
  }

  /** Stops guarding. */
  close(): void {
    this.#groups.clear();
    this.#sendGroups();
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'rc-engine: ends app servers with the engine'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // A signal for the engine's process group must not reach the guard.
      detached: true,
      env: { PATH: '/usr/bin:/bin' },
    });
    const clear = () => {
      if (this.#shell === shell) this.#shell = undefined;
    };
    // Without the guard everything works except the cleanup after a kill -9.
    shell.on('error', clear);
    shell.on('exit', clear);
    shell.stdin?.on('error', () => {});
    shell.unref();
    return shell;
  }

  #sendGroups(): void {
    this.#shell?.stdin?.write(`${[...this.#groups].join(' ')}\n`);
  }
}
