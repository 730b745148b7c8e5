/** Processes that run the code under test. */
import type { Code } from '../compile.js';
import { createModules } from '../modules/modules.js';
import type { Machine } from '../world/machine.js';
import type { SimProcess } from '../world/process.js';
import type { World } from '../world/world.js';

export interface Running<Kind extends keyof Code> {
  readonly process: SimProcess;
  readonly code: ReturnType<Code[Kind]>;
}

export function startPeer(world: World, machine: Machine, name: string): Running<'peer'> {
  const process = begin(world, machine, name);
  return { process, code: world.code.peer(createModules(process, world)) };
}

export function startEngine(world: World, machine: Machine, name: string): Running<'engine'> {
  const process = begin(world, machine, name);
  return { process, code: world.code.engine(createModules(process, world)) };
}

function begin(world: World, machine: Machine, name: string): SimProcess {
  const process = world.process(machine, name);
  world.trace.add(name, `process ${process.pid} begins`);
  process.events.once('end', ({ code, signal }) =>
    world.trace.add(name, `process ${process.pid} ends: ${signal ?? `code ${code}`}`),
  );
  return process;
}

/** Runs `work` in the process. Settles with it, and never when the process ends first. */
export function inside<T>(process: SimProcess, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    process.after(0, () => {
      work().then(resolve, reject);
    });
  });
}
