import { describe, expect, it } from 'vitest';
import type { AccountSource } from '../../src/protocol/account-source.js';
import type { Failure, ListControllersOutcome } from '../../src/protocol/outcomes.js';
import { Secret } from '../../src/protocol/secret.js';
import { Controllers } from '../../src/remote-control/controllers.js';
import type { BackendHttp } from '../../src/remote-control/link/http.js';

const failure: Failure = { reason: 'backendUnauthorized', message: 'HTTP 401', at: 0, httpStatus: 401 };
const refused: ListControllersOutcome = { kind: 'unauthorized', failure };
const listed: ListControllersOutcome = { kind: 'listed', page: { data: [], nextCursor: null } };

/** An account whose recovery brings these tokens, one a step; and a backend that takes only one of them. */
function world(tokens: readonly string[], taken: string) {
  let token = tokens[0] ?? '';
  let steps = 0;
  const used: string[] = [];
  const told: string[] = [];
  const account = { accountId: 'a', generation: 1 };
  const port: AccountSource = {
    load: () => ({ kind: 'usable', account }),
    reload: () => ({ kind: 'usable', account }),
    recover: async () => {
      throw new Error('the steps of the connection are not ours to take');
    },
    recovery: () => ({
      next: async () => {
        steps += 1;
        const next = tokens[steps];
        if (next === undefined) return { kind: 'exhausted', failure };
        token = next;
        return { kind: 'recovered', account };
      },
      stop: () => told.push('stopped'),
    }),
    succeeded: () => told.push('succeeded'),
    accessToken: () => new Secret(token),
    differsOnDisk: false,
    watch: () => {},
    close: () => {},
  };
  const listControllers: BackendHttp['listControllers'] = async ({ accessToken }) => {
    used.push(accessToken.reveal());
    return accessToken.reveal() === taken ? listed : refused;
  };
  const api = new Controllers({
    http: async () => ({ listControllers }) as unknown as BackendHttp,
    account: port,
    token: () => null,
    onClaimed: () => {},
  });
  return { list: () => api.list({ environmentId: 'e' }), used, told };
}

describe('RC-49: a refused account', () => {
  it('recovers, and asks once more with other tokens only', async () => {
    const { list, used, told } = world(['old', 'old', 'new'], 'new');
    expect(await list()).toEqual({ data: [], nextCursor: null });
    expect(used).toEqual(['old', 'new']);
    expect(told).toEqual(['stopped']);
  });

  it('is told as denied when no step brings other tokens, or when those are refused, too', async () => {
    for (const [tokens, asked] of [
      [['old'], ['old']],
      [['old', 'old', 'old'], ['old']],
      [
        ['old', 'new', 'newer'],
        ['old', 'new'],
      ],
    ] as const) {
      const { list, used, told } = world(tokens, 'none of them');
      await expect(list()).rejects.toMatchObject({ code: -32600, message: 'Denied: HTTP 401' });
      expect(used).toEqual(asked);
      expect(told).toEqual(['stopped']);
    }
  });

  it('asks once when it is not refused, and says that the account works', async () => {
    const { list, used, told } = world(['good'], 'good');
    await list();
    expect(used).toEqual(['good']);
    expect(told).toEqual(['succeeded']);
  });
});
