import type { ServerMessage } from '../../wire.js';
import { byId } from '../dom.js';
import { Feed } from './feed.js';
import { StatelyFrame } from './frame.js';

/** After this long without a word from the frame, ms, the page says so. */
const PATIENCE = 10_000;

// The link works once: it need not stay in sight.
history.replaceState(null, '', '/stately');

const definitions = JSON.parse(byId('facts').textContent ?? '{}') as Record<string, string>;
const frame = new StatelyFrame(byId<HTMLIFrameElement>('frame'), () => {
  feed.connect();
  show();
});
const feed = new Feed((event) => frame.send(event), definitions, show);
let engine = '';
/** Why there is nothing new. */
let trouble = '';
let late = false;

function show(): void {
  byId('version').textContent = engine === '' ? '' : `rc-engine ${engine}`;
  const status = byId('status');
  status.className = trouble === '' ? (frame.connected ? 'live' : 'connecting') : 'lost';
  status.textContent = trouble !== '' ? trouble : frame.connected ? 'live' : 'waiting for stately.ai …';
  const skipped = feed.skipped === 0 ? '' : `, ${feed.skipped} left out because they came too fast`;
  byId('told').textContent = frame.connected ? `${feed.told} entries told${skipped}` : '';
  byId('note').textContent =
    late && !frame.connected
      ? 'stately.ai does not answer: it needs a way to the internet. The local page needs none.'
      : '';
}

const socket = new WebSocket(`ws://${location.host}/timeline`);
socket.addEventListener('message', ({ data }) => {
  const message = JSON.parse(String(data)) as ServerMessage;
  if (message.type === 'hello') engine = message.engine;
  feed.receive(message);
  show();
});
socket.addEventListener('close', ({ reason }) => {
  trouble = reason !== '' ? reason : engine === '' ? 'refused: use the link again' : 'the engine is gone';
  show();
});
addEventListener('pagehide', () => frame.stop());
setTimeout(() => {
  late = true;
  show();
}, PATIENCE);
frame.start();
show();
