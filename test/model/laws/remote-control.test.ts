/**
 * Properties that hold on every path of remoteControl. The paths are generated from the chart, but the laws are written
 * from the requirements, so that a wrong transition violates a law.
 */
import { describe, expect, it } from 'vitest';
import type { RemoteControlContext } from '../../../machines/remote-control/types.js';
import { MODELS, pathsOfChart } from '../../../src/testing/charts/index.js';
import { EPOCH } from '../../../src/testing/charts/model.js';
import type { Expected, Step } from '../../../src/testing/index.js';

interface Moment {
  readonly step: Step;
  readonly before: Expected;
  readonly after: Expected;
  readonly was: RemoteControlContext;
  readonly is: RemoteControlContext;
  /** Wall-clock ms of the step. */
  readonly now: number;
}

const contextOf = ({ snapshot }: Expected): RemoteControlContext => snapshot.context;
const moments = [...pathsOfChart(MODELS.remoteControl!, 'transitions').variants].flatMap(({ generated }) =>
  generated.paths.flatMap(({ start, steps }) => {
    let now = EPOCH;
    return steps.map((step, index): Moment => {
      now += step.elapsed;
      const before = steps[index - 1]?.expected ?? start;
      const after = step.expected;
      return { step, before, after, was: contextOf(before), is: contextOf(after), now };
    });
  }),
);

const isIn = ({ states }: Expected, state: string): boolean => states.includes(`remoteControl.${state}`);
const isInActive = ({ states }: Expected, ...names: readonly string[]): boolean =>
  names.some((name) => states.includes(`remoteControl.active.${name}`));
/** States with a request to the backend. */
const REQUESTING = ['enrolling.requesting', 'reenrolling', 'refreshing', 'connecting', 'verifyingEnrollment'];

function story({ step, before, after }: Moment): string {
  return `${before.states.at(-1)} on ${step.words} → ${after.states.at(-1)}`;
}

/** Fails with every moment that violates the law, and when it applies to no moment. */
function law(title: string, applies: (moment: Moment) => boolean, holds: (moment: Moment) => boolean): void {
  it(title, () => {
    const tested = moments.filter(applies);
    expect(tested.length).toBeGreaterThan(0);
    expect(tested.filter((moment) => !holds(moment)).map(story)).toEqual([]);
  });
}

const outcome =
  (actor: string, ...kinds: readonly string[]) =>
  ({ step }: Moment): boolean =>
    step.actor === actor &&
    typeof step.value === 'object' &&
    step.value !== null &&
    'kind' in step.value &&
    kinds.includes(String(step.value.kind));
/** The backend itself answered, and no proxy. */
const byBackend = ({ step }: Moment): boolean =>
  typeof step.value === 'object' &&
  step.value !== null &&
  'byBackend' in step.value &&
  step.value.byBackend === true;
const hasRetryAfter = ({ step }: Moment): boolean =>
  JSON.stringify(step.value ?? null).includes('retryAfterAt');
const event =
  (type: string) =>
  ({ step }: Moment): boolean =>
    step.kind === 'event' && step.event.type === type;
const accountIn = ({ step }: Moment): unknown => ('account' in step.event ? step.event.account : undefined);
const isActive = (at: Expected): boolean => isIn(at, 'active');

