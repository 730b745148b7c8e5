import { describe, expect, it } from 'vitest';
import { acme, chatgpt, failure, NOBODY, Rig } from './rig.js';

describe('the region routing', () => {
  it('ACC-60: no lookup without routing or without an account', async () => {
    const off = await new Rig().stored(chatgpt());
    await off.send({ type: 'WORKSPACE.REQUESTED' });
    expect([off.at('routing'), off.desk.open]).toEqual(['off', []]);
    const on = new Rig({ routing: true });
    await on.send({ type: 'WORKSPACE.REQUESTED' });
    expect(on.at('routing')).toBe('unknown');
  });

  it('ACC-60: one lookup for each token; other tokens clear the workspace', async () => {
    const rig = await new Rig({ routing: true }).stored(chatgpt(1));
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    expect(rig.desk.count('lookUpWorkspace')).toBe(1);
    await rig.desk.answer('lookUpWorkspace', { kind: 'found', workspace: acme() });
    expect([rig.at('routing'), rig.context.workspace?.name]).toEqual(['known', 'Acme']);
    await rig.stored(chatgpt(2));
    expect([rig.at('routing'), rig.context.workspace]).toEqual(['unknown', null]);
  });

  it('ACC-62: a failed lookup is repeated at the next request', async () => {
    const rig = await new Rig({ routing: true }).stored(chatgpt(1));
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.desk.answer('lookUpWorkspace', { kind: 'failed', failure: failure('workspaceUnknown') });
    expect([rig.at('routing'), rig.context.workspaceFailure?.reason]).toEqual(['failed', 'workspaceUnknown']);
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.desk.fail('lookUpWorkspace', new Error('bug'));
    expect(rig.context.workspaceFailure?.reason).toBe('engineFault');
    await rig.stored(NOBODY);
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    expect([rig.at('routing'), rig.context.workspaceFailure]).toEqual(['unknown', null]);
  });

  it('ACC-46: a workspace of another account is not used', async () => {
    const rig = await new Rig({ routing: true }).external(1, 'org-1');
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.desk.answer('lookUpWorkspace', { kind: 'found', workspace: acme('org-9') });
    expect(rig.context.workspaceFailure?.message).toBe('account changed during workspace routing discovery');
  });
});
