/**
 * The clients of the listener's benchmarks, in their own process. Reads one JSON request per line and prints one result
 * per line. Upgrades use raw sockets, so that the cost of the client hardly counts.
 */
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { now, sleep } from '../clock.mjs';

const idle = [];

/** Upgrades one after the other on `width` lanes; each connection is closed after its response. */
async function upgrades({ url, headers, ms, width, status }) {
  const { hostname, port, pathname, search } = new URL(url);
  let done = 0;
  let wrong = 0;
  let turn = 0;
  const end = now() + ms;
  const expected = `HTTP/1.1 ${status}`;
  const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
  const one = () =>
    new Promise((resolve) => {
      turn += 1;
      const key = randomBytes(16).toString('base64');
      // Closed connections keep their port for a minute, and one source address has too few ports.
      const socket = net.connect(
        { port, host: hostname, localAddress: `127.0.0.${2 + (turn % 200)}` },
        () => {
          socket.write(
            `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
              `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${lines.join('')}\r\n`,
          );
        },
      );
      socket.once('data', (data) => {
        if (data.toString('latin1', 0, expected.length) === expected) done += 1;
        else wrong += 1;
        socket.destroy();
      });
      socket.on('error', () => {
        wrong += 1;
      });
      socket.on('close', resolve);
    });
  const began = now();
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (now() < end) await one();
    }),
  );
  return { perSecond: done / ((now() - began) / 1000), done, wrong };
}

const INITIALIZE = {
  id: 'init',
  method: 'initialize',
  params: { clientInfo: { name: 'bench', version: '1' } },
};

function open(url, headers) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { perMessageDeflate: false, headers });
    ws.once('open', () => resolve(ws));
    ws.once('error', reject);
  });
}

/** A client that has received the response to `initialize`, or from an echo its own message. */
async function initializedClient(url, headers) {
  const ws = await open(url, headers);
  await new Promise((resolve) => {
    const onMessage = (data) => {
      if (!data.toString().includes('"init"')) return;
      ws.off('message', onMessage);
      resolve();
    };
    ws.on('message', onMessage);
    ws.send(JSON.stringify(INITIALIZE));
  });
  ws.send(JSON.stringify({ method: 'initialized' }));
  return ws;
}

/** Sends requests on `clients` connections, `window` of them pending on each. */
async function relay({ url, headers, ms, clients, window, bytes }) {
  const pad = 'x'.repeat(bytes);
  const latencies = [];
  let count = 0;
  const all = await Promise.all(Array.from({ length: clients }, () => initializedClient(url, headers)));
  const began = now();
  const end = began + ms;
  await Promise.all(
    all.map(
      (ws) =>
        new Promise((resolve) => {
          const sent = new Map();
          let id = 0;
          const send = () => {
            id += 1;
            sent.set(id, now());
            ws.send(`{"id":${id},"method":"bench/echo","params":{"pad":"${pad}"}}`);
          };
          ws.on('message', (data) => {
            const text = data.toString();
            const match = /^\{"id":(\d+),/.exec(text);
            if (match === null) return;
            const at = sent.get(Number(match[1]));
            if (at === undefined) return;
            sent.delete(Number(match[1]));
            const time = now();
            count += 1;
            latencies.push(time - at);
            if (time < end) send();
            else if (sent.size === 0) resolve();
          });
          for (let i = 0; i < window; i += 1) send();
        }),
    ),
  );
  const perSecond = count / ((now() - began) / 1000);
  for (const ws of all) ws.terminate();
  latencies.sort((a, b) => a - b);
  return {
    perSecond,
    p50: latencies[Math.floor(latencies.length * 0.5)],
    p99: latencies[Math.floor(latencies.length * 0.99)],
  };
}

/** Opens connections that stay idle. */
async function hold({ url, headers, count }) {
  for (let left = count; left > 0; left -= 50) {
    idle.push(...(await Promise.all(Array.from({ length: Math.min(50, left) }, () => open(url, headers)))));
  }
  return { open: idle.length };
}

async function release() {
  for (const ws of idle.splice(0)) ws.close();
  await sleep(500);
  return {};
}

const TASKS = { upgrades, relay, hold, release };

for await (const text of createInterface({ input: process.stdin })) {
  const { task, ...params } = JSON.parse(text);
  try {
    console.log(JSON.stringify({ result: await TASKS[task](params) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.stack }));
  }
}