describe('on every path of remoteControl', () => {
  law(
    'RC-42: every state has a public status',
    () => true,
    ({ after }) => {
      const shown = after.tags.filter((tag) =>
        ['disabled', 'connecting', 'connected', 'errored'].includes(tag),
      );
      return shown.length > 0;
    },
  );

  law(
    'RC-42: the status is connected exactly while there is a socket',
    () => true,
    ({ after, is }) => after.tags.includes('connected') === (is.socket !== null),
  );

  law(
    'RC-6, RC-23: it connects only with a persisted identity and a valid token',
    ({ after }) => isInActive(after, 'connecting'),
    ({ is, now }) =>
      typeof is.enrollment !== 'string' &&
      is.enrollment.serverId === is.persistedServerId &&
      is.token !== null &&
      is.token.expiresAt > now,
  );

  law(
    'RC-15: it enrolls only if the store has no identity',
    ({ before, after }) =>
      isInActive(after, 'enrolling.requesting') && !isInActive(before, 'enrolling.requesting'),
    ({ is }) => is.enrollment === 'none',
  );

  law(
    'RC-19: a refused server token clears the token, but not the identity',
    outcome('dial', 'tokenRejected'),
    ({ after, was, is }) =>
      isInActive(after, 'tokenInvalid') && is.token === null && is.enrollment === was.enrollment,
  );

  law(
    'RC-20: an identity that the backend does not know stays until there is a new one',
    (moment) =>
      outcome('dial', 'serverGone')(moment) ||
      (byBackend(moment) &&
        (outcome('refresh', 'notFound')(moment) || outcome('verify', 'notFound')(moment))),
    ({ after, was, is }) => isInActive(after, 'reenrolling') && is.enrollment === was.enrollment,
  );

  law(
    'RC-20: the virtual clients of an identity are closed when another one replaces it',
    outcome('enrollAgain', 'granted'),
    ({ after }) =>
      isInActive(after, 'enrolling.persisting') &&
      after.effects.some(({ name }) => name === 'closeVirtualClients'),
  );

  law(
    'RC-20: a 404 of a proxy never leads to another identity',
    (moment) =>
      !byBackend(moment) && (outcome('refresh', 'notFound')(moment) || outcome('verify', 'notFound')(moment)),
    ({ after, was, is }) => !isInActive(after, 'reenrolling') && is.enrollment === was.enrollment,
  );

  law(
    'RC-21: an ambiguous 404 is verified before anything is cleared',
    (moment) => outcome('dial', 'ambiguousNotFound')(moment),
    ({ after, was, is }) =>
      isInActive(after, 'verifyingEnrollment') && is.enrollment === was.enrollment && is.token === was.token,
  );

  law(
    'RC-22: an identity is removed only with its account',
    ({ was, is }) => typeof was.enrollment !== 'string' && typeof is.enrollment === 'string',
    ({ was, is }) => is.account?.accountId !== was.account?.accountId,
  );

  law(
    'RC-24: the first conflicts are followed by a quick retry',
    (moment) =>
      outcome('dial', 'conflict')(moment) &&
      moment.was.failureCounters.conflicts < 2 &&
      moment.is.decision.reason !== 'duplicateInstallation',
    ({ after }) => isInActive(after, 'backingOff.handover'),
  );

  law(
    'RC-25: nothing is sent before a Retry-After ends',
    ({ is, now }) => is.retryAfter.until > now - EPOCH,
    // At the end of the pause the clock shows the same time.
    ({ after }) => !isInActive(after, ...REQUESTING),
  );

  law(
    'RC-12, RC-14: a response with Retry-After leads to that pause',
    (moment) =>
      hasRetryAfter(moment) &&
      ['enroll', 'enrollAgain', 'refresh', 'verify', 'dial'].includes(moment.step.actor ?? ''),
    ({ after }) => isInActive(after, 'backingOff.retryAfter'),
  );

  law(
    'RC-14: after a refresh failure that proves nothing it connects with a valid token',
    (moment) =>
      (outcome('refresh', 'transient')(moment) ||
        (outcome('refresh', 'notFound')(moment) && !byBackend(moment))) &&
      !hasRetryAfter(moment) &&
      (moment.was.token?.expiresAt ?? 0) - moment.now > moment.was.timing.refreshRequired,
    ({ after }) => isInActive(after, 'connecting'),
  );

  law(
    'RC-25: a stable link resets all failure counters',
    event('LINK.STABLE'),
    ({ before, is }) =>
      !isInActive(before, 'connected') || Object.values(is.failureCounters).every((count) => count === 0),
  );

  law(
    'RC-25: after a link there is a pause before the next attempt',
    // --on-conflict may say otherwise about an engine that takes the connection again and again. RC-110
    ({ step, is }) =>
      step.actor === 'link' && (is.decision.reason !== 'duplicateInstallation' || is.onConflict === 'wait'),
    ({ after, is }) => isInActive(after, 'backingOff') && is.pause.ms > 0,
  );

  law(
    'RC-26: after a sign-out it waits without account and token',
    (moment) => event('AUTH.CHANGED')(moment) && accountIn(moment) === null && isActive(moment.before),
    ({ after, is }) => isInActive(after, 'awaitingAuth.missing') && is.account === null && is.token === null,
  );

  law(
    'RC-7: another account does not inherit identity or token',
    ({ was, is }) =>
      was.account !== null && is.account !== null && was.account.accountId !== is.account.accountId,
    ({ after, is }) =>
      is.token === null &&
      typeof is.enrollment === 'string' &&
      (!isActive(after) || after.effects.some(({ name }) => name === 'closeVirtualClients')),
  );

  law(
    'RC-28: a refused account leads to recovery',
    (moment) =>
      outcome('enroll', 'unauthorized')(moment) ||
      outcome('enrollAgain', 'unauthorized')(moment) ||
      outcome('refresh', 'unauthorized')(moment) ||
      outcome('verify', 'unauthorized')(moment),
    ({ after }) => isInActive(after, 'recoveringAuth'),
  );

  law(
    'RC-43: disable works at once in any state and closes virtual clients',
    (moment) => event('DISABLE')(moment) && isActive(moment.before),
    ({ after, is }) =>
      isIn(after, 'idle') &&
      after.effects.some(({ name }) => name === 'closeVirtualClients') &&
      is.socket === null,
  );

  law(
    'RC-46: stop works in any state and closes virtual clients first',
    (moment) => event('STOP')(moment) && !isIn(moment.before, 'stopping'),
    ({ after }) =>
      isIn(after, 'stopping') && after.effects.some(({ name }) => name === 'closeVirtualClients'),
  );

  law(
    'RC-2, RC-6: with a refused target or without a store it is never enabled',
    ({ was }) => !was.target.ok || was.store === 'missing',
    ({ after }) =>
      !isActive(after) && !isIn(after, 'resolvingPreference') && !isIn(after, 'awaitingClientName'),
  );

  law(
    'every change to errored has a reason and a failure',
    ({ after, before }) => after.tags.includes('errored') && !before.tags.includes('errored'),
    ({ is, was }) => is.decision !== was.decision && is.lastFailure !== null,
  );
});
