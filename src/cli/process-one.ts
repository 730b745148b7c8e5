/**
 * As process 1 of a container the engine inherits each process whose parent has ended, and Node waits only for its own
 * children: the others would stay as zombies until no process can be started. So a small program becomes their parent,
 * and runs the engine as its child. RC-75
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { stderr } from './output/terminal.js';

const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Number of the system call prctl. */
const PRCTL: Readonly<Record<string, number>> = {
  x64: 157,
  arm64: 167,
  arm: 172,
  ia32: 172,
  loong64: 167,
  ppc64: 171,
  riscv64: 167,
  s390x: 172,
};

/** Asks the kernel for all orphans below it (PR_SET_CHILD_SUBREAPER), runs a command, and waits for everything. */
const SUBREAPER = `
my ($prctl, @command) = @ARGV;
my ($child, @early);
for my $name (qw(TERM INT HUP QUIT USR1 USR2)) {
  $SIG{$name} = sub { if ($child) { kill $name, $child } else { push @early, $name } };
}
syscall($prctl + 0, 36, 1, 0, 0, 0);
defined($child = fork) or exit 71;
if ($child == 0) { exec { $command[0] } @command; exit 127 }
kill $_, $child for @early;
for (;;) {
  my $ended = waitpid -1, 0;
  exit($? & 127 ? 128 + ($? & 127) : $? >> 8) if $ended == $child;
  exit 71 if $ended == -1 && $! != 4;
}
`;

/**
 * Takes the place of this process: a shell that waits for its child reaps all others too. A terminal sends its signals
 * to the child itself.
 */
const SHELL = `
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&- </dev/null
for name in TERM HUP QUIT USR1 USR2; do trap "kill -s $name $child" $name; done
if [ -t 1 ] || [ -t 2 ]; then trap : INT; else trap "kill -s INT $child" INT; fi
code=0
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
wait "$child"; last=$?
[ "$last" -eq 127 ] || code=$last
exit "$code"
`;

/** The call that replaces this process, where this version of Node has it. */
function execve(): ((file: string, args: readonly string[], env: NodeJS.ProcessEnv) => void) | undefined {
  const call: unknown = Reflect.get(process, 'execve');
  if (typeof call !== 'function') return undefined;
  return (file, args, env) => Reflect.apply(call, process, [file, args, env]);
}

/**
 * Runs this command line again below a program that collects orphans.
 * @returns its exit code; undefined when there is no such program, and the engine must run as it is.
 */
export async function runBelowReaper(): Promise<number | undefined> {
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // It does not return where it works.
  execve()?.('/bin/sh', ['sh', '-c', SHELL, 'rc-engine', ...command], process.env);
  const prctl = PRCTL[process.arch];
  const code = prctl === undefined ? undefined : await runBelowPerl([String(prctl), ...command]);
  if (code === undefined) {
    stderr.print(
      'rc-engine: Warning: as process 1 the engine cannot collect processes that its app servers leave behind.',
      '  Run the container with an init, as docker run --init does, or install perl in it.',
    );
  }
  return code;
}

function runBelowPerl(args: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    // In a session of its own it gets Ctrl-C from this process only, and not from the terminal too.
    const reaper = spawn('perl', ['-e', SUBREAPER, ...args], { stdio: 'inherit', detached: true });
    const forward = (signal: NodeJS.Signals) => reaper.kill(signal);
    for (const signal of FORWARDED) process.on(signal, forward);
    reaper.once('error', () => {
      for (const signal of FORWARDED) process.off(signal, forward);
      resolve(undefined);
    });
    reaper.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}
