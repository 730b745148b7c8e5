import { afterEach, expect, it } from 'vitest';
import { settle } from '../../support/fake-app-server.js';
import { checkLeftovers } from '../../support/leftovers.js';
import { INITIALIZE, MuxRig } from './mux-rig.js';

checkLeftovers();
let rig: MuxRig;
afterEach(() => rig.end());

const LIMIT = 1_000_000;
const echo = (id: number, chars: number) => ({
  id,
  method: 'engine/echo',
  params: { payload: 'x'.repeat(chars) },
});

/** A stream of any controller, open and with all its frames acknowledged. */
async function open(controller: string, stream: string): Promise<void> {
  rig.frame({
    type: 'client_message',
    client_id: controller,
    stream_id: stream,
    seq_id: 1,
    message: INITIALIZE,
  });
  await settle();
  rig.frame({ type: 'ack', client_id: controller, stream_id: stream, seq_id: 1 });
}

const ask = (controller: string, stream: string, seq: number, chars: number) =>
  rig.frame({
    type: 'client_message',
    client_id: controller,
    stream_id: stream,
    seq_id: seq,
    message: echo(seq, chars),
  });

const openStreams = () => rig.mux.clients.map(({ clientId, streamId }) => `${clientId} ${streamId}`);

it('RC-190: of the controller for which most is held, the largest streams are closed, and another one stays', async () => {
  rig = new MuxRig({ maxHeldChars: LIMIT });
  await open('reader', 's');
  for (let n = 0; n < 8; n += 1) await open('hoarder', `s${n}`);
  // The reader's own message is larger than each of the others, but it holds less in all.
  ask('reader', 's', 2, 140_000);
  for (let n = 0; n < 8; n += 1) {
    for (let seq = 2; seq < 4 + (n % 2); seq += 1) ask('hoarder', `s${n}`, seq, 60_000);
  }
  for (let seq = 10; seq < 40; seq += 1) ask('hoarder', 's1', seq, 60_000);
  expect(openStreams()).toContain('reader s');
  expect(openStreams().length).toBeLessThan(9);
  expect(openStreams().filter((one) => one.startsWith('hoarder')).length).toBeGreaterThan(0);
  expect(rig.reasons).toContain('closed: clientOverloaded');
  // The stream with the most goes first.
  expect(openStreams()).not.toContain('hoarder s1');
});

it('RC-190: streams whose frames are acknowledged are never closed, however much passes', async () => {
  rig = new MuxRig({ maxHeldChars: LIMIT });
  await open('reader', 's');
  for (let seq = 2; seq < 60; seq += 1) {
    ask('reader', 's', seq, 100_000);
    rig.frame({ type: 'ack', client_id: 'reader', stream_id: 's', seq_id: seq });
  }
  expect(openStreams()).toEqual(['reader s']);
});

it('RC-190: requests that wait for a controller that reads nothing count, too', async () => {
  rig = new MuxRig({ maxHeldChars: LIMIT });
  await open('hoarder', 's');
  // 128 unacknowledged frames stop the stream; what comes then waits.
  for (let seq = 2; seq < 132; seq += 1) ask('hoarder', 's', seq, 10);
  for (let seq = 132; seq < 170; seq += 1) ask('hoarder', 's', seq, 100_000);
  expect(openStreams()).toEqual([]);
});
