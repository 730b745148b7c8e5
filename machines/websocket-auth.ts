import { assign, setup } from 'xstate';
import type { UpgradeFacts, UpgradeOutcome, Verdict } from '../src/protocol/authority.js';
import type { Reason } from '../src/protocol/reasons.js';

interface WebsocketAuthContext extends UpgradeFacts {
  readonly outcome: UpgradeOutcome;
  readonly reason: Reason;
}

const websocketAuth = setup({
  types: {
    context: {} as WebsocketAuthContext,
    input: {} as UpgradeFacts,
    output: {} as Verdict,
    tags: {} as 'accepted',
  },
  actions: {
    because: assign((_, p: { reason: Reason }) => ({ reason: p.reason })),
    conclude: assign((_, p: { outcome: UpgradeOutcome }) => ({ outcome: p.outcome })),
  },
  guards: {
    hasOrigin: ({ context }) => context.hasOrigin,
    isRequest: ({ context }, p: { kind: UpgradeFacts['request'] }) => context.request === p.kind,
    isUpgrade: ({ context }) => context.request === 'upgrade',
    isAdmission: ({ context }, p: { admission: UpgradeFacts['admission'] }) =>
      context.admission === p.admission,
    isMode: ({ context }, p: { mode: UpgradeFacts['mode'] }) => context.mode === p.mode,
    isQueryTokenEnforced: ({ context }) => context.mode === 'queryToken' && context.enforced,
    presented: ({ context }, p: { how: UpgradeFacts['credential']['presented'] }) =>
      context.credential.presented === p.how,
    matches: ({ context }) => context.credential.presented === 'one' && context.credential.matches,
    expired: ({ context }) => context.credential.expired,
    notYetValid: ({ context }) => context.credential.notYetValid,
    issuerMatches: ({ context }) => context.credential.issuerMatches,
    audienceMatches: ({ context }) => context.credential.audienceMatches,
  },
});

/** An edge that ends the matter. */
const end = (target: string, reason: Reason) => ({
  target: `#websocketAuth.${target}`,
  actions: { type: 'because', params: { reason } } as const,
});
const presented = (how: UpgradeFacts['credential']['presented']) =>
  ({ type: 'presented', params: { how } }) as const;
const isRequest = (kind: UpgradeFacts['request']) => ({ type: 'isRequest', params: { kind } }) as const;
const isAdmission = (admission: UpgradeFacts['admission']) =>
  ({ type: 'isAdmission', params: { admission } }) as const;
const isMode = (mode: UpgradeFacts['mode']) => ({ type: 'isMode', params: { mode } }) as const;

/**
 * One upgrade, from its facts to exactly one outcome with one reason (WSA-2). Pure: nothing that was presented
 * enters it, only what the comparators found. It comes to its end at once; nothing here waits.
 */
