import { type ChildProcess, spawn } from 'node:child_process';

/** Between the wish to end and the end, s; as long as the engine itself would wait. */
const TERM_LIMIT = 2;

/**
 * A line is all groups there are, or a folder that is to go with them; the end of the input is the end of the engine,
 * however that came.
 */
const SCRIPT = `
while read -r line; do case $line in /*) folder=$line ;; *) groups=$line ;; esac; done
[ -n "$groups" ] || exit 0
for group in $groups; do kill -s TERM -- "-$group"; done
sleep ${TERM_LIMIT}
for group in $groups; do kill -s KILL -- "-$group"; done
[ -z "$folder" ] || rm -rf -- "$folder"
`;

/**
 * Ends process groups when this process is gone without having done so: killed, or crashed. A small shell that holds
 * nothing but the other end of a pipe; it is started with the first group. Windows has no such thing.
 */
export class ChildGuard {
  readonly #groups = new Set<number>();
  #shell: ChildProcess | undefined;

  /** From now on this group ends with this process. */
  add(group: number): void {
    if (process.platform === 'win32') return;
    this.#groups.add(group);
    this.#shell ??= this.#start();
    this.#tell();
  }

  /** This folder of ours goes with the groups; absolute. */
  leave(folder: string): void {
    this.#shell?.stdin?.write(`${folder}\n`);
  }

  /** It is gone. */
  remove(group: number): void {
    if (this.#groups.delete(group)) this.#tell();
  }

  /** Nothing is guarded any more. */
  close(): void {
    this.#groups.clear();
    this.#tell();
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'rc-engine: ends app servers with the engine'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // A signal for the engine's whole group is not one for it.
      detached: true,
      env: { PATH: '/usr/bin:/bin' },
    });
    const forget = () => {
      if (this.#shell === shell) this.#shell = undefined;
    };
    // Without it everything works but the end after a kill -9.
    shell.on('error', forget);
    shell.on('exit', forget);
    shell.stdin?.on('error', () => {});
    shell.unref();
    return shell;
  }

  #tell(): void {
    this.#shell?.stdin?.write(`${[...this.#groups].join(' ')}\n`);
  }
}
