import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LinkEvent } from '../../../machines/link.js';
import type { Failure } from '../../../src/protocol/outcomes.js';
import type { Reason } from '../../../src/protocol/reasons.js';
import { settle } from '../../support/charts.js';
import {
  ANNA,
  ANNA_2,
  BERT,
  HOUR,
  MARK,
  MINUTE,
  type Outcomes,
  type RcEvent,
  Rig,
  S1,
  S2,
  S3,
} from './rig.js';

const pickFrom = <const T>(list: readonly [T, ...T[]], pick: number): T =>
  list[pick % list.length] ?? list[0];

const BACKEND: readonly string[] = ['enroll', 'refresh', 'dial'];

/** An outcome of each source; `pick` selects it. A Retry-After is set only where the chart honors it. */
function outcomeFor(rig: Rig, src: keyof Outcomes, pick: number): Promise<void> {
  const how = Math.floor(pick / 16);
  const plain = (reason: Reason): Failure => rig.failure(reason);
  const maybeRetryAfter = (reason: Reason): Failure =>
    how % 3 === 0
      ? rig.failure(reason, { retryAfterAt: rig.now + pickFrom([1, 5_000, 20 * MINUTE], how) })
      : plain(reason);
  const ttl = pickFrom([HOUR, 10 * MINUTE, 2 * MINUTE, 10_000, 0], how);
  const enrollment = pickFrom([S1, S2, S3], how);
  const fault = pickFrom(['unauthorized', 'notFound', 'conflict', 'transient', 'other'], pick);
  const failure =
    fault === 'unauthorized' || fault === 'notFound'
      ? plain('backendRefused')
      : maybeRetryAfter('backendUnavailable');
  switch (src) {
    case 'loadAuth':
      return rig.answer(
        'loadAuth',
        pick % 4 === 0
          ? { kind: 'ineligible', failure: plain('authMissing') }
          : { kind: 'usable', account: pickFrom([ANNA, ANNA_2, BERT], pick) },
      );
    case 'recoverAuth':
      return pick % 2 === 0
        ? rig.answer('recoverAuth', { kind: 'recovered', account: pickFrom([ANNA, ANNA_2, BERT], how) })
        : rig.answer('recoverAuth', {
            kind: pickFrom(['transient', 'exhausted'], how),
            failure: plain('authRejected'),
          });
    case 'loadEnrollment': {
      const preference = pickFrom(['unset', 'on', 'off'], how);
      if (pick % 4 === 0) return rig.answer(src, { kind: 'failed', failure: plain('storeUnavailable') });
      if (pick % 4 === 1) return rig.answer(src, { kind: 'none', preference });
      return rig.answer(src, {
        kind: 'found',
        preference,
        enrollment: { ...enrollment, serverName: pickFrom(['host', 'old'], pick) },
      });
    }
    case 'saveEnrollment':
      return rig.answer(
        src,
        pick % 3 === 0 ? { kind: 'failed', failure: plain('storeWriteFailed') } : { kind: 'done' },
      );
    case 'enroll':
      return pick % 2 === 0
        ? rig.answer(src, { kind: 'granted', enrollment, token: rig.token(ttl) })
        : rig.answer(
            src,
            fault === 'notFound'
              ? { kind: fault, byBackend: how % 2 === 0, failure }
              : { kind: fault, failure },
          );
    case 'refresh':
      return pick % 2 === 0
        ? rig.answer(src, { kind: 'granted', token: rig.token(ttl) })
        : rig.answer(
            src,
            fault === 'notFound'
              ? { kind: fault, byBackend: how % 2 === 0, failure }
              : { kind: fault, failure },
          );
    case 'dial': {
      const kind = pickFrom(
        ['open', 'tokenRejected', 'serverGone', 'ambiguousNotFound', 'conflict', 'failed'],
        pick,
      );
      if (kind === 'open') return rig.answer(src, { kind, socket: 1 });
      const honored = kind !== 'tokenRejected' && kind !== 'serverGone';
      return rig.answer(src, {
        kind,
        failure: honored ? maybeRetryAfter('handshakeFailed') : plain('handshakeFailed'),
      });
    }
    case 'drain':
      return rig.answer(src, undefined);
  }
}

