/** Faults of the network. */
import type { StepKind } from '../steps.js';
import type { Random } from '../world/random.js';

const PAIRS = [
  ['engine', 'backend'],
  ['engine', 'backend'],
  ['engine', 'backend'],
  ['engine', 'issuer'],
  ['engine', 'app-server'],
  ['phone-1', 'backend'],
  ['local', 'engine'],
] as const;

const pairOf = (random: Random) => random.pick(PAIRS);

/** A connection within one machine ends when one of its sides ends. It does not fall silent. */
const isRemote = (_one: string, other: string): boolean => other === 'backend' || other === 'issuer';

export const NETWORK_FAULTS: readonly StepKind[] = [
  {
    name: 'cut',
    weight: 6,
    plan(random) {
      const [one, other] = pairOf(random);
      const bytes = random.chance(0.5) ? random.int(0, 700) : random.int(0, 20_000);
      const drawn = random.pick(['reset', 'end', 'silence'] as const);
      const how = drawn === 'silence' && !isRemote(one, other) ? 'reset' : drawn;
      return {
        text: `${one} and ${other}: cut after ${bytes} more bytes (${how})`,
        act: ({ world }) => {
          world.network.route(one, other).cut = { bytes, how };
        },
      };
    },
  },
  {
    name: 'reset',
    weight: 3,
    plan(random) {
      const [one, other] = pairOf(random);
      return {
        text: `${one} and ${other}: all connections are reset`,
        act: ({ world }) => {
          for (const connection of world.network.connections(one, other)) connection.reset();
        },
      };
    },
  },
  {
    name: 'half-open',
    weight: 4,
    plan(random) {
      const [one, other] = random.pick(PAIRS.filter(([near, far]) => isRemote(near, far)));
      return {
        text: `${one} and ${other}: open connections fall silent`,
        act: ({ world }) => {
          for (const connection of world.network.connections(one, other)) connection.goSilent();
        },
      };
    },
  },
  {
    name: 'blocked',
    weight: 4,
    plan(random) {
      const [one, other] = pairOf(random);
      const ms = random.int(500, 40_000);
      return {
        text: `${one} and ${other}: nothing passes for ${ms} ms`,
        act: ({ world }) => {
          const route = world.network.route(one, other);
          route.blocked = true;
          world.scheduler.after(ms, () => {
            route.blocked = false;
            world.network.flush();
          });
        },
      };
    },
  },
  {
    name: 'refused',
    weight: 2,
    plan(random) {
      const [one, other] = pairOf(random);
      const ms = random.int(500, 40_000);
      return {
        text: `${one} and ${other}: new connections are refused for ${ms} ms`,
        act: ({ world }) => {
          const route = world.network.route(one, other);
          route.refused = true;
          world.scheduler.after(ms, () => {
            route.refused = false;
          });
        },
      };
    },
  },
  {
    name: 'slow',
    weight: 3,
    plan(random) {
      const [one, other] = pairOf(random);
      const latency = random.int(100, 4_000);
      return {
        text: `${one} and ${other}: each piece takes up to ${latency} ms`,
        act: ({ world }) => {
          world.network.route(one, other).latency = latency;
        },
      };
    },
  },
];
