import { describe, expect, it } from 'vitest';
import { CLOSE_CODES } from '../../src/protocol/close-codes.js';
import { StreamsRig } from './streams-rig.js';

describe('RC-98: a local client whose connection ends on our side', () => {
  it('gets an error for each open request, then the close frame', () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    rig.message('stream-1', 1, { id: 1, result: {} });
    peer.send('{"id":9007199254740993,"method":"a"}');
    peer.send({ id: 'two', method: 'b' });
    peer.send({ id: 3, method: 'c' });
    rig.message('stream-1', 2, { id: 'two', result: 2 });
    // A request of the app server with an id that is also in use here answers nothing.
    rig.message('stream-1', 3, { id: 3, method: 'may/i' });
    const before = peer.received.length;
    rig.closeStream('stream-1', CLOSE_CODES.environmentOffline, 'environment offline');
    const errors = peer.received.slice(before);
    expect(errors).toHaveLength(2);
    expect(errors[0]).toContain('"id":9007199254740993,');
    expect(JSON.parse(errors[1] ?? '')).toMatchObject({
      id: 3,
      error: {
        code: -32002,
        message: expect.stringMatching(/^Environment offline\. .*rc-engine status/),
        data: { reason: 'environmentOffline' },
      },
    });
    expect(peer.closed).toEqual([{ end: 'clientOverloaded', text: 'environment offline' }]);
  });

  it.each([
    [CLOSE_CODES.controllerRevoked, 'controllerRevoked', 'appServerFailed'],
    [CLOSE_CODES.serverRestarted, 'appServerClosed', 'appServerFailed'],
    [CLOSE_CODES.tryAgainLater, 'clientOverloaded', 'clientOverloaded'],
    [4999, 'appServerClosed', 'appServerFailed'],
  ])('names the cause of close code %i as %s', (code, reason, localEnd) => {
    const rig = new StreamsRig();
    const peer = rig.client();
    rig.closeStream('stream-1', code, 'why');
    expect(peer.messages).toMatchObject([{ id: 1, error: { code: -32002, data: { reason } } }]);
    expect(peer.closed).toEqual([{ end: localEnd, text: 'why' }]);
  });

  it('is refused with the cause when no stream can be opened, and its jsonrpc member is mirrored', () => {
    const rig = new StreamsRig();
    const text = 'the backend cannot be reached';
    rig.refusal = { code: CLOSE_CODES.tryAgainLater, reason: 'tlsFailed', text };
    const peer = rig.client();
    expect(peer.messages).toMatchObject([{ id: 1, error: { code: -32002, data: { reason: 'tlsFailed' } } }]);
    expect(peer.closed).toEqual([{ end: 'clientOverloaded', text }]);
    expect(rig.sent).toEqual([]);
    const other = rig.client();
    expect(other.messages[0]).not.toHaveProperty('jsonrpc');

    rig.refusal = undefined;
    const acp = rig.client();
    acp.send({ jsonrpc: '2.0', id: 2, method: 'x' });
    acp.connection.stop();
    expect(acp.messages).toMatchObject([
      { jsonrpc: '2.0', id: 1, error: { code: -32002, data: { reason: 'stopped' } } },
      { jsonrpc: '2.0', id: 2 },
    ]);
    expect(acp.closed).toEqual([{ end: 'stopped', text: 'rc-engine connect stops' }]);
    expect(rig.framesOf('client_closed')).toHaveLength(1);
  });

  it('gets the errors also when its transport ends it, and none after it has left', () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    peer.connection.endSession('clientVanished', null);
    peer.connection.endSession('clientVanished', null);
    expect(peer.messages).toMatchObject([{ id: 1, error: { data: { reason: 'clientVanished' } } }]);
    const gone = rig.client();
    gone.connection.ended();
    rig.closeStream('stream-2', 4404, 'late');
    gone.connection.stop();
    expect(gone.received).toEqual([]);
    expect(gone.closed).toEqual([]);
  });

  it('a message that is too large gets its own error, and no second one', () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    peer.send({ id: 2, method: 'big', params: 'x'.repeat(101 * 1024 * 1024) });
    expect(peer.messages).toMatchObject([{ id: 2, error: { code: -32004 } }]);
    rig.closeStream('stream-1', 4404, 'gone');
    expect(peer.messages.map(({ id }) => id)).toEqual([2, 1]);
  });

  it('what is not one JSON-RPC message gets -32600, with its id where that can be read', () => {
    const rig = new StreamsRig();
    const peer = rig.client();
    peer.send('[]');
    peer.send('not json');
    peer.send(`{"id":5,"method":"deep","params":${'['.repeat(1100)}${']'.repeat(1100)}}`);
    expect(peer.messages).toMatchObject([
      { id: null, error: { code: -32600 } },
      { id: null, error: { code: -32600 } },
      { id: 5, error: { code: -32600, message: expect.stringContaining('levels') } },
    ]);
    expect(rig.framesOf('client_message')).toHaveLength(1);
  });
});
