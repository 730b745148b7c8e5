/** One sentence of the specification decides each upgrade; all combinations of facts are tried. */
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { websocketAuthMachine } from '../../../machines/websocket-auth.js';
import type { UpgradeFacts, Verdict } from '../../../src/protocol/authority.js';

const BOTH = [true, false];
type Credential = UpgradeFacts['credential'];
const NOTHING = {
  matches: false,
  expired: false,
  notYetValid: false,
  issuerMatches: false,
  audienceMatches: false,
};
const FLAGS = ['matches', 'expired', 'notYetValid', 'issuerMatches', 'audienceMatches'] as const;
const CREDENTIALS: readonly Credential[] = [
  ...(['none', 'several', 'malformed'] as const).map((presented): Credential => ({ presented, ...NOTHING })),
  // Each combination of what was compared.
  ...Array.from({ length: 2 ** FLAGS.length }, (_, bits): Credential => {
    const flags = FLAGS.map((flag, index) => [flag, (bits & (1 << index)) !== 0] as const);
    return { presented: 'one', ...NOTHING, ...Object.fromEntries(flags) };
  }),
];
const MODES = ['queryToken', 'capability', 'signedBearer', 'filesystem'] as const;

type Short = readonly [outcome: Verdict['outcome'], reason: Verdict['reason']];

/** The specification in one function: WSA-2 to WSA-16, WSA-50, WSA-61. */
function expected(facts: UpgradeFacts): Short {
  const rejected = (reason: Verdict['reason']): Short => ['rejected', reason];
  if (facts.hasOrigin) return rejected('originRefused');
  if (facts.request === 'headersTooLarge') return rejected('headersTooLarge');
  if (facts.request === 'tooSlow') return rejected('handshakeTooSlow');
  if (facts.request === 'gone') return rejected('clientGone');
  if (facts.request !== 'upgrade') return rejected('malformedUpgrade');
  if (facts.admission === 'tooManyHandshakes') return rejected('tooManyHandshakes');
  if (facts.admission === 'tooManyConnections') return rejected('tooManyConnections');
  if (facts.admission !== 'open' && facts.admission !== 'onlyEstablished')
    return rejected('listenerNotReady');
  const { presented, matches, expired, notYetValid, issuerMatches, audienceMatches } = facts.credential;
  const fits = presented === 'one' && matches;
  if (facts.mode === 'queryToken') {
    if (fits) return ['established', 'tokenMatched'];
    if (facts.enforced)
      return rejected(
        presented === 'none' ? 'missingToken' : presented === 'several' ? 'ambiguousToken' : 'invalidToken',
      );
    if (facts.admission === 'onlyEstablished') return rejected('tooManyConnections');
    if (presented === 'none') return ['degraded', 'uncheckedMissing'];
    return ['degraded', presented === 'several' ? 'uncheckedAmbiguous' : 'uncheckedInvalid'];
  }
  if (facts.mode === 'filesystem') return fits ? ['established', 'socketPrivate'] : rejected('socketExposed');
  if (presented === 'none') return rejected('missingBearer');
  if (presented !== 'one') return rejected('malformedAuthorization');
  if (facts.mode === 'capability')
    return matches ? ['established', 'capabilityMatched'] : rejected('invalidCapability');
  if (!matches) return rejected('invalidJwt');
  if (expired) return rejected('expiredJwt');
  if (notYetValid) return rejected('jwtNotYetValid');
  if (!issuerMatches) return rejected('issuerMismatch');
  return audienceMatches ? ['established', 'jwtVerified'] : rejected('audienceMismatch');
}

describe('websocketAuth', () => {
  it.each(MODES)('WSA-2: the facts of an upgrade in mode %s lead to one outcome with one reason', (mode) => {
    const wrong: string[] = [];
    for (const request of ['upgrade', 'headersTooLarge', 'tooSlow', 'gone', 'malformed'] as const)
      for (const admission of [
        'open',
        'onlyEstablished',
        'tooManyHandshakes',
        'tooManyConnections',
        'notReady',
      ] as const)
        for (const hasOrigin of BOTH)
          for (const enforced of BOTH)
            for (const credential of CREDENTIALS) {
              const facts = { mode, enforced, hasOrigin, request, admission, credential } as UpgradeFacts;
              const actor = createActor(websocketAuthMachine, { input: facts }).start();
              const { output, status, tags } = actor.getSnapshot();
              const [outcome, reason] = expected(facts);
              const right =
                status === 'done' &&
                output?.outcome === outcome &&
                output.reason === reason &&
                output.mode === mode &&
                tags.has('accepted') === (outcome !== 'rejected');
              if (!right) wrong.push(JSON.stringify({ facts, output, outcome, reason }));
            }
    expect(wrong.slice(0, 3)).toEqual([]);
  });
});
