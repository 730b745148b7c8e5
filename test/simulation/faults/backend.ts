/** Faults of the backend: its responses, its sockets and its memory. */
import type { FaultInput } from '../../../src/backend/index.js';
import type { StepKind } from '../steps.js';
import type { Random } from '../world/random.js';

type Answer = Extract<FaultInput, { action: 'answer' }>['fault'];

const ROUTES = [
  'enroll',
  'refresh',
  'refresh',
  'socket',
  'socket',
  'socket',
  'pair',
  'controllerSocket',
] as const;
/** The exact statement of the backend that an identity no longer exists. RC-20 */
export const GONE = { detail: 'Remote app server not found' };
const HTML = '<html><body>Something else answers here</body></html>';

const fault = (name: string, weight: number, plan: (random: Random) => FaultInput): StepKind => ({
  name,
  weight,
  plan(random) {
    const input = plan(random);
    return { text: `backend: ${JSON.stringify(input)}`, act: ({ backend }) => backend.fault(input) };
  },
});

/** What makes the engine send a request of this kind soon, so that the answer is used. */
const PROVOKES: Readonly<Record<string, readonly FaultInput[]>> = {
  socket: [{ action: 'dropSockets', side: 'server' }],
  refresh: [
    { action: 'expireTokens', inSeconds: 0 },
    { action: 'dropSockets', side: 'server' },
  ],
  enroll: [{ action: 'forgetServers' }, { action: 'dropSockets', side: 'server' }],
};

/** An answer to one kind of request. Often something makes the engine send such a request at once. */
const answer = (name: string, weight: number, plan: (random: Random) => Partial<Answer>): StepKind => ({
  name,
  weight,
  plan(random) {
    const route = random.pick(ROUTES);
    const planned = {
      ...{ route, times: random.int(1, 3), delayMs: random.chance(0.3) ? random.int(0, 5_000) : 0 },
      ...plan(random),
    } as Answer;
    const provoked = random.chance(0.5) ? (PROVOKES[route] ?? []) : [];
    const inputs: readonly FaultInput[] = [{ action: 'answer', fault: planned }, ...provoked];
    return {
      text: `backend: ${inputs.map((input) => JSON.stringify(input)).join(', then ')}`,
      act: ({ backend }) => {
        for (const input of inputs) backend.fault(input);
      },
    };
  },
});

const CLOSE_CODES = [1000, 1001, 1006, 1008, 1011, 1012, 1013, 4000, 4001].filter((code) => code !== 1006);

export const BACKEND_FAULTS: readonly StepKind[] = [
  answer('status', 10, (random) => {
    const [status, body] = random.pick([
      [401, undefined],
      [403, undefined],
      [404, HTML],
      [404, GONE],
      [409, undefined],
      [429, undefined],
      [500, undefined],
      [502, HTML],
      [503, undefined],
      [200, HTML],
    ] as const);
    const retryAfter = status === 429 || status === 503 ? { 'retry-after': String(random.int(1, 15)) } : {};
    return { answer: 'status', status, headers: retryAfter, ...(body === undefined ? {} : { body }) };
  }),
  answer('hang', 2, () => ({ answer: 'hang' })),
  answer('drop', 3, () => ({ answer: 'drop' })),
  answer('delay', 2, (random) => ({ answer: 'truth', delayMs: random.int(1_000, 35_000) })),
  fault('garbage', 2, (random) => ({
    action: 'answer',
    fault: { route: random.pick(['enroll', 'refresh', 'pair'] as const), answer: 'garbage' },
  })),
  fault('close-after', 3, (random) => ({
    action: 'answer',
    fault: {
      ...{ route: 'socket', answer: 'closeAfter', ms: random.int(0, 3_000), times: random.int(1, 3) },
      code: random.pick(CLOSE_CODES),
    },
  })),
  fault('expire-tokens', 4, (random) => ({ action: 'expireTokens', inSeconds: random.int(0, 20) })),
  fault('token-life', 3, (random) => ({ action: 'tokenLife', seconds: random.int(5, 400) })),
  fault('drop-sockets', 3, () => ({ action: 'dropSockets' })),
  fault('close-sockets', 3, (random) => ({ action: 'closeSockets', code: random.pick(CLOSE_CODES) })),
  fault('mute-pongs', 2, () => ({ action: 'mutePongs', muted: true })),
  fault('forget-servers', 3, () => ({ action: 'forgetServers' })),
  {
    name: 'restart-backend',
    weight: 3,
    plan(random) {
      const ms = random.int(100, 20_000);
      return {
        text: `backend: killed, and back after ${ms} ms`,
        act: ({ backend, world }) => {
          backend.kill();
          world.scheduler.after(ms, () => backend.start());
        },
      };
    },
  },
];
