/** Faults of the machine of the engine: its power, clock, disk and processes. */
import type { StepKind } from '../steps.js';

export const MACHINE_FAULTS: readonly StepKind[] = [
  {
    name: 'kill-engine',
    weight: 5,
    plan: () => ({ text: 'engine: killed', act: ({ engine }) => engine.kill() }),
  },
  {
    name: 'stop-engine',
    weight: 2,
    plan: () => ({ text: 'engine: stopped by its owner', act: ({ engine }) => void engine.stop() }),
  },
  {
    name: 'power-cut',
    weight: 4,
    plan: (random) => {
      const ms = random.int(1_000, 20_000);
      return {
        text: `host: power cut for ${ms} ms`,
        act: (site) => {
          const { engine, appServer, local, host, world } = site;
          for (const process of world.processes.running) {
            if (process.machine === host && process !== local.process) world.network.vanish(process);
          }
          engine.supervised = false;
          engine.kill();
          appServer.kill();
          host.disk.powerCut();
          world.scheduler.after(ms, () => {
            engine.supervised = true;
            appServer.start();
            engine.start();
          });
        },
      };
    },
  },
  {
    name: 'kill-app-server',
    weight: 3,
    plan: (random) => {
      const ms = random.int(100, 15_000);
      return {
        text: `app server: killed, and back after ${ms} ms`,
        act: ({ appServer, world }) => {
          appServer.kill();
          world.scheduler.after(ms, () => appServer.start());
        },
      };
    },
  },
  {
    name: 'stall',
    weight: 4,
    plan: (random) => {
      const who = random.pick(['engine', 'appServer', 'backend'] as const);
      const ms = random.int(200, 20_000);
      return {
        text: `${who}: stopped for ${ms} ms`,
        act: (site) => site[who].process?.stall(ms),
      };
    },
  },
  {
    name: 'sleep',
    weight: 5,
    plan: (random) => {
      const ms = random.chance(0.8) ? random.int(3_000, 90_000) : random.int(90_000, 1_500_000);
      return {
        text: `host: sleeps for ${ms} ms`,
        act: ({ host, world }) => {
          for (const process of world.processes.running) {
            // A router forgets connections that are quiet for long.
            if (process.machine === host && ms > 300_000) world.network.vanish(process);
          }
          host.sleep(ms);
        },
      };
    },
  },
  {
    name: 'clock',
    weight: 4,
    plan: (random) => {
      const ms = random.int(-7_200_000, 7_200_000);
      return { text: `host: the clock is set to ${ms} ms`, act: ({ host }) => host.setClock(ms) };
    },
  },
  {
    name: 'network-change',
    weight: 2,
    plan: (random) => {
      const address = `10.0.${random.int(0, 255)}.${random.int(1, 254)}`;
      return {
        text: `host: another network, ${address}`,
        act: ({ host, world, engine }) => {
          host.address = address;
          if (engine.process !== undefined) world.network.vanish(engine.process, /^(?:backend|issuer)/);
        },
      };
    },
  },
  {
    name: 'disk-full',
    weight: 4,
    plan: (random) => {
      const ms = random.int(500, 30_000);
      return {
        text: `host: the disk is full for ${ms} ms`,
        act: ({ host, world }) => {
          host.disk.full = true;
          world.scheduler.after(ms, () => {
            host.disk.full = false;
          });
        },
      };
    },
  },
  {
    name: 'disk-error',
    weight: 3,
    plan: (random) => {
      const kind = random.pick(['read', 'write', 'sync'] as const);
      const count = random.int(1, 4);
      return {
        text: `host: ${count} errors of the disk at ${kind}`,
        act: ({ host }) => {
          host.disk.broken[kind] = count;
        },
      };
    },
  },
];
