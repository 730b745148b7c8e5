import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { ProcessTableReader } from '../system/process-table.js';
import { CHILD_MARK, Descendants } from './descendants.js';

/** Between SIGTERM and SIGKILL, s; the engine itself waits as long. */
const TERM_TIMEOUT = 2;

/**
 * Each input line is the list of all process groups, or a directory to delete with them. The input ends when the
 * engine ends, for whatever reason. `find_others` finds what `Descendants` finds, and notes start times, because a
 * pid may be in use again when SIGKILL follows.
 */
const SCRIPT = `
id=$1
while read -r line; do
  case $line in /*) directory=$line ;; done) exit 0 ;; *) groups=$line ;; esac
done
start_of() {
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
  set -- \${stat##*) }
  [ "$1" = Z ] || start=\${20}
}
find_others() {
  set -- $(grep -lsF "${CHILD_MARK}=$id-" /proc/[0-9]*/environ)
  for file; do
    pid=\${file#/proc/}; pid=\${pid%/environ}; start=; start_of "$pid"
    [ -z "$start" ] || { members="$members$pid "; others="$others $pid:$start"; }
  done
  set -- $(grep -lsF "${CHILD_MARK}=" /proc/[0-9]*/environ)
  marked=" $* "
  before=
  while [ "$before" != "$members" ]; do
    before=$members
    for file in /proc/[0-9]*/stat; do
      pid=\${file#/proc/}; pid=\${pid%/stat}
      case $members in *" $pid "*) continue ;; esac
      case $marked in *" /proc/$pid/environ "*) continue ;; esac
      { read -r stat <"$file"; } 2>/dev/null || continue
      set -- \${stat##*) }
      case $members in *" $2 "* | *" $3 "* | *" $4 "*) members="$members$pid "; others="$others $pid:\${20}" ;; esac
    done
  done
}
send() {
  for group in $groups; do kill -s "$1" -- "-$group"; done
  for other in $others; do
    start=; start_of "\${other%:*}"
    [ "$start" != "\${other#*:}" ] || kill -s "$1" "\${other%:*}"
  done
}
members=" $groups " others=
find_others
[ -n "$groups$others" ] || exit 0
send TERM
sleep ${TERM_TIMEOUT}
find_others
send KILL
[ -z "$directory" ] || rm -rf -- "$directory"
`;

/**
 * Ends app servers when the engine is killed or crashes. It is a small shell that holds only the other end of a pipe and
 * starts with the first child. On Windows it does nothing.
 */
export class ChildGuard {
  readonly #id = randomBytes(16).toString('hex');
  readonly #groups = new Set<number>();
  readonly #reader = new ProcessTableReader(CHILD_MARK, this.#groups);
  /** Children that have exited while some of their descendants run. */
  readonly #ending = new Set<Promise<unknown>>();
  #shell: ChildProcess | undefined;
  #count = 0;

  /** A mark for the next child. */
  nextMark(): string {
    this.#count += 1;
    return `${this.#id}-${this.#count}`;
  }

  /** A child with this mark and a process group of its own ends with the engine from now on. */
  add(pid: number, mark: string): Descendants {
    if (process.platform !== 'win32') {
      this.#groups.add(pid);
      this.#shell ??= this.#start();
      this.#sendGroups();
    }
    return new Descendants(pid, mark, this.#reader);
  }

  /** Deletes this directory together with the groups. @param directory Absolute, and ours. */
  deleteWithGroups(directory: string): void {
    this.#shell?.stdin?.write(`${directory}\n`);
  }

  /** The process group has ended. @param gone Resolves when its descendants have ended too. */
  remove(group: number, gone: Promise<unknown>): void {
    if (this.#groups.delete(group)) this.#sendGroups();
    this.#ending.add(gone);
    void gone.finally(() => this.#ending.delete(gone));
  }

  /** Waits until nothing of the children is left, and stops guarding. The children have exited. */
  async close(): Promise<void> {
    await Promise.all(this.#ending);
    this.#groups.clear();
    this.#shell?.stdin?.end('done\n');
    this.#shell = undefined;
  }

  #start(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'rc-engine: ends app servers with the engine', this.#id], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // A signal for the engine's process group must not reach the guard.
      detached: true,
      // The empty mark: where this engine is below an app server of another one, that one must not end the guard.
      env: { PATH: '/usr/bin:/bin', [CHILD_MARK]: '' },
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