const isSource = (src: string): src is keyof Outcomes =>
  ['loadAuth', 'recoverAuth', 'loadEnrollment', 'saveEnrollment', 'drain', ...BACKEND].includes(src);

type Step =
  | { readonly do: 'answer'; readonly pick: number }
  | { readonly do: 'error' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'link'; readonly pick: number }
  | { readonly do: 'send'; readonly event: (rig: Rig) => RcEvent };

const send = (event: RcEvent | ((rig: Rig) => RcEvent)): Step => ({
  do: 'send',
  event: typeof event === 'function' ? event : () => event,
});

const EVENTS: readonly Step[] = [
  ...(['start', 'request'] as const).flatMap((by) =>
    [true, false].map((durable) => send({ type: 'ENABLE', by, durable })),
  ),
  send({ type: 'DISABLE', durable: true }),
  send({ type: 'DISABLE', durable: false }),
  send({ type: 'RESOLVE_PREFERENCE' }),
  send({ type: 'CLIENT.NAMED', name: 'editor' }),
  ...[ANNA, ANNA_2, BERT, null].map((account) => send({ type: 'AUTH.CHANGED', account })),
  send({ type: 'WAKE' }),
  send({ type: 'NETWORK.CHANGED' }),
  ...[S1, S2].map((enrollment) => send((rig) => ({ type: 'TOKEN.RENEWED', enrollment, token: rig.token() }))),
  ...[S1, S2].map(({ serverId }) =>
    send((rig) => ({ type: 'ENROLLMENT.LOST', serverId, failure: rig.failure('backendNotFound') })),
  ),
];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.nat(2_000).map((pick): Step => ({ do: 'answer', pick })) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(1, 750, 10_000, 60_000, 20 * MINUTE).map((ms): Step => ({ do: 'pass', ms })),
  },
  { weight: 3, arbitrary: fc.nat(5).map((pick): Step => ({ do: 'link', pick })) },
  { weight: 5, arbitrary: fc.constantFrom(...EVENTS) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'error' }) },
);

async function perform(rig: Rig, one: Step): Promise<void> {
  const [src] = rig.desk.open;
  switch (one.do) {
    case 'answer':
      if (src !== undefined && isSource(src)) await outcomeFor(rig, src, one.pick);
      return;
    case 'error':
      if (src !== undefined && isSource(src)) await rig.fail(src);
      return;
    case 'pass':
      return rig.pass(one.ms);
    case 'send':
      return rig.send(one.event(rig));
    case 'link':
      if (rig.sockets === 0) return;
      return rig.link(
        pickFrom<LinkEvent>(
          [
            { type: 'PONG' },
            { type: 'FRAMES' },
            { type: 'SOCKET.CLOSED', clean: true, code: 1012, fault: null },
            { type: 'SOCKET.CLOSED', clean: true, code: 1000, fault: null, replaced: true },
            { type: 'SOCKET.CLOSED', clean: false, code: null, fault: null },
          ],
          one.pick,
        ),
      );
  }
}

