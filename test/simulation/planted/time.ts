/** Planted faults of timers, pauses and waking up. */
import type { Planted } from './planted.js';

const LINK_CHART = 'machines/link.ts';
const REMOTE = 'machines/remote-control/machine.ts';

export const TIME_FAULTS: readonly Planted[] = [
  {
    name: 'no-pong-timeout',
    what: 'a link that fell silent stays open',
    patches: [
      {
        file: LINK_CHART,
        find: "                silenceTimeout: {\n                  target: '#link.closing',",
        replace: '                silenceTimeout: {',
      },
    ],
  },
  {
    name: 'ping-once',
    what: 'the next ping is not scheduled after a pong',
    patches: [
      {
        file: LINK_CHART,
        find: "on: { PONG: 'open' },\n              after: { pongWait",
        replace: "on: { PONG: '#link.up.liveness.silent' },\n              after: { pongWait",
      },
      {
        file: LINK_CHART,
        find: "                silenceTimeout: {\n                  target: '#link.closing',",
        replace: '                silenceTimeout: {',
      },
    ],
  },
  {
    name: 'timer-dead-after-wake',
    what: 'the check of the sleep detector is not started again after the first wake-up',
    patches: [
      {
        file: 'src/system/sleep-detector.ts',
        find: "if (jumpMs > TOLERANCE) onWake({ kind: 'clock', jumpMs });",
        replace: 'if (jumpMs > TOLERANCE) {\n      stop();\n    }',
      },
    ],
  },
  {
    name: 'no-probe-after-wake',
    what: 'the link is not checked after a wake-up',
    patches: [
      {
        file: 'machines/remote-control/link.ts',
        find: "    WAKE: { description: 'The machine woke up: check that the link is alive. RC-25a', actions: 'probeLink' },",
        replace: '',
      },
    ],
  },
  {
    name: 'backoff-without-end',
    what: 'after a failure nothing tries again',
    patches: [
      {
        file: REMOTE,
        find: "entry: ['confirmActivation', 'scheduleBackoff', 'markUnresolved'],\n              after: retry,",
        replace: "entry: ['confirmActivation', 'scheduleBackoff', 'markUnresolved'],",
      },
    ],
  },
  {
    name: 'no-pause',
    what: 'attempts follow each other without a pause',
    patches: [
      {
        file: 'machines/shared/backoff.ts',
        find: 'return pauseFor(env, between(env, all / 2, all));',
        replace: 'return pauseFor(env, all * 0);',
      },
    ],
  },
  {
    name: 'pause-on-wall-clock',
    what: 'a pause ends by the wall clock, which may be set back',
    patches: [
      {
        file: 'machines/shared/backoff.ts',
        find: 'Math.max(retryAfterAt - env.now(), 0) + between(env, 0, timing.retryAfterSpread)',
        replace: 'Math.max(retryAfterAt - env.monotonic(), 0) + between(env, 0, timing.retryAfterSpread)',
      },
    ],
  },
  {
    name: 'retry-after-ignored',
    what: 'a Retry-After of the backend is not honored',
    patches: [
      {
        file: 'machines/shared/backoff.ts',
        find: 'return pauseFor(env, Math.max(retryAfterAt - env.now(), 0) + between(env, 0, timing.retryAfterSpread));',
        replace: 'return pauseFor(env, 500 + 0 * retryAfterAt * timing.retryAfterSpread);',
      },
    ],
  },
  {
    name: 'account-never-reloaded',
    what: 'after a sign-out, a new sign-in is not noticed',
    patches: [
      {
        file: 'machines/remote-control/auth.ts',
        find: "after: { authPoll: { target: '#remoteControl.active.loadingAuth.reloading' } },",
        replace: '',
      },
      {
        file: 'src/engine/engine.ts',
        find: "account.watch((changed) => actor.send({ type: 'AUTH.CHANGED', account: changed }));",
        replace:
          "account.watch((changed) => {\n      if (changed === null) actor.send({ type: 'AUTH.CHANGED', account: changed });\n    });",
      },
    ],
  },
];
