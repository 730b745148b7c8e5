import { describe, expect, it } from 'vitest';
import type { AccountSource } from '../../src/protocol/account-source.js';
import type { Failure, ListControllersOutcome } from '../../src/protocol/outcomes.js';
import { Secret } from '../../src/protocol/secret.js';
import { DEFAULT_TIMING, SYSTEM_ENV } from '../../src/protocol/timing.js';
import { Controllers } from '../../src/remote-control/controllers.js';
import type { BackendHttp } from '../../src/remote-control/link/http.js';

const failure: Failure = { reason: 'backendUnauthorized', message: 'HTTP 401', at: 0, httpStatus: 401 };
const refused: ListControllersOutcome = { kind: 'unauthorized', failure };
const listed: ListControllersOutcome = { kind: 'listed', page: { data: [], nextCursor: null } };

/** An account whose recovery returns these tokens, one in each step, and a backend that accepts only one of them. */
function setup(tokens: readonly string[], accepted: string) {
  let token = tokens[0] ?? '';
  let steps = 0;
  const used: string[] = [];
  const calls: string[] = [];
  const account = { accountId: 'a', generation: 1 };
  const source: AccountSource = {
    load: () => ({ kind: 'usable', account }),
    reload: () => ({ kind: 'usable', account }),
    recover: async () => {
      throw new Error('the recovery of the connection must not be used');
    },
    recovery: () => ({
      next: async () => {
        steps += 1;
        const next = tokens[steps];
        if (next === undefined) return { kind: 'exhausted', failure };
        token = next;
        return { kind: 'recovered', account };
      },
      stop: () => calls.push('stopped'),
    }),
    succeeded: () => calls.push('succeeded'),
    accessToken: () => new Secret(token),
    differsOnDisk: false,
    watch: () => {},
    close: () => {},
  };
  const listControllers: BackendHttp['listControllers'] = async ({ accessToken }) => {
    used.push(accessToken.reveal());
    return accessToken.reveal() === accepted ? listed : refused;
  };
  const api = new Controllers({
    env: SYSTEM_ENV,
    timing: DEFAULT_TIMING,
    http: async () => ({ listControllers }) as unknown as BackendHttp,
    account: source,
    token: () => null,
    onClaimed: () => {},
  });
  return { list: () => api.list({ environmentId: 'e' }), used, calls };
}

describe('RC-49: a refused account', () => {
  it('recovers, and repeats the request once, with another token', async () => {
    const { list, used, calls } = setup(['old', 'old', 'new'], 'new');
    expect(await list()).toEqual({ data: [], nextCursor: null });
    expect(used).toEqual(['old', 'new']);
    expect(calls).toEqual(['stopped']);
  });

  it('is reported as denied when no step returns another token, or when that one is refused, too', async () => {
    for (const [tokens, requested] of [
      [['old'], ['old']],
      [['old', 'old', 'old'], ['old']],
      [
        ['old', 'new', 'newer'],
        ['old', 'new'],
      ],
    ] as const) {
      const { list, used, calls } = setup(tokens, 'none of them');
      await expect(list()).rejects.toMatchObject({ code: -32600, message: 'Denied: HTTP 401' });
      expect(used).toEqual(requested);
      expect(calls).toEqual(['stopped']);
    }
  });

  it('sends one request when it is not refused, and reports that the account works', async () => {
    const { list, used, calls } = setup(['good'], 'good');
    await list();
    expect(used).toEqual(['good']);
    expect(calls).toEqual(['succeeded']);
  });
});
