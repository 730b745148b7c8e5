import type { websocketAuthMachine } from '../../../machines/websocket-auth.js';
import type { CredentialFacts, UpgradeFacts } from '../../protocol/authority.js';
import type { Variant } from './model.js';

const GOOD: CredentialFacts = {
  presented: 'one',
  matches: true,
  expired: false,
  notYetValid: false,
  issuerMatches: true,
  audienceMatches: true,
};

/** One variant for each way through the chart. The chart ends when it starts, so each variant is one path. WSA-2 */
export function websocketAuthModel(): Variant<typeof websocketAuthMachine>[] {
  const credentials: readonly [string, Partial<CredentialFacts>][] = [
    ['that matches', {}],
    ['that does not match', { matches: false }],
    ['that is missing', { presented: 'none', matches: false }],
    ['that is malformed', { presented: 'malformed', matches: false }],
    ['that is given twice', { presented: 'several', matches: false }],
  ];
  const tokens: readonly [string, Partial<CredentialFacts>][] = [
    ['that has expired', { expired: true }],
    ['that is not valid yet', { notYetValid: true }],
    ['from another issuer', { issuerMatches: false }],
    ['for another audience', { audienceMatches: false }],
  ];
  const modes: readonly [string, Partial<UpgradeFacts>][] = [
    ['a query token', {}],
    ['a query token that is not enforced', { enforced: false }],
    ['a capability', { mode: 'capability' }],
    ['a signed bearer', { mode: 'signedBearer' }],
  ];
  return [
    start('from a web page', { hasOrigin: true }),
    ...(['headersTooLarge', 'tooSlow', 'gone', 'malformed'] as const).map((request) =>
      start(request, { request }),
    ),
    ...(['tooManyHandshakes', 'tooManyConnections', 'notReady'] as const).map((admission) =>
      start(admission, { admission }),
    ),
    ...['none', 'one'].map((presented) =>
      start(`onlyEstablished ${presented}`, {
        enforced: false,
        admission: 'onlyEstablished',
        credential: presented === 'one' ? GOOD : { ...GOOD, presented: 'none', matches: false },
      }),
    ),
    ...modes.flatMap(([mode, facts]) =>
      [...credentials, ...(facts.mode === 'signedBearer' ? tokens : [])].map(([what, credential]) =>
        start(`${mode} ${what}`, { ...facts, credential: { ...GOOD, ...credential } }),
      ),
    ),
    // The way to the socket is the credential: it is always there.
    ...credentials
      .slice(0, 2)
      .map(([what, credential]) =>
        start(`a directory ${what}`, { mode: 'filesystem', credential: { ...GOOD, ...credential } }),
      ),
  ];
}

function start(name: string, special: Partial<UpgradeFacts>): Variant<typeof websocketAuthMachine> {
  const input: UpgradeFacts = {
    mode: 'queryToken',
    enforced: true,
    hasOrigin: false,
    request: 'upgrade',
    admission: 'open',
    credential: GOOD,
    ...special,
  };
  return { name, options: { input, key: () => '' } };
}
