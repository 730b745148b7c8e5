/**
 * `node:child_process` of a simulated process. Programs are those that the world knows: `flock`, and the app server of
 * the world. Any other program is missing.
 */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { SystemError } from '../world/disk.js';
import type { SimProcess } from '../world/process.js';
import type { World } from '../world/world.js';
import type { Descriptors } from './fs.js';

interface SpawnOptions {
  readonly stdio?: unknown;
  readonly signal?: AbortSignal;
  readonly env?: Record<string, string>;
}

const SPAWN_TIME = 3;

export function createChildProcess(process: SimProcess, world: World, descriptors: Descriptors) {
  function spawn(program: string, args: readonly string[] = [], options: SpawnOptions = {}): EventEmitter {
    if (program === 'flock') return flock(options);
    const child = Object.assign(new EventEmitter(), {
      pid: undefined as number | undefined,
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      stderr: new PassThrough(),
      kill: (signal: string) => child.pid !== undefined && world.processes.signal(child.pid, signal),
    });
    const start = world.programs.get(program);
    if (start === undefined) {
      process.after(SPAWN_TIME, () => child.emit('error', new SystemError('ENOENT', `spawn ${program}`)));
      return child;
    }
    const guest = world.process(process.machine, program, options.env ?? {});
    child.pid = guest.pid;
    guest.events.once('end', ({ code, signal }) => {
      process.after(1, () => {
        child.emit('exit', code, signal);
        child.stdout.end();
        child.stderr.end();
        process.after(1, () => child.emit('close', code, signal));
      });
    });
    process.after(SPAWN_TIME, () => {
      child.emit('spawn');
      if (guest.alive) start(guest, { args, stdin: child.stdin, stdout: child.stdout, stderr: child.stderr });
    });
    return child;
  }

  /** The command takes the lock of the descriptor that it inherits, and waits for it. */
  function flock({ stdio, signal }: SpawnOptions): EventEmitter {
    const child = new EventEmitter();
    const fd = Array.isArray(stdio) ? Number(stdio[3]) : -1;
    const { node } = descriptors.get(fd);
    const ended = (code: number | null): void => {
      process.after(0, () => child.emit('close', code, code === null ? 'SIGKILL' : null));
    };
    const attempt = (): void => {
      if (signal?.aborted === true) ended(null);
      else if (world.takeFlock(process, node)) {
        const release = (): void => world.releaseFlock(process, node);
        const forget = process.own(release);
        descriptors.onClose.set(fd, () => {
          forget();
          release();
        });
        ended(0);
      } else process.after(10, attempt);
    };
    process.after(SPAWN_TIME, attempt);
    return child;
  }

  return { spawn };
}
