/**
 * Time and memory of the charts alone, beside the smallest chart that XState can run. Prints one JSON object. It needs
 * --expose-gc, and a young generation that is large enough to avoid a collection while bytes are counted.
 */
import { createActor, fromCallback, fromPromise, setup } from 'xstate';
import { linkMachine, remoteControlMachine, virtualClientMachine } from '../dist/machines.js';

const quick = process.argv[2] === 'quick';
const SAMPLES = quick ? 3 : 9;
const EVENTS = quick ? 5_000 : 20_000;
/** Few enough that their garbage fits into the young generation. */
const EVENTS_FOR_BYTES = 2_000;
const ACTORS = 1_000;

const env = { now: () => Date.now(), random: () => 0.5 };
const MINUTE = 60_000;
/** No timer may end during a measurement. */
const timing = new Proxy({}, { get: () => 10 * MINUTE });

const toggle = setup({}).createMachine({
  initial: 'off',
  states: { off: { on: { TOGGLE: 'on' } }, on: { on: { TOGGLE: 'off' } } },
});

const remoteControl = remoteControlMachine.provide({
  actors: {
    loadAuth: fromPromise(async () => ({ kind: 'usable', account: { accountId: 'a', generation: 1 } })),
    loadEnrollment: fromPromise(async () => ({
      kind: 'found',
      preference: 'unset',
      enrollment: { serverId: 's', environmentId: 'e', serverName: 'host' },
    })),
    refresh: fromPromise(async () => ({
      kind: 'granted',
      token: { secret: null, expiresAt: Date.now() + 60 * MINUTE },
    })),
    dial: fromPromise(async () => ({ kind: 'open', socket: 1 })),
    link: linkMachine.provide({ actors: { socket: fromCallback(() => () => {}) } }),
  },
  actions: { closeVirtualClients: () => {} },
});

const virtualClient = virtualClientMachine.provide({
  actions: { closeSession: () => {} },
});

function startRemoteControl(clientName) {
  const actor = createActor(remoteControl, {
    input: {
      env,
      timing,
      target: { ok: true, socketUrl: 'wss://backend.test/server' },
      store: 'present',
      serverName: 'host',
      clientName,
      authStartup: 'recoverable',
      onConflict: 'wait',
    },
  });
  actor.subscribe(() => {});
  actor.start();
  actor.send({ type: 'ENABLE', by: 'start', durable: false });
  return actor;
}

async function connectedActor() {
  const actor = startRemoteControl(null);
  while (actor.getSnapshot().value.active !== 'connected') {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return actor;
}

const used = () => {
  globalThis.gc();
  return process.memoryUsage().heapUsed;
};

/** The samples of each named step, taken in turns: µs and allocated bytes of one call. */
function costOfEvents(steps) {
  const samples = Object.fromEntries(Object.keys(steps).map((name) => [name, []]));
  for (const step of Object.values(steps)) for (let i = 0; i < EVENTS; i += 1) step();
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    for (const [name, step] of Object.entries(steps)) {
      const began = performance.now();
      for (let i = 0; i < EVENTS; i += 1) step();
      const us = ((performance.now() - began) * 1000) / EVENTS;
      const before = used();
      for (let i = 0; i < EVENTS_FOR_BYTES; i += 1) step();
      samples[name].push({ us, bytes: (process.memoryUsage().heapUsed - before) / EVENTS_FOR_BYTES });
    }
  }
  return samples;
}

/** Each sample: µs to create, run and stop one actor, and bytes of a running one. */
async function costOfActors(start, end) {
  const round = async () => {
    const before = used();
    const began = performance.now();
    const actors = Array.from({ length: ACTORS }, (_, i) => start(i));
    const made = performance.now() - began;
    // Lets the invoked actors settle.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const bytes = (used() - before) / ACTORS;
    const endedAt = performance.now();
    for (const actor of actors) end(actor);
    return { us: ((made + performance.now() - endedAt) * 1000) / ACTORS, bytes };
  };
  for (let i = 0; i < 5; i += 1) await round();
  const samples = [];
  for (let i = 0; i < SAMPLES; i += 1) samples.push(await round());
  return samples;
}

const connected = await connectedActor();
const waiting = startRemoteControl(undefined);
const smallest = createActor(toggle).start();
let on = true;

const found = {
  ...costOfEvents({
    smallestEvent: () => smallest.send({ type: 'TOGGLE' }),
    remoteControlEvent: () => connected.send({ type: 'LINK.STABLE' }),
    transition: () => {
      on = !on;
      waiting.send(
        on ? { type: 'ENABLE', by: 'request', durable: false } : { type: 'DISABLE', durable: false },
      );
    },
    ignoredEvent: () => connected.send({ type: 'CLIENT.NAMED', name: 'nobody' }),
  }),
  virtualClient: await costOfActors(
    (i) =>
      createActor(virtualClient, { input: { env, timing, clientId: `client-${i}`, streamId: 's' } }).start(),
    (actor) => actor.send({ type: 'CLOSE', reason: 'clientClosed' }),
  ),
  smallestActor: await costOfActors(
    () => createActor(toggle).start(),
    (actor) => actor.stop(),
  ),
};
connected.stop();
waiting.stop();
smallest.stop();
console.log(JSON.stringify(found));