export const websocketAuthMachine = websocketAuth.createMachine({
  id: 'websocketAuth',
  description: 'May this connection be opened, and why? Origin, request, room, credential.',
  options: { maxIterations: 1_000 },
  // Fail-closed: an edge that names no reason could only ever end in a refusal. WSA-3
  context: ({ input }) => ({ ...input, outcome: 'rejected', reason: 'malformedUpgrade' }),
  output: ({ context }) => ({ mode: context.mode, outcome: context.outcome, reason: context.reason }),
  initial: 'originCheck',
  states: {
    originCheck: {
      description: 'A web page says where it comes from; nothing of a page may connect, on any path. WSA-8',
      always: [{ guard: 'hasOrigin', ...end('rejected', 'originRefused') }, { target: 'requestCheck' }],
    },
    requestCheck: {
      description: 'Is it a valid WebSocket upgrade, sent in time? WSA-8, WSA-16',
      always: [
        { guard: 'isUpgrade', target: 'admission' },
        { guard: isRequest('headersTooLarge'), ...end('rejected', 'headersTooLarge') },
        { guard: isRequest('tooSlow'), ...end('rejected', 'handshakeTooSlow') },
        { guard: isRequest('gone'), ...end('rejected', 'clientGone') },
        end('rejected', 'malformedUpgrade'),
      ],
    },
    admission: {
      description: 'Is there room for one more? WSA-16, WSA-20',
      always: [
        { guard: isAdmission('open'), target: 'credential' },
        { guard: isAdmission('tooManyHandshakes'), ...end('rejected', 'tooManyHandshakes') },
        { guard: isAdmission('tooManyConnections'), ...end('rejected', 'tooManyConnections') },
        end('rejected', 'listenerNotReady'),
      ],
    },
    credential: {
      description: 'One of four modes; a listener has one for its whole life, and there is no way across.',
      initial: 'mode',
      states: {
        mode: {
          description: 'Which authority does this listener have?',
          always: [
            { guard: 'isQueryTokenEnforced', target: 'queryTokenEnforced' },
            { guard: isMode('capability'), target: 'capability' },
            { guard: isMode('signedBearer'), target: 'signedBearer' },
            { target: 'queryTokenUnchecked' },
          ],
        },
        queryTokenEnforced: {
          description: 'The default: the token of the connect URL. WSA-9',
          always: [
            { guard: 'matches', ...end('established', 'tokenMatched') },
            { guard: presented('none'), ...end('rejected', 'missingToken') },
            { guard: presented('several'), ...end('rejected', 'ambiguousToken') },
            end('rejected', 'invalidToken'),
          ],
        },
        queryTokenUnchecked: {
          description: '--no-token-check: whoever comes without the token is let in, visibly degraded. WSA-4',
          always: [
            { guard: 'matches', ...end('established', 'tokenMatched') },
            { guard: presented('none'), ...end('degraded', 'uncheckedMissing') },
            { guard: presented('several'), ...end('degraded', 'uncheckedAmbiguous') },
            end('degraded', 'uncheckedInvalid'),
          ],
        },
        capability: {
          description: 'A bearer token whose digest is configured. WSA-10, WSA-11',
          always: [
            { guard: 'matches', ...end('established', 'capabilityMatched') },
            { guard: presented('none'), ...end('rejected', 'missingBearer') },
            { guard: presented('one'), ...end('rejected', 'invalidCapability') },
            end('rejected', 'malformedAuthorization'),
          ],
        },
        signedBearer: {
          description: 'A JWT signed with the shared secret. WSA-10, WSA-12',
          initial: 'signature',
          states: {
            signature: {
              description: 'Shape, algorithm, signature and the types of the claims.',
              always: [
                { guard: 'matches', target: 'expiry' },
                { guard: presented('none'), ...end('rejected', 'missingBearer') },
                { guard: presented('one'), ...end('rejected', 'invalidJwt') },
                end('rejected', 'malformedAuthorization'),
              ],
            },
            expiry: {
              description: 'exp, with the skew.',
              always: [{ guard: 'expired', ...end('rejected', 'expiredJwt') }, { target: 'notBefore' }],
            },
            notBefore: {
              description: 'nbf, with the skew.',
              always: [{ guard: 'notYetValid', ...end('rejected', 'jwtNotYetValid') }, { target: 'issuer' }],
            },
            issuer: {
              description: 'iss, where one is configured.',
              always: [{ guard: 'issuerMatches', target: 'audience' }, end('rejected', 'issuerMismatch')],
            },
            audience: {
              description: 'aud, where one is configured.',
              always: [
                { guard: 'audienceMatches', ...end('established', 'jwtVerified') },
                end('rejected', 'audienceMismatch'),
              ],
            },
          },
        },
      },
    },
    established: {
      type: 'final',
      description: 'Let in with the authority that the listener asks for.',
      tags: ['accepted'],
      entry: { type: 'conclude', params: { outcome: 'established' } },
    },
    degraded: {
      type: 'final',
      description: 'Let in without it, because the check is switched off.',
      tags: ['accepted'],
      entry: { type: 'conclude', params: { outcome: 'degraded' } },
    },
    rejected: {
      type: 'final',
      description: 'Turned away.',
      entry: { type: 'conclude', params: { outcome: 'rejected' } },
    },
  },
});
