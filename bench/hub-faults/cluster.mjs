// Three brokers, two or more nodes, and a TCP proxy between each node and each broker, as child processes of the benchmark.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from './dialer.mjs';

const CLI = join(import.meta.dirname, '../../dist/cli.js');
const START = 30_000;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A child process that can be killed, stopped and started again. */
class Program {
  #child;
  #start;

  constructor(start) {
    this.#start = start;
  }

  async start() {
    this.#child = await this.#start();
  }

  get pid() {
    return this.#child?.pid;
  }

  signal(name) {
    this.#child?.kill(name);
  }

  /** Resolves when it has ended. */
  async end(signal = 'SIGKILL') {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

/** Passes bytes on, slowly or not at all. */
class TcpProxy {
  #sockets = new Set();
  #server;
  cut = false;
  /** Bytes in a second to the node; undefined: as fast as it can. */
  rate;

  static async open(port) {
    const proxy = new TcpProxy();
    proxy.#server = createServer((near) => proxy.#join(near, port)).listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.port = proxy.#server.address().port;
    return proxy;
  }

  #join(near, port) {
    if (this.cut) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on('data', (data) => {
        // A partition drops packets: nobody notices at once.
        if (this.cut) return;
        const room = to.write(data);
        const wait = this.rate === undefined || to !== near ? 0 : (data.length * 1_000) / this.rate;
        if (room && wait === 0) return;
        from.pause();
        if (wait > 0) setTimeout(() => from.resume(), wait);
        else to.once('drain', () => from.resume());
      });
    }
  }

  setCut(cut) {
    this.cut = cut;
    // What was dropped is missing in these connections: they cannot be used again.
    if (!cut) for (const socket of this.#sockets) socket.destroy();
  }

  close() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

export class Cluster {
  brokers = [];
  nodes = [];
  #proxies = [];
  #dir = mkdtempSync(join(tmpdir(), 'rc-hub-faults-'));

  static async start({ brokers, nodes, args }) {
    const cluster = new Cluster();
    const ports = [];
    for (let n = 0; n < brokers; n += 1) ports.push({ client: await freePort(), route: await freePort() });
    for (const [n, port] of ports.entries()) cluster.brokers.push(cluster.#broker(n, port, ports));
    await Promise.all(cluster.brokers.map((broker) => broker.start()));
    for (let n = 0; n < nodes; n += 1) {
      const proxies = [];
      for (const { client } of ports) proxies.push(await TcpProxy.open(client));
      cluster.#proxies.push(...proxies);
      const node = cluster.#node(await freePort(), proxies, brokers, args);
      cluster.nodes.push(node);
      await node.start();
    }
    return cluster;
  }

  #broker(n, { client, route }, all) {
    const dir = join(this.#dir, `broker-${n}`);
    mkdirSync(dir);
    const file = join(dir, 'nats.conf');
    const routes = all.map((port) => `"nats://127.0.0.1:${port.route}"`).join(', ');
    writeFileSync(
      file,
      `listen: "127.0.0.1:${client}"\nserver_name: "broker-${n}"\njetstream { store_dir: "${dir}" }\n` +
        (all.length === 1
          ? ''
          : `cluster { name: "faults", listen: "127.0.0.1:${route}", no_advertise: true, routes: [${routes}] }\n`),
    );
    return new Program(async () => {
      const child = spawn('nats-server', ['-c', file, '-l', join(dir, 'nats.log')], { stdio: 'ignore' });
      await answers(client, child);
      return child;
    });
  }

  #node(port, proxies, replicas, args) {
    const bus = proxies.map((proxy) => `nats://127.0.0.1:${proxy.port}`).join(',');
    const url = `http://127.0.0.1:${port}/backend-api`;
    const flags = ['--accounts', 'any', '--replicas', String(replicas), '--drain', '3', '--json', ...args];
    const node = new Program(async () => {
      const limit = performance.now() + START;
      for (;;) {
        const child = spawn(
          process.execPath,
          [CLI, 'hub', '--listen', `http://127.0.0.1:${port}`, '--bus', bus, ...flags],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        );
        if (await listens(child, (line) => node.onLine(line))) return child;
        // The cluster may still elect a leader.
        if (performance.now() > limit) throw new Error('a node does not start');
        await pause(300);
      }
    });
    node.onLine = () => {};
    return Object.assign(node, { url, proxies });
  }

  async end() {
    await Promise.all([...this.nodes, ...this.brokers].map((program) => program.end()));
    for (const proxy of this.#proxies) proxy.close();
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function listens(child, onLine) {
  return new Promise((resolve) => {
    let rest = '';
    child.once('exit', () => resolve(false));
    child.stderr.on('data', (data) => onLine(String(data)));
    child.stdout.on('data', (data) => {
      const lines = `${rest}${data}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        onLine(line);
        if (line.includes('"type":"listening"')) resolve(true);
      }
    });
  });
}

async function answers(port, child) {
  const limit = performance.now() + START;
  for (;;) {
    if (child.exitCode !== null || performance.now() > limit) throw new Error('nats-server does not start');
    const socket = connect(port, '127.0.0.1');
    const found = await Promise.race([
      once(socket, 'data').then(
        () => true,
        () => false,
      ),
      pause(500).then(() => false),
    ]);
    socket.destroy();
    if (found) return;
    await pause(50);
  }
}
