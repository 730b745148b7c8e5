import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AuthorityConfig } from '../../../src/listener/auth/authority.js';
import { LineClient } from '../../support/control.js';
import {
  bearer,
  CAPABILITY,
  capability,
  jwt,
  listening,
  openRaw,
  signedBearer,
  type UpgradeOptions,
  upgrade,
  upgradeText,
} from '../rig.js';

const soon = () => Math.floor(Date.now() / 1000) + 60;
const queryToken: AuthorityConfig = { mode: 'queryToken', enforced: true };
const unchecked: AuthorityConfig = { mode: 'queryToken', enforced: false };

interface Words {
  readonly mode?: string;
  readonly outcome?: string;
  readonly decision?: string;
  readonly reason: string;
}
const wordsOf = ({ mode, outcome, decision, reason }: Words) => `${mode} ${outcome ?? decision} ${reason}`;

describe('one verdict', () => {
  it.each<[string, AuthorityConfig, (token: string) => UpgradeOptions, string]>([
    [
      'queryToken, accepted',
      queryToken,
      (t) => ({ path: `/?token=${t}` }),
      'queryToken established tokenMatched',
    ],
    ['queryToken, rejected', queryToken, () => ({ path: '/?token=x' }), 'queryToken rejected invalidToken'],
    ['unchecked, right', unchecked, (t) => ({ path: `/?token=${t}` }), 'queryToken established tokenMatched'],
    ['unchecked, none', unchecked, () => ({}), 'queryToken degraded uncheckedMissing'],
    [
      'unchecked, two',
      unchecked,
      (t) => ({ path: `/?token=${t}&token=${t}` }),
      'queryToken degraded uncheckedAmbiguous',
    ],
    [
      'unchecked, a web page',
      unchecked,
      () => ({ headers: [['Origin', 'x']] }),
      'queryToken rejected originRefused',
    ],
    [
      'capability, accepted',
      capability,
      () => ({ headers: [bearer(CAPABILITY)] }),
      'capability established capabilityMatched',
    ],
    [
      'capability, rejected',
      capability,
      () => ({ headers: [bearer('x')] }),
      'capability rejected invalidCapability',
    ],
    [
      'signed, accepted',
      signedBearer,
      () => ({ headers: [bearer(jwt({ exp: soon() }))] }),
      'signedBearer established jwtVerified',
    ],
    [
      'signed, rejected',
      signedBearer,
      () => ({ headers: [bearer(jwt({ exp: 1 }))] }),
      'signedBearer rejected expiredJwt',
    ],
  ])(
    'WSA-2: %s: the log, the audit, the counters and the connection have the same mode, outcome and reason',
    async (_, authority, requestFor, expected) => {
      const at = await listening({ authority });
      await openRaw(at.port, upgradeText(requestFor(at.token)));
      const client = await LineClient.connect(join(at.engine.home, 'control.sock'));
      await client.initialize();
      const { records } = (await client.call('engine/audit/read', {})).result as { records: Words[] };
      client.close();
      const { listener, connections } = at.engine.fullStatus;
      expect(at.verdicts()).toEqual([expected]);
      expect(records.filter(({ mode }) => mode !== undefined).map(wordsOf)).toEqual([expected]);
      expect(listener?.decisions.map(wordsOf)).toEqual([expected]);
      expect(listener?.decisions[0]?.count).toBe(1);
      expect(connections.map(wordsOf)).toEqual(expected.includes('rejected') ? [] : [expected]);
    },
  );

  it('WSA-13: a 401 of a bearer mode names the scheme and repeats nothing of the request', async () => {
    for (const authority of [capability, signedBearer]) {
      const at = await listening({ authority });
      const token = jwt({ exp: 1, marked: 'PRESENTED' });
      const { status, text, closed } = await upgrade(at, { headers: [bearer(token)] });
      expect([status, closed]).toEqual([401, true]);
      expect(text).toMatch(/^WWW-Authenticate: Bearer\r$/m);
      expect(text).toMatch(/^Content-Type: text\/plain/m);
      expect(text).not.toContain(token.split('.')[1]);
    }
  });
});
