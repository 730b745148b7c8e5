import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import {
  type AuthorizedRequestInput,
  authorizedRequestMachine,
  type RequestOutcome,
  type StepOutcome,
} from '../../machines/authorized-request.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(authorizedRequestMachine);
const answered: RequestOutcome = { kind: 'answered' };
const refused: RequestOutcome = { kind: 'refused' };
const newToken: StepOutcome = { kind: 'recovered', newToken: true };
const sameToken: StepOutcome = { kind: 'recovered', newToken: false };
const noStep: StepOutcome = {
  kind: 'notRecovered',
  failure: { reason: 'authRejected', message: 'why', at: 1 },
};

function rig(repeats: AuthorizedRequestInput['repeats']) {
  const clock = new TestClock();
  const desk = new Desk<{ request: RequestOutcome; recoverAuth: StepOutcome }>();
  const machine = authorizedRequestMachine.provide({
    actors: { request: desk.actor('request'), recoverAuth: desk.actor('recoverAuth') },
  });
  const env = { now: () => 1, monotonic: () => 1, random: () => 0.5 };
  const actor = createActor(machine, {
    clock,
    input: { env, timing: { requestTimeout: 30_000 }, repeats },
    inspect: cover.watch(machine),
  }).start();
  const at = {
    clock,
    desk,
    async take(...outcomes: (RequestOutcome | StepOutcome)[]) {
      for (const one of outcomes) {
        if (one === answered || one === refused) await desk.answer('request', one);
        else await desk.answer('recoverAuth', one as StepOutcome);
        await settle();
      }
      return at;
    },
    get state() {
      return actor.getSnapshot().value;
    },
    get reason() {
      return actor.getSnapshot().context.decision.reason;
    },
    /** Undefined while it runs; null: the caller has the last response. */
    get failure() {
      return actor.getSnapshot().output?.failure;
    },
  };
  return at;
}

describe('authorizedRequest', () => {
  it('a request that is accepted is sent once, and nothing is recovered', async () => {
    for (const repeats of ['newToken', 'eachStep'] as const) {
      const at = await rig(repeats).take(answered);
      expect([at.state, at.failure, at.reason]).toEqual(['answered', null, 'starting']);
    }
  });

  it('RC-49: recovery runs until it brings another token, then the request is repeated once', async () => {
    const at = await rig('newToken').take(refused, sameToken, sameToken);
    expect([at.state, at.reason]).toEqual(['recovering', 'backendUnauthorized']);
    await at.take(newToken);
    expect([at.state, at.reason]).toEqual(['requestingAgain', 'authRecovered']);
    await at.take(refused);
    expect([at.state, at.failure]).toEqual(['answered', null]);
  });

  it('ACC-60: the lookup is repeated after each step, with whatever token it brought', async () => {
    const at = await rig('eachStep').take(refused, sameToken);
    expect(at.state).toBe('requestingAgain');
    await at.take(refused);
    expect([at.state, at.reason]).toEqual(['recovering', 'backendUnauthorized']);
    await at.take(newToken, answered);
    expect([at.state, at.failure]).toEqual(['answered', null]);
  });

  it('when no step is left the refusal is the response', async () => {
    for (const repeats of ['newToken', 'eachStep'] as const) {
      const at = await rig(repeats).take(refused, noStep);
      expect([at.state, at.failure, at.reason]).toEqual(['answered', null, 'authRejected']);
    }
  });

  it.each([
    ['request', [], 425_000, 'backendTimeout'],
    ['recoverAuth', [refused], 200_000, 'accountTimeout'],
    ['request', [refused, newToken], 425_000, 'backendTimeout'],
  ] as const)('RC-112: %s that does not answer after %j ends after %i ms', async (call, way, ms, reason) => {
    const at = await rig('newToken').take(...way);
    await at.clock.advance(ms - 1);
    expect(at.failure).toBeUndefined();
    await at.clock.advance(1);
    expect([at.state, at.failure?.reason, at.reason]).toEqual(['failed', reason, reason]);
    expect(at.desk.aborted).toEqual([call]);
  });

  it.each([
    ['request', []],
    ['recoverAuth', [refused]],
    ['request', [refused, newToken]],
  ] as const)('an adapter that fails ends it: %s after %j', async (call, way) => {
    const at = await rig('newToken').take(...way);
    await at.desk.fail(call, new Error('a bug'));
    expect([at.state, at.failure?.reason]).toEqual(['failed', 'engineFault']);
    expect(at.failure?.message).toContain('a bug');
  });
});

describe('cover', () => {
  it('the chart uses every name that it declares, and the tests take every transition', () => {
    expect(unusedNames(authorizedRequestMachine)).toEqual([]);
    expect(cover.untaken).toEqual([]);
  });
});
