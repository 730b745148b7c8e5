/** A stand-in for the page of the inspector: it opens the link, reads everything, and reports how much it read. */
import { WebSocket } from 'ws';

const TELL_EVERY = 500;

const link = new URL(process.argv[2]);
const response = await fetch(link);
const cookie = response.headers.get('set-cookie').split(';')[0];
const socket = new WebSocket(`ws://${link.host}/timeline`, { headers: { cookie, origin: link.origin } });
let entries = 0;
socket.on('message', (data) => {
  entries += JSON.parse(data).entries?.length ?? 0;
});
socket.once('message', () => {
  console.log(entries);
  setInterval(() => console.log(entries), TELL_EVERY);
});
