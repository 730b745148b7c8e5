/** Model of the chart `controllerLink`. */
import type { controllerLinkMachine } from '../../../machines/controller-link.js';
import type { LinkOutput } from '../../../machines/link.js';
import { CLOSE_CODES } from '../../protocol/close-codes.js';
import type { DialOutcome } from '../../protocol/outcomes.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const MINUTE = 60_000;
/** An attempt without an answer ends after everything else that can end, so that the order is always the same. */
const TIMING = { ...DEFAULT_TIMING, handshakeTimeout: 24 * 60 * MINUTE };

const ENDED: readonly LinkOutput[] = [
  { kind: 'closedByPeer', reason: 'linkClosed', code: CLOSE_CODES.controllerRevoked, stable: false },
  { kind: 'lost', reason: 'linkLost', code: null, stable: false },
  { kind: 'closedByUs', reason: 'disabled', code: null, stable: true },
];

/** Attempts, and whether the pause of this one was cut already. */
const attemptKey = ({
  attempt,
  networkCut,
}: {
  readonly attempt: number;
  readonly networkCut: number;
}): string => `${Math.min(attempt, 2)} ${networkCut === attempt + 1}`;

export function controllerLinkModel(): Variant<typeof controllerLinkMachine>[] {
  const env = new SimulatedEnv();
  const dialed = (): readonly DialOutcome[] => [
    { kind: 'open', socket: 1 },
    { kind: 'tokenRejected', failure: failure('tokenRejected') },
    { kind: 'ambiguousNotFound', failure: failure('ambiguousNotFound') },
    { kind: 'failed', failure: failure('networkUnreachable') },
    {
      kind: 'failed',
      failure: failure('backendRateLimited', { retryAfterAt: env.now() + MINUTE }),
    },
  ];
  const unavailable = (): readonly DialOutcome[] => [
    { kind: 'failed', failure: failure('backendUnavailable', { httpStatus: 503 }) },
  ];
  return [
    {
      name: 'a paired environment',
      options: {
        input: { env, timing: TIMING, newStreamWait: MINUTE / 2, streamHold: 10 * MINUTE },
        setTime: env.setTime,
        key: ({ context }) => `${context.wasOpen} ${attemptKey(context)}`,
        events: [{ type: 'STOP' }, { type: 'WAKE' }, { type: 'NETWORK.CHANGED' }, { type: 'LINK.STABLE' }],
        outcomes: { dial: dialed, link: ENDED },
      },
    },
    {
      name: 'a backend that answers with an error',
      options: {
        input: { env, timing: TIMING, newStreamWait: MINUTE / 2, streamHold: 10 * MINUTE },
        setTime: env.setTime,
        key: ({ context }) => attemptKey(context),
        events: [{ type: 'NETWORK.CHANGED' }],
        outcomes: { dial: unavailable, link: ENDED },
      },
    },
  ];
}
