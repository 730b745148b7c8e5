import type { ServerMessage } from '../../wire.js';
import { byId } from '../dom.js';
import { openTimeline } from '../session.js';
import { Feed } from './feed.js';
import { StatelyFrame } from './frame.js';

/** Time without a message from the frame after which the page says that stately.ai cannot be reached, ms. */
const FRAME_TIMEOUT = 10_000;
/** The same once the frame has loaded something: its page, or an error page of the browser. */
const LOADED_TIMEOUT = 4_000;

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
  status.textContent =
    problem !== ''
      ? problem
      : frame.connected
        ? 'live'
        : timedOut
          ? 'stately.ai cannot be reached'
          : 'waiting for stately.ai …';
  if (timedOut && !frame.connected && problem === '') status.className = 'lost';
  byId('unreachable').hidden = !timedOut || frame.connected;
  const skipped = feed.skipped === 0 ? '' : `, ${feed.skipped} skipped because they came too fast`;
  byId('sent').textContent = frame.connected ? `${feed.sent} entries sent${skipped}` : '';
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
let timer: ReturnType<typeof setTimeout> | undefined;

function giveUpAfter(ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => {
    timedOut = true;
    show();
  }, ms);
}

function start(): void {
  timedOut = false;
  giveUpAfter(navigator.onLine ? FRAME_TIMEOUT : 0);
  frame.start();
  show();
}

byId('frame').addEventListener('load', () => giveUpAfter(LOADED_TIMEOUT));
byId('retry').addEventListener('click', start);
start();
