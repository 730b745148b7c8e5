import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { websocketAuthMachine } from '../../machines/websocket-auth.js';
import { decideWithChart, UpgradeDecisions } from '../../src/listener/auth/upgrade-decision.js';
import {
  type CredentialFacts,
  NOTHING_PRESENTED,
  UPGRADE_OUTCOMES,
  type UpgradeFacts,
  type Verdict,
} from '../../src/protocol/authority.js';
import { isReason } from '../../src/protocol/reasons.js';
import { EdgeCover, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(websocketAuthMachine);

function decide(facts: UpgradeFacts): Verdict {
  const actor = createActor(websocketAuthMachine, {
    input: facts,
    inspect: cover.watch(websocketAuthMachine),
  });
  actor.start();
  const { output, status } = actor.getSnapshot();
  expect(status).toBe('done');
  if (output === undefined) throw new Error('no verdict');
  return output;
}

const one: CredentialFacts = { ...NOTHING_PRESENTED, presented: 'one' };
const valid: CredentialFacts = { ...one, matches: true };
const base: UpgradeFacts = {
  mode: 'queryToken',
  enforced: true,
  hasOrigin: false,
  request: 'upgrade',
  admission: 'open',
  credential: NOTHING_PRESENTED,
};
const verdictWords = ({ outcome, reason }: Verdict) => `${outcome} ${reason}`;

const ADMISSIONS = [
  'open',
  'onlyEstablished',
  'notReady',
  'tooManyHandshakes',
  'tooManyConnections',
] as const;

const BOTH = [false, true];
/** Every combination of facts. */
function* allFacts(): Generator<UpgradeFacts> {
  for (const mode of ['queryToken', 'capability', 'signedBearer', 'filesystem'] as const)
    for (const enforced of mode === 'queryToken' ? BOTH : [true])
      for (const hasOrigin of BOTH)
        for (const request of ['upgrade', 'malformed', 'headersTooLarge', 'tooSlow', 'gone'] as const)
          for (const admission of ADMISSIONS)
            for (const presented of ['none', 'one', 'several', 'malformed'] as const)
              for (let bits = 0; bits < 32; bits += 1)
                yield {
                  ...{ mode, enforced, hasOrigin, request, admission },
                  credential: {
                    presented,
                    matches: (bits & 1) !== 0,
                    expired: (bits & 2) !== 0,
                    notYetValid: (bits & 4) !== 0,
                    issuerMatches: (bits & 8) !== 0,
                    audienceMatches: (bits & 16) !== 0,
                  },
                };
}

describe('websocketAuth', () => {
  it('WSA-2, WSA-3: every combination of facts has one outcome with one reason, and none is accepted by mistake', () => {
    let count = 0;
    for (const facts of allFacts()) {
      count += 1;
      const verdict = decideWithChart(facts);
      expect(UPGRADE_OUTCOMES).toContain(verdict.outcome);
      expect(isReason(verdict.reason)).toBe(true);
      expect(verdict.mode).toBe(facts.mode);
      const { credential } = facts;
      const ofAll = facts.admission === 'open';
      const ofEstablished = ofAll || facts.admission === 'onlyEstablished';
      const isAdmissible = !facts.hasOrigin && facts.request === 'upgrade' && ofEstablished;
      const isValid =
        credential.presented === 'one' &&
        credential.matches &&
        (facts.mode !== 'signedBearer' ||
          (!credential.expired &&
            !credential.notYetValid &&
            credential.issuerMatches &&
            credential.audienceMatches));
      const expected =
        isAdmissible && isValid
          ? 'established'
          : isAdmissible && ofAll && !facts.enforced
            ? 'degraded'
            : 'rejected';
      if (verdict.outcome !== expected) expect({ facts, verdict }).toBe(expected);
    }
    expect(count).toBe(5 * 2 * 5 * 5 * 4 * 32);
  });

  it.each([
    ['the printed token', valid, 'established tokenMatched'],
    ['no token', NOTHING_PRESENTED, 'rejected missingToken'],
    ['two tokens', { ...one, presented: 'several' }, 'rejected ambiguousToken'],
    ['a wrong token', one, 'rejected invalidToken'],
  ] as const)('WSA-9: query token: %s', (_, credential, expected) => {
    expect(verdictWords(decide({ ...base, credential }))).toBe(expected);
  });

  it.each([
    ['the printed token', valid, 'established tokenMatched'],
    ['no token', NOTHING_PRESENTED, 'degraded uncheckedMissing'],
    ['two tokens', { ...one, presented: 'several' }, 'degraded uncheckedAmbiguous'],
    ['a wrong token', one, 'degraded uncheckedInvalid'],
  ] as const)('WSA-4: without the check: %s', (_, credential, expected) => {
    expect(verdictWords(decide({ ...base, enforced: false, credential }))).toBe(expected);
  });

  it.each([
    ['a valid one', valid, 'established capabilityMatched'],
    ['none', NOTHING_PRESENTED, 'rejected missingBearer'],
    ['malformed', { ...one, presented: 'malformed' }, 'rejected malformedAuthorization'],
    ['a wrong one', one, 'rejected invalidCapability'],
  ] as const)('WSA-10, WSA-11: capability token: %s', (_, credential, expected) => {
    expect(verdictWords(decide({ ...base, mode: 'capability', credential }))).toBe(expected);
  });

  it.each([
    ['valid', valid, 'established jwtVerified'],
    ['none', NOTHING_PRESENTED, 'rejected missingBearer'],
    ['malformed header', { ...one, presented: 'malformed' }, 'rejected malformedAuthorization'],
    ['bad signature', one, 'rejected invalidJwt'],
    ['expired', { ...valid, expired: true, issuerMatches: false }, 'rejected expiredJwt'],
    ['not yet valid', { ...valid, notYetValid: true }, 'rejected jwtNotYetValid'],
    ['other issuer', { ...valid, issuerMatches: false }, 'rejected issuerMismatch'],
    ['other audience', { ...valid, audienceMatches: false }, 'rejected audienceMismatch'],
  ] as const)('WSA-12: signed token: %s', (_, credential, expected) => {
    expect(verdictWords(decide({ ...base, mode: 'signedBearer', credential }))).toBe(expected);
  });

  it.each([
    ['a private directory', valid, 'established socketPrivate'],
    ['an open directory', one, 'rejected socketExposed'],
  ] as const)('WSA-50, WSA-51: filesystem: %s', (_, credential, expected) => {
    expect(verdictWords(decide({ ...base, mode: 'filesystem', credential }))).toBe(expected);
  });

  it.each([
    ['an Origin header, checked first', { hasOrigin: true, request: 'malformed' }, 'originRefused'],
    ['no valid upgrade', { request: 'malformed' }, 'malformedUpgrade'],
    ['too many headers', { request: 'headersTooLarge' }, 'headersTooLarge'],
    ['too slow', { request: 'tooSlow' }, 'handshakeTooSlow'],
    ['gone', { request: 'gone' }, 'clientGone'],
    ['too many connections', { admission: 'tooManyConnections' }, 'tooManyConnections'],
    ['too many handshakes', { admission: 'tooManyHandshakes' }, 'tooManyHandshakes'],
    ['not ready', { admission: 'notReady' }, 'listenerNotReady'],
  ] as const)('WSA-8, WSA-16: it is rejected despite a valid credential: %s', (_, facts, reason) => {
    expect(verdictWords(decide({ ...base, credential: valid, ...facts }))).toBe(`rejected ${reason}`);
  });

  it('WSA-61: a full listener with degraded connections accepts only a client with the credential', () => {
    const full = { ...base, enforced: false, admission: 'onlyEstablished' } as const;
    expect(verdictWords(decide({ ...full, credential: valid }))).toBe('established tokenMatched');
    expect(verdictWords(decide({ ...full, credential: one }))).toBe('rejected tooManyConnections');
    expect(verdictWords(decide({ ...full, credential: NOTHING_PRESENTED }))).toBe(
      'rejected tooManyConnections',
    );
  });

  it('cached decisions are those of the chart, and are counted by verdict', () => {
    const decisions = new UpgradeDecisions();
    let checked = 0;
    for (const facts of allFacts()) {
      if (facts.mode !== 'signedBearer') continue;
      expect(verdictWords(decisions.decide(facts))).toBe(verdictWords(decideWithChart(facts)));
      checked += 1;
    }
    const total = decisions.counts.reduce((sum, { count }) => sum + count, 0);
    expect(total).toBe(checked);
    expect(new Set(decisions.counts.map(verdictWords)).size).toBe(decisions.counts.length);
  });

  it('the chart uses every name that it declares, and the tests take every transition', () => {
    expect(unusedNames(websocketAuthMachine)).toEqual([]);
    expect(cover.untaken).toEqual([]);
  });
});
