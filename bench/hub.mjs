// Round trips through a hub, beside the embedded backend as the baseline: processor time of the backend's process for each
// round trip, and the time of one round trip with both ends at one node and at two.
//
//   npm run --silent build && node bench/hub.mjs [--trips 20000]
//
// The engine and the controller are in this process; each message has 200 bytes. With nats-server installed, two nodes run, too.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';

const CLI = join(import.meta.dirname, '../dist/cli.js');
const at = process.argv.indexOf('--trips');
const TRIPS = at < 0 ? 20_000 : Number(process.argv[at + 1]);
const IN_FLIGHT = 64;
const TICKS = 100;
const INSTALLATION = '7d0c5a2e-9c1f-4f0e-8a55-2f6a6c1b0001';
const ACCOUNT = {
  authorization: 'Bearer bench',
  'chatgpt-account-id': 'bench',
  'content-type': 'application/json',
};
const children = [];

async function serve(...args) {
  const child = spawn(process.execPath, [CLI, ...args, '--listen', 'http://127.0.0.1:0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return await new Promise((resolve, reject) => {
    let text = '';
    child.once('exit', () => reject(new Error('it does not start')));
    child.stdout.on('data', (chunk) => {
      if (text.length < 10_000) text += chunk;
      const found = /"baseUrl":"([^"]+)"/.exec(text);
      if (found !== null) resolve({ url: `${found[1]}/wham/remote/control`, pid: child.pid });
    });
  });
}

/** Processor time of a process, ms. */
function processorTime(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS;
}

async function post(url, headers, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

const opened = async (url, headers) => {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers, perMessageDeflate: false });
  await once(socket, 'open');
  return socket;
};

/** An engine at one node that answers each request, and a controller at another one or the same. */
async function connect(engineNode, controllerNode) {
  const body = {
    name: 'bench',
    os: 'linux',
    arch: 'x86_64',
    app_server_version: '1',
    installation_id: INSTALLATION,
  };
  const account = { ...ACCOUNT, 'x-codex-installation-id': INSTALLATION };
  const identity = await post(`${engineNode.url}/server/enroll`, account, body);
  const bearer = { authorization: `Bearer ${identity.remote_control_token}` };
  const code = await post(`${engineNode.url}/server/pair`, bearer, { manual_code: false });
  const claimed = await post(`${controllerNode.url}/client/claim`, {}, { pairing_code: code.pairing_code });
  const engine = await opened(`${engineNode.url}/server`, {
    ...bearer,
    ...{ 'x-codex-server-id': identity.server_id, 'x-codex-name': Buffer.from('bench').toString('base64') },
    ...{ 'x-codex-protocol-version': '3', 'x-codex-installation-id': INSTALLATION },
  });
  const seqIds = new Map();
  engine.on('message', (data) => {
    const { type, client_id, stream_id, message } = JSON.parse(data);
    if (type !== 'client_message') return;
    const seq_id = (seqIds.get(stream_id) ?? 0) + 1;
    seqIds.set(stream_id, seq_id);
    const answer = { id: message.id, result: { fill: message.params.fill } };
    engine.send(JSON.stringify({ type: 'server_message', message: answer, client_id, stream_id, seq_id }));
  });
  const controller = await opened(`${controllerNode.url}/client`, {
    authorization: `Bearer ${claimed.controller_token}`,
  });
  const end = () => {
    engine.terminate();
    controller.terminate();
  };
  return { controller, end };
}

const fill = 'x'.repeat(150);

/** Resolves with the times of the round trips, ms. */
function play(controller, trips, inFlight) {
  return new Promise((resolve) => {
    const times = [];
    const started = new Map();
    let next = 0;
    const send = () => {
      if (next >= trips) return;
      started.set(next, performance.now());
      controller.send(
        JSON.stringify({ id: next, method: next === 0 ? 'initialize' : 'm', params: { fill } }),
      );
      next += 1;
    };
    const onMessage = (data) => {
      const { id } = JSON.parse(data);
      times.push(performance.now() - started.get(id));
      started.delete(id);
      if (times.length === trips) {
        controller.off('message', onMessage);
        resolve(times);
      } else send();
    };
    controller.on('message', onMessage);
    for (let n = 0; n < inFlight; n += 1) send();
  });
}

const percentile = (times, p) => times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * p)];

async function measure(name, engineNode, controllerNode = engineNode) {
  const { controller, end } = await connect(engineNode, controllerNode);
  await play(controller, Math.min(TRIPS, 3_000), IN_FLIGHT);
  const pids = [...new Set([engineNode.pid, controllerNode.pid])];
  const before = pids.reduce((sum, pid) => sum + processorTime(pid), 0);
  const from = performance.now();
  await play(controller, TRIPS, IN_FLIGHT);
  const seconds = (performance.now() - from) / 1_000;
  const processor = pids.reduce((sum, pid) => sum + processorTime(pid), 0) - before;
  const alone = await play(controller, 1_000, 1);
  end();
  return {
    subject: name,
    'µs of processor time for a round trip': Math.round((processor * 1_000) / TRIPS),
    'round trips/s a core': Math.round((TRIPS * 1_000) / processor),
    'round trips/s': Math.round(TRIPS / seconds),
    'p50 ms of one alone': Number(percentile(alone, 0.5).toFixed(3)),
    'p99 ms': Number(percentile(alone, 0.99).toFixed(3)),
  };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const dir = mkdtempSync(join(tmpdir(), 'rc-bench-hub-'));
try {
  const rows = [await measure('embedded backend (baseline)', await serve('backend'))];
  rows.push(await measure('hub, one node', await serve('hub', '--accounts', 'any')));
  if (spawnSync('nats-server', ['--version']).status === 0) {
    const port = await freePort();
    const broker = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', dir], {
      stdio: 'ignore',
    });
    children.push(broker);
    const bus = ['hub', '--accounts', 'any', '--bus', `nats://127.0.0.1:${port}`];
    let a;
    for (let n = 0; a === undefined; n += 1) {
      a = await serve(...bus).catch((error) => {
        if (n === 5) throw error;
      });
    }
    rows.push(await measure('hub with NATS, both at one node', a));
    rows.push(await measure('hub with NATS, at two nodes', a, await serve(...bus)));
  }
  console.table(rows);
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}