/** Checks what holds for every snapshot. */
function check(rig: Rig): void {
  const snapshot = rig.actor.getSnapshot();
  const { context, report, state } = rig;
  expect(snapshot.status).not.toBe('error');
  expect(rig.desk.open.length + rig.sockets).toBeLessThanOrEqual(1);
  expect(JSON.stringify(context)).not.toContain(MARK);
  expect(JSON.stringify(rig.actor.getPersistedSnapshot())).not.toContain(MARK);
  expect(JSON.stringify(report)).not.toContain(MARK);
  expect(['disabled', 'connecting', 'connected', 'errored']).toContain(report.status);
  expect(report.status === 'connected').toBe(rig.sockets === 1);
  if (report.status === 'disabled') expect(report.environmentId).toBeNull();
  expect(report.nextAttemptAt ?? Number.POSITIVE_INFINITY).toBeGreaterThan(rig.now);
  if (/active\.(connecting|connected)/.test(state)) {
    expect([context.account, context.token]).not.toContain(null);
    expect(context.persistedServerId).toBe(report.serverId);
  }
  // A waiting chart waits for an outcome, a timer or the link. Only in these three states does it wait for a user.
  const waitsForUser = /^(idle|awaitingClientName|stopped)/.test(state);
  const waitsFor = rig.desk.open.length + rig.sockets + rig.clock.timers;
  if (waitsForUser) expect(waitsFor).toBe(0);
  else expect(waitsFor).toBeGreaterThan(0);
}

// Hundreds of sequences: on a busy machine they take longer than the usual limit.
describe('properties', { timeout: 60_000 }, () => {
  const options = fc.record({
    onConflict: fc.constantFrom('wait', 'reenroll', 'exit'),
    authStartup: fc.constantFrom('ready', 'recoverable'),
    clientName: fc.constantFrom(null, undefined, 'given'),
  });

  it('RC-5, RC-42: no sequence of events throws, runs two requests at once, exposes a token, or gets stuck', async () => {
    await fc.assert(
      fc.asyncProperty(
        options,
        fc.array(step, { maxLength: 60 }),
        fc.nat(99),
        async (input, steps, random) => {
          const rig = new Rig(input);
          rig.randomValue = random / 100;
          check(rig);
          for (const one of steps) {
            await perform(rig, one);
            check(rig);
          }
          if (rig.state !== 'stopped') await rig.send({ type: 'STOP' });
          await rig.pass(5_000);
          expect(rig.actor.getSnapshot().status).toBe('done');
          check(rig);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('RC-14, RC-25: no event causes a request to the backend before a Retry-After has passed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        const rig = new Rig();
        await rig.toRefreshing();
        const until = rig.now + HOUR;
        const failure = rig.failure('backendRateLimited', { retryAfterAt: until });
        await rig.answer('refresh', { kind: 'transient', failure });
        for (const one of steps) {
          await perform(rig, one);
          if (rig.now >= until) return;
          expect(BACKEND).not.toContain(rig.desk.open[0]);
          expect(rig.sockets).toBe(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('RC-14, RC-19, RC-20, RC-25: no sequence of backend failures causes 150 requests in ten minutes', {
    timeout: 60_000,
  }, async () => {
    let most = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(2_000), { minLength: 1, maxLength: 12 }), async (picks) => {
        const rig = new Rig();
        await rig.toConnecting();
        let requests = 0;
        const end = rig.clock.now() + 10 * MINUTE;
        for (let turn = 0; rig.clock.now() < end && requests < 1_000; turn += 1) {
          const [src] = rig.desk.open;
          const pick = picks[turn % picks.length] ?? 0;
          // The account stays the same; everything else fails in every order.
          if (src === 'loadAuth') await rig.answer(src, { kind: 'usable', account: ANNA });
          else if (src === 'recoverAuth') {
            const failure = rig.failure('authRejected');
            await (pick % 2 === 0
              ? rig.answer(src, { kind: 'recovered', account: ANNA })
              : rig.answer(src, { kind: 'exhausted', failure }));
          } else if (src !== undefined && isSource(src)) await outcomeFor(rig, src, pick);
          else if (rig.sockets > 0) await rig.closeLink(pick % 2 === 0);
          else await rig.pass(rig.clock.nextIn ?? 1);
          if (src !== undefined && BACKEND.includes(src)) requests += 1;
          await settle();
        }
        most = Math.max(most, requests);
        expect(requests).toBeLessThan(150);
      }),
      { numRuns: 200 },
    );
    expect(most).toBeGreaterThan(40);
  });
});
