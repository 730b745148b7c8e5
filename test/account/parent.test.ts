import net from 'node:net';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { locateHome } from '../../src/home/home.js';
import { MARK, token } from '../support/issuer.js';
import { Rig } from './rig.js';

/** An engine with external tokens; the backend accepts only the tokens `good`. */
async function refused(good: readonly string[], options: object = {}): Promise<{ rig: Rig; first: string }> {
  const rig = await Rig.start(options);
  const first = token();
  rig.at.always('enroll', ({ bearer }) =>
    good.includes(bearer ?? '') ? { json: enrolled() } : { status: 401, json: { detail: 'expired' } },
  );
  await rig.externalIn(first, 'org-1', 'pro');
  return { rig, first };
}
const enrolled = () => ({
  server_id: 'srv-1',
  environment_id: 'env-1',
  remote_control_token: `server-${MARK}`,
  expires_at: new Date(Date.now() + 3_600_000).toISOString(),
});
const give = (accessToken: string, id = 'org-1', plan: string | null = 'pro') => ({
  result: { accessToken, chatgptAccountId: id, chatgptPlanType: plan },
});

describe('account/chatgptAuthTokens/refresh', () => {
  it('ACC-41, ACC-42, ACC-43: a 401 sends one request to the parent app; the call is repeated with its token, without account/updated', async () => {
    const renewed = token({ email: 'two@example.com' });
    const { rig, first } = await refused([renewed]);
    rig.onAsk = () => give(renewed, 'org-1', 'enterprise');
    const from = rig.mark;
    expect(await rig.call('remoteControl/enable', {})).toMatchObject({ environmentId: 'env-1' });
    expect(rig.asks().map(({ params }) => params)).toEqual([
      { reason: 'unauthorized', previousAccountId: 'org-1' },
    ]);
    expect(rig.at.of('enroll').map(({ bearer }) => bearer)).toEqual([first, renewed]);
    expect(rig.seq(from)).toEqual(['ask', 'result']);
    expect(await rig.account()).toMatchObject({ email: 'two@example.com', planType: 'enterprise' });
    expect(rig.rawAuth()).toBeNull();
    expect(rig.at.of('refresh')).toEqual([]);
  });

  it('ACC-11: ids of requests to the client are integers that grow by one', async () => {
    const { rig } = await refused([]);
    rig.onAsk = () => ({ error: { code: 1, message: 'no' } });
    await rig.refused('remoteControl/enable', {});
    await rig.refused('remoteControl/enable', {});
    const [one, two] = rig.asks().map(({ id }) => Number(id));
    expect(Number.isInteger(one) && two === Number(one) + 1).toBe(true);
  });

  it('ACC-44: one request for each failed call; the new tokens stay although the call failed', async () => {
    const { rig, first } = await refused([]);
    const given = [token({ plan: 'plus' }), token({ plan: 'team' })];
    let n = 0;
    rig.onAsk = () => give(given[n++] ?? '', 'org-1', null);
    await rig.refused('remoteControl/enable', {});
    expect(await rig.account()).toMatchObject({ planType: 'plus' });
    const { message } = await rig.refused('remoteControl/enable', {});
    expect(message).toContain('401');
    expect(rig.at.of('enroll').map(({ bearer }) => bearer)).toEqual([first, given[0], given[0], given[1]]);
    expect(rig.asks()).toHaveLength(2);
  });

  it('ACC-45: without a response it fails after the limit; a late, a second and an unknown response change nothing', async () => {
    const renewed = token();
    const { rig, first } = await refused([renewed], { accountTiming: { parentTimeout: 300 } });
    const { message } = await rig.refused('remoteControl/enable', {});
    expect(message).toContain('timed out');
    const late = token({ email: 'late@example.com' });
    rig.write({ id: rig.asks()[0]?.id, ...give(late) });
    rig.write({ id: 4_711, ...give(late) });
    rig.onAsk = ({ id }) => {
      rig.write({ id, ...give(renewed) });
      return give(late);
    };
    await rig.call('remoteControl/enable', {});
    expect(rig.at.of('enroll').map(({ bearer }) => bearer)).toEqual([first, first, renewed]);
    expect(await rig.account()).toMatchObject({ email: 'user@example.com' });
  });

  it.each([
    ['no account id', { accessToken: token() }],
    ['no token', { chatgptAccountId: 'org-1' }],
    ['a token that is not a JWT', { accessToken: 'nope', chatgptAccountId: 'org-1' }],
    ['a number as token', { accessToken: 5, chatgptAccountId: 'org-1' }],
    ['a string as result', 'yes'],
    ['null as result', null],
  ])('ACC-45: a response with %s fails at once, and the old tokens stay', async (_what, result) => {
    const { rig, first } = await refused([]);
    rig.onAsk = () => ({ result });
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('parentBadAnswer');
    expect(rig.at.of('enroll').every(({ bearer }) => bearer === first)).toBe(true);
    expect(await rig.account()).toMatchObject({ planType: 'pro' });
  });

  it('ACC-46: with --forced-workspace a response for another workspace fails with its own reason, and the next call sends the next request', async () => {
    const renewed = token();
    const { rig } = await refused([renewed], { forcedWorkspaces: ['org-1', 'org-2'] });
    rig.onAsk = () => give(token(), 'org-3');
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('parentWrongWorkspace');
    rig.onAsk = () => give(renewed, 'org-1', 'plus');
    await rig.call('remoteControl/enable', {});
    expect(await rig.account()).toMatchObject({ planType: 'plus' });
  });

  it('ACC-46: another account id is adopted, and the call for the previous account fails', async () => {
    const renewed = token({ plan: 'team' });
    const { rig } = await refused([renewed]);
    rig.onAsk = () => give(renewed, 'org-2', null);
    expect(await rig.refused('remoteControl/enable', {})).toEqual({
      code: -32603,
      message: 'remote control authentication changed',
    });
    expect(rig.at.of('enroll')).toHaveLength(1);
    expect(rig.engine.fullStatus.account).toMatchObject({ accountId: 'org-2', plan: 'team' });
    await rig.call('remoteControl/enable', {});
    expect(rig.at.of('enroll')[1]?.headers['chatgpt-account-id']).toBe('org-2');
  });

  it('ACC-47: a timeout and an error response have different reasons', async () => {
    const { rig } = await refused([], { accountTiming: { parentTimeout: 100 } });
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('parentSilent');
    rig.onAsk = () => ({ error: { code: -32000, message: 'signed out' } });
    await rig.refused('remoteControl/enable', {});
    const failure = rig.engine.fullStatus.remoteControl.lastFailure;
    expect(failure).toMatchObject({ reason: 'parentRefused', httpStatus: 401 });
    expect(failure?.message).toContain('code=-32000: signed out');
  });

  it('ACC-41: the refresh request goes only to the client that signed in; every client is notified of the sign-in', async () => {
    const rig = await Rig.start();
    const parent = await secondClient(rig);
    rig.at.always('enroll', { status: 401 });
    await parent.ask(2, 'account/login/start', {
      type: 'chatgptAuthTokens',
      accessToken: token(),
      chatgptAccountId: 'org-1',
    });
    await rig.until(
      () => rig.log.find((one) => one.method === 'account/updated'),
      'updated on the other client',
    );
    const enabling = rig.ask('remoteControl/enable', {});
    const asked = await parent.until((one) => one.method === 'account/chatgptAuthTokens/refresh');
    expect(asked.params).toEqual({ reason: 'unauthorized', previousAccountId: 'org-1' });
    parent.end();
    // A parent app that disconnects during the request ends it at once, with its own reason. ACC-45
    expect((await enabling).error?.code).toBe(-32600);
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('parentGone');
    expect(rig.asks()).toEqual([]);
    expect(await rig.account()).toMatchObject({ type: 'chatgpt' });
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('parentGone');
  });
});

/** A second client of the engine, over the control socket. */
async function secondClient(rig: Rig) {
  const socket = net.connect(locateHome(rig.home).controlSocket);
  const seen: Record<string, unknown>[] = [];
  const lookers = new Set<() => void>();
  createInterface({ input: socket }).on('line', (line) => {
    seen.push(JSON.parse(line) as Record<string, unknown>);
    for (const look of [...lookers]) look();
  });
  const until = (match: (one: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not seen: ${JSON.stringify(seen)}`)), 5_000);
      const look = (): void => {
        const found = seen.find(match);
        if (found === undefined) return;
        clearTimeout(timer);
        lookers.delete(look);
        resolve(found);
      };
      lookers.add(look);
      look();
    });
  const ask = (id: number, method: string, params: unknown) => {
    socket.write(`${JSON.stringify({ id, method, params })}\n`);
    return until((one) => one.id === id && one.method === undefined);
  };
  await ask(1, 'initialize', {
    clientInfo: { name: 'parent', version: '1' },
    capabilities: { experimentalApi: true },
  });
  return { ask, until, seen, end: () => socket.destroy() };
}
