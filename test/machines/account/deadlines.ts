/** An adapter that does not answer: each step of the account ends at its deadline. */
import { describe, expect, it } from 'vitest';
import { chatgpt, Rig } from './rig.js';

const LIMIT = 180_000;

/** Until one ms before the limit nothing happens. */
async function passLimit(rig: Rig, region: 'auth' | 'login' | 'routing', limit = LIMIT): Promise<void> {
  const before = rig.at(region);
  const waiting = rig.desk.open;
  expect(waiting).toHaveLength(1);
  await rig.clock.advance(limit - 1);
  expect(rig.at(region)).toBe(before);
  await rig.clock.advance(1);
  // The call that did not answer was cancelled.
  expect(rig.desk.aborted).toEqual(waiting);
}

describe('deadlines of the account', () => {
  it('RC-112: a refresh that does not end keeps the tokens, and its caller gets the failure', async () => {
    const rig = await new Rig().stored(chatgpt());
    await rig.send({ type: 'REFRESH', ticket: 3, reason: 'forced' });
    await passLimit(rig, 'auth');
    expect(rig.at('auth')).toBe('chatgpt.ready');
    expect(rig.answer).toMatchObject({ ticket: 3, kind: 'failed', failure: { reason: 'accountTimeout' } });
  });

  it('RC-112: a parent app that does not answer at all keeps its tokens', async () => {
    const rig = await new Rig().external();
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 4 });
    await passLimit(rig, 'auth');
    expect(rig.at('auth')).toBe('external.ready');
    expect(rig.answer).toMatchObject({ ticket: 4, kind: 'failed', failure: { reason: 'accountTimeout' } });
  });

  it.each([
    ['an API key that is not stored', { type: 'LOGIN.API_KEY', ticket: 5 }],
    ['a sign-out that does not end', { type: 'LOGOUT', ticket: 5, all: false }],
  ] as const)('RC-112: %s keeps the account', async (_, event) => {
    const rig = await new Rig().stored(chatgpt());
    await rig.send(event);
    await passLimit(rig, 'auth');
    expect(rig.at('auth')).toBe('chatgpt.ready');
    expect(rig.answer).toMatchObject({ ticket: 5, kind: 'failed', failure: { reason: 'accountTimeout' } });
  });

  it('RC-112: a lookup of the workspace that does not end has failed', async () => {
    const rig = await new Rig({ routing: true }).stored(chatgpt());
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await passLimit(rig, 'routing');
    expect(rig.at('routing')).toBe('failed');
    expect(rig.context.workspaceFailure).toMatchObject({ reason: 'accountTimeout' });
  });
});
