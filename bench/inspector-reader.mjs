/** A page of the inspector, as far as the engine notices: opens the link, reads everything. */
import { WebSocket } from 'ws';

const link = new URL(process.argv[2]);
const response = await fetch(link);
const cookie = response.headers.get('set-cookie').split(';')[0];
const socket = new WebSocket(`ws://${link.host}/timeline`, { headers: { cookie, origin: link.origin } });
socket.once('message', () => console.log('reads'));
socket.on('message', (data) => JSON.parse(data));
