/** The globals of a simulated process that know the time, randomness or the system. */
import { EventEmitter } from 'node:events';
import { SystemError } from '../world/disk.js';
import type { SimProcess } from '../world/process.js';
import type { World } from '../world/world.js';
import { createSqlite } from './sqlite.js';
import { UID } from './stats.js';
import type { createTimers } from './timers.js';

/** The version that the code under test sees: it has SQLite built in, so the driver of Node is used. */
const NODE_VERSION = '24.15.0';

export function createGlobals(process: SimProcess, timers: ReturnType<typeof createTimers>, world: World) {
  const { machine } = process;
  const random = process.random.fork('math');

  class SimDate extends Date {
    constructor(...values: [] | [number | string | Date] | [number, number, ...number[]]) {
      // `new Date()` is the only form that asks the clock.
      if (values.length === 0) super(machine.wall());
      else super(...(values as [number]));
    }
    static override now(): number {
      return machine.wall();
    }
  }

  const math: Math = Object.create(Math, { random: { value: () => random.float() } });

  const performance = {
    now: () => machine.monotonic() - process.startedAt,
    timeOrigin: machine.wall(),
    mark: () => {},
    measure: () => {},
  };

  const AbortSignalWithTimeout = new Proxy(AbortSignal, {
    get(target, name) {
      if (name !== 'timeout') return Reflect.get(target, name, target);
      return (ms: number): AbortSignal => {
        const controller = new AbortController();
        const error = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
        timers.globals.setTimeout(() => controller.abort(error), ms);
        return controller.signal;
      };
    },
  });

  const simulated = Object.assign(new EventEmitter(), {
    ...{ pid: process.pid, ppid: 1, platform: 'linux', arch: 'x64', env: process.env },
    ...{ argv: ['node', process.name], execArgv: [], execPath: '/usr/bin/node', title: process.name },
    ...{ version: `v${NODE_VERSION}`, versions: { ...globalThis.process.versions, node: NODE_VERSION } },
    ...{ features: {}, config: {}, release: { name: 'node' }, exitCode: undefined },
    nextTick: globalThis.process.nextTick,
    cwd: () => '/',
    umask(mask?: number) {
      const before = process.umask;
      if (mask !== undefined) process.umask = mask;
      return before;
    },
    getuid: () => UID,
    geteuid: () => UID,
    getgid: () => UID,
    uptime: () => performance.now() / 1_000,
    memoryUsage: Object.assign(() => ({ rss: 50e6, heapTotal: 20e6, heapUsed: 10e6, external: 0 }), {
      rss: () => 50e6,
    }),
    cpuUsage: () => ({ user: 0, system: 0 }),
    hrtime: Object.assign(
      () => [Math.floor(machine.monotonic() / 1_000), Math.floor((machine.monotonic() % 1_000) * 1e6)],
      { bigint: () => BigInt(Math.round(machine.monotonic() * 1e6)) },
    ),
    emitWarning: () => {},
    getBuiltinModule: (name: string) => (name === 'node:sqlite' ? createSqlite(process, world) : undefined),
    kill(pid: number, signal: string | number = 'SIGTERM'): true {
      if (!world.processes.signal(pid, signal)) throw new SystemError('ESRCH', 'kill');
      return true;
    },
    exit: (code = 0) => process.end({ code, signal: null }),
    stdout: { write: (text: string) => process.output.push(text), isTTY: false, on: () => {} },
    stderr: { write: (text: string) => process.output.push(text), isTTY: false, on: () => {} },
  });
  const write = (...values: unknown[]): void => {
    process.output.push(values.map(String).join(' '));
  };

  return {
    ...timers.globals,
    Date: SimDate,
    Math: math,
    performance,
    process: simulated,
    AbortSignal: AbortSignalWithTimeout,
    console: { log: write, info: write, warn: write, error: write, debug: write, trace: write },
    fetch: forbidden('fetch'),
  };
}

/** Something that would leave the simulated world. */
export function forbidden(what: string): () => never {
  return () => {
    throw new Error(`${what} would leave the simulated world`);
  };
}
