// An app server for all clients: it listens on `--listen unix://PATH` and counts over all connections.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

if (process.argv.includes('stubborn')) process.on('SIGTERM', () => {});
const path = process.argv[process.argv.indexOf('--listen') + 1]?.slice('unix://'.length);
const http = createServer();
const server = new WebSocketServer({ server: http });
let count = 0;
server.on('connection', (client) => {
  client.on('message', (data) => {
    const { id, method } = JSON.parse(data.toString());
    if (id === undefined) return;
    if (process.argv.includes('mute')) return;
    count += 1;
    if (method === 'test/die') process.exit(9);
    client.send(JSON.stringify({ id, result: { count, pid: process.pid } }));
  });
});
http.listen(path);
