import type { ServerMessage } from '../../wire.js';
import { byId } from '../dom.js';
import { openTimeline } from '../session.js';
import { Feed } from './feed.js';
import { StatelyFrame } from './frame.js';

/** Time without a message from the frame after which the page shows a note, ms. */
const FRAME_TIMEOUT = 10_000;

const definitions = JSON.parse(byId('data').textContent ?? '{}') as Record<string, string>;
const frame = new StatelyFrame(byId<HTMLIFrameElement>('frame'), () => {
  feed.connect();
  show();
});
const feed = new Feed((event) => frame.send(event), definitions, show);
let engine = '';
/** Why no more entries arrive; empty while connected. */
let problem = '';
let timedOut = false;

function show(): void {
  byId('version').textContent = engine === '' ? '' : `rc-engine ${engine}`;
  const status = byId('status');
  status.className = problem === '' ? (frame.connected ? 'live' : 'connecting') : 'lost';
  status.textContent = problem !== '' ? problem : frame.connected ? 'live' : 'waiting for stately.ai …';
  const skipped = feed.skipped === 0 ? '' : `, ${feed.skipped} skipped because they came too fast`;
  byId('sent').textContent = frame.connected ? `${feed.sent} entries sent${skipped}` : '';
  byId('note').textContent =
    timedOut && !frame.connected
      ? 'stately.ai does not respond: this page needs access to the internet. The local page does not.'
      : '';
}

const socket = openTimeline();
socket.addEventListener('message', ({ data }) => {
  const message = JSON.parse(String(data)) as ServerMessage;
  if (message.type === 'hello') engine = message.engine;
  feed.receive(message);
  show();
});
socket.addEventListener('close', ({ reason }) => {
  problem =
    reason !== ''
      ? reason
      : engine === ''
        ? 'refused: open the link that rc-engine printed'
        : 'disconnected: the engine is not running';
  show();
});
addEventListener('pagehide', () => frame.stop());
setTimeout(() => {
  timedOut = true;
  show();
}, FRAME_TIMEOUT);
frame.start();
show();
