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
    setReason: assign((_, p: { reason: Reason }) => ({ reason: p.reason })),
    setOutcome: assign((_, p: { outcome: UpgradeOutcome }) => ({ outcome: p.outcome })),
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

/** A transition to a final state, with its reason. */
const end = (target: string, reason: Reason) => ({
  target: `#websocketAuth.${target}`,
  actions: { type: 'setReason', params: { reason } } as const,
});
const presented = (how: UpgradeFacts['credential']['presented']) =>
  ({ type: 'presented', params: { how } }) as const;
const isRequest = (kind: UpgradeFacts['request']) => ({ type: 'isRequest', params: { kind } }) as const;
const isAdmission = (admission: UpgradeFacts['admission']) =>
  ({ type: 'isAdmission', params: { admission } }) as const;
const isMode = (mode: UpgradeFacts['mode']) => ({ type: 'isMode', params: { mode } }) as const;

/**
 * Decides one upgrade: its facts lead to exactly one outcome with one reason (WSA-2). The chart never sees a credential,
 * only the results of comparing it. It never waits: the machine is done when it has started.
 */
export const websocketAuthMachine = websocketAuth.createMachine({
  id: 'websocketAuth',
  description: 'Decides whether a connection is accepted: origin, request, capacity, credential.',
  options: { maxIterations: 1_000 },
  // Fail closed: the initial outcome is a rejection. WSA-3
  context: ({ input }) => ({ ...input, outcome: 'rejected', reason: 'malformedUpgrade' }),
  output: ({ context }) => ({ mode: context.mode, outcome: context.outcome, reason: context.reason }),
  initial: 'originCheck',
  states: {
    originCheck: {
      description: 'Web pages send an Origin header; they may not connect on any path. WSA-8',
      always: [{ guard: 'hasOrigin', ...end('rejected', 'originRefused') }, { target: 'requestCheck' }],
    },
    requestCheck: {
      description: 'Checks that the request is a valid WebSocket upgrade and arrived in time. WSA-8, WSA-16',
      always: [
        { guard: 'isUpgrade', target: 'admission' },
        { guard: isRequest('headersTooLarge'), ...end('rejected', 'headersTooLarge') },
        { guard: isRequest('tooSlow'), ...end('rejected', 'handshakeTooSlow') },
        { guard: isRequest('gone'), ...end('rejected', 'clientGone') },
        end('rejected', 'malformedUpgrade'),
      ],
    },
    admission: {
      description:
        'Checks that the listener is ready and its limits allow another connection. WSA-16, WSA-20',
      always: [
        { guard: isAdmission('open'), target: 'credential' },
        { guard: isAdmission('onlyEstablished'), target: 'credential' },
        { guard: isAdmission('tooManyHandshakes'), ...end('rejected', 'tooManyHandshakes') },
        { guard: isAdmission('tooManyConnections'), ...end('rejected', 'tooManyConnections') },
        end('rejected', 'listenerNotReady'),
      ],
    },
    credential: {
      description: 'Checks the credential by the mode of the listener, which never changes.',
      initial: 'mode',
      states: {
        mode: {
          description: 'Selects the check of this mode.',
          always: [
            { guard: 'isQueryTokenEnforced', target: 'queryTokenEnforced' },
            { guard: isMode('capability'), target: 'capability' },
            { guard: isMode('signedBearer'), target: 'signedBearer' },
            { guard: isMode('filesystem'), target: 'filesystem' },
            { target: 'queryTokenUnchecked' },
          ],
        },
        queryTokenEnforced: {
          description: 'The default: requires the token of the connect URL. WSA-9',
          always: [
            { guard: 'matches', ...end('established', 'tokenMatched') },
            { guard: presented('none'), ...end('rejected', 'missingToken') },
            { guard: presented('several'), ...end('rejected', 'ambiguousToken') },
            end('rejected', 'invalidToken'),
          ],
        },
        queryTokenUnchecked: {
          description:
            '--no-token-check: a client without the token is accepted as degraded, if there is room. WSA-4, WSA-61',
          always: [
            { guard: 'matches', ...end('established', 'tokenMatched') },
            { guard: isAdmission('onlyEstablished'), ...end('rejected', 'tooManyConnections') },
            { guard: presented('none'), ...end('degraded', 'uncheckedMissing') },
            { guard: presented('several'), ...end('degraded', 'uncheckedAmbiguous') },
            end('degraded', 'uncheckedInvalid'),
          ],
        },
        capability: {
          description: 'Requires a bearer token with the configured digest. WSA-10, WSA-11',
          always: [
            { guard: 'matches', ...end('established', 'capabilityMatched') },
            { guard: presented('none'), ...end('rejected', 'missingBearer') },
            { guard: presented('one'), ...end('rejected', 'invalidCapability') },
            end('rejected', 'malformedAuthorization'),
          ],
        },
        filesystem: {
          description: 'Requires that only the user of the engine can reach the unix socket. WSA-50, WSA-51',
          always: [
            { guard: 'matches', ...end('established', 'socketPrivate') },
            end('rejected', 'socketExposed'),
          ],
        },
        signedBearer: {
          description: 'Requires a JWT signed with the shared secret. WSA-10, WSA-12',
          initial: 'signature',
          states: {
            signature: {
              description: 'Checks format, algorithm, signature and the types of the claims.',
              always: [
                { guard: 'matches', target: 'expiry' },
                { guard: presented('none'), ...end('rejected', 'missingBearer') },
                { guard: presented('one'), ...end('rejected', 'invalidJwt') },
                end('rejected', 'malformedAuthorization'),
              ],
            },
            expiry: {
              description: 'Checks exp with the allowed clock skew.',
              always: [{ guard: 'expired', ...end('rejected', 'expiredJwt') }, { target: 'notBefore' }],
            },
            notBefore: {
              description: 'Checks nbf with the allowed clock skew.',
              always: [{ guard: 'notYetValid', ...end('rejected', 'jwtNotYetValid') }, { target: 'issuer' }],
            },
            issuer: {
              description: 'Checks iss, if one is configured.',
              always: [{ guard: 'issuerMatches', target: 'audience' }, end('rejected', 'issuerMismatch')],
            },
            audience: {
              description: 'Checks aud, if one is configured.',
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
      description: 'The connection is accepted with a valid credential.',
      tags: ['accepted'],
      entry: { type: 'setOutcome', params: { outcome: 'established' } },
    },
    degraded: {
      type: 'final',
      description: 'The connection is accepted without a valid credential, because the check is off.',
      tags: ['accepted'],
      entry: { type: 'setOutcome', params: { outcome: 'degraded' } },
    },
    rejected: {
      type: 'final',
      description: 'The connection is rejected.',
      entry: { type: 'setOutcome', params: { outcome: 'rejected' } },
    },
  },
});
