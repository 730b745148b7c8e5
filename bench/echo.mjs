/**
 * The bare pipe: a `ws` client that only sends every message back. With `corked` it writes the messages of one turn of
 * the event loop in one system call, to find the limit of the generator itself.
 */
import { WebSocket } from 'ws';

const [url, mode] = process.argv.slice(2);
const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 });
let stream;
let corked = false;
const uncork = () => {
  corked = false;
  stream.uncork();
};
socket.once('upgrade', (response) => {
  stream = response.socket;
});
socket.on('message', (data) => {
  if (mode === 'corked' && !corked) {
    corked = true;
    stream.cork();
    setImmediate(uncork);
  }
  socket.send(data, { binary: false });
});
socket.on('close', () => process.exit());
socket.on('error', () => process.exit(1));
