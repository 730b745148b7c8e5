import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AuthorityConfig } from '../../../src/listener/auth/authority.js';
import { LineClient } from '../../support/control.js';
import {
  bearer,
  CAPABILITY,
  capability,
  jwt,
  kept,
  listening,
  signedBearer,
  type UpgradeWish,
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
  it.each<[string, AuthorityConfig, (token: string) => UpgradeWish, string]>([
    ['queryToken, in', queryToken, (t) => ({ path: `/?token=${t}` }), 'queryToken established tokenMatched'],
    ['queryToken, out', queryToken, () => ({ path: '/?token=x' }), 'queryToken rejected invalidToken'],
    ['unchecked, right', unchecked, (t) => ({ path: `/?token=${t}` }), 'queryToken established tokenMatched'],
    ['unchecked, none', unchecked, () => ({}), 'queryToken degraded uncheckedMissing'],
    [
      'unchecked, two',
      unchecked,
      (t) => ({ path: `/?token=${t}&token=${t}` }),
      'queryToken degraded uncheckedAmbiguous',
    ],
    [
      'unchecked, a page',
      unchecked,
      () => ({ headers: [['Origin', 'x']] }),
      'queryToken rejected originRefused',
    ],
    [
      'capability, in',
      capability,
      () => ({ headers: [bearer(CAPABILITY)] }),
      'capability established capabilityMatched',
    ],
    [
      'capability, out',
      capability,
      () => ({ headers: [bearer('x')] }),
      'capability rejected invalidCapability',
    ],
    [
      'signed, in',
      signedBearer,
      () => ({ headers: [bearer(jwt({ exp: soon() }))] }),
      'signedBearer established jwtVerified',
    ],
    [
      'signed, out',
      signedBearer,
      () => ({ headers: [bearer(jwt({ exp: 1 }))] }),
      'signedBearer rejected expiredJwt',
    ],
  ])(
    'WSA-2: %s: the same three words in the log line, the audit, the counter and the connection itself',
    async (_, authority, wish, expected) => {
      const at = await listening({ authority });
      await kept(at.port, upgradeText(wish(at.token)));
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

  it('WSA-13: each bearer mode says what it wants, with nothing of what was presented', async () => {
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
