/**
 * The baselines of the listener: bare `ws` servers that accept each client. `echo` sends messages back, `app` answers each
 * request with its params, `pipe URL` relays messages to another server. Prints its URL.
 */
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const [mode, upstream] = process.argv.slice(2);
const OPTIONS = { perMessageDeflate: false, maxPayload: 16 * 1024 * 1024 };
const http = createServer();
const server = new WebSocketServer({ ...OPTIONS, server: http, verifyClient: () => true });
server.on('connection', (client) => {
  client.on('error', () => {});
  if (mode === 'echo') {
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    return;
  }
  if (mode === 'app') {
    client.on('message', (data) => {
      const { id, params } = JSON.parse(data.toString());
      if (id !== undefined) client.send(JSON.stringify({ id, result: params }));
    });
    return;
  }
  const far = new WebSocket(upstream, OPTIONS);
  const waiting = [];
  far.on('error', () => client.terminate());
  far.on('open', () => {
    for (const data of waiting) far.send(data, { binary: false });
    waiting.length = 0;
  });
  client.on('message', (data) => {
    if (far.readyState === WebSocket.OPEN) far.send(data, { binary: false });
    else waiting.push(data);
  });
  far.on('message', (data) => client.send(data, { binary: false }));
  client.on('close', () => far.close());
  far.on('close', () => client.close());
});
http.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  console.log(JSON.stringify({ url: `ws://127.0.0.1:${http.address().port}/` }));
});
process.once('SIGINT', () => process.exit(0));
