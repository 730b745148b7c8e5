/** `node:net` of a simulated process. */
import { EventEmitter } from 'node:events';
import realNet from 'node:net';
import { Duplex } from 'node:stream';
import { SystemError } from '../world/disk.js';
import type { End, Network, Receiver } from '../world/network.js';
import type { SimProcess } from '../world/process.js';

type Accept = { readonly process: SimProcess; readonly accept: (end: End) => Receiver };

/** Who listens where. Ports are those of the whole world, and a socket file belongs to its machine. */
export class Ports {
  readonly byPort = new Map<number, Accept>();
  readonly byInode = new Map<string, Accept>();
  #next = 40_000;

  free(): number {
    this.#next += 1;
    return this.#next;
  }
}

interface Target {
  readonly port?: number | string;
  readonly host?: string;
  readonly path?: string | null;
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

const HIGH_WATER = 16 * 1024;

export function createNet(process: SimProcess, network: Network, ports: Ports) {
  class Socket extends Duplex implements Receiver {
    connecting = false;
    remoteAddress: string | undefined;
    remotePort: number | undefined;
    remoteFamily: string | undefined;
    localAddress: string | undefined;
    localPort: number | undefined;
    bytesRead = 0;
    bytesWritten = 0;
    timeout = 0;
    #end: End | undefined;
    #pendingWrite: (() => void) | undefined;
    #roomWanted: (() => void) | undefined;
    #arrived: (Buffer | null)[] = [];
    #wants = false;
    #idle: ReturnType<SimProcess['after']> | undefined;

    constructor(options: { readonly allowHalfOpen?: boolean | undefined } = {}) {
      super({
        allowHalfOpen: options.allowHalfOpen ?? false,
        highWaterMark: HIGH_WATER,
        autoDestroy: true,
        emitClose: true,
      });
    }

    get pending(): boolean {
      return this.connecting;
    }

    get readyState(): string {
      return this.connecting ? 'opening' : this.writable ? 'open' : 'closed';
    }

    /** @internal The accepted side. */
    accepted(end: End, port: number | undefined): this {
      this.#end = end;
      this.#addresses(port, ports.free());
      return this;
    }

    #addresses(local: number | undefined, remote: number | undefined): void {
      if (local === undefined || remote === undefined) return;
      this.localAddress = '127.0.0.1';
      this.remoteAddress = '127.0.0.1';
      this.remoteFamily = 'IPv4';
      this.localPort = local;
      this.remotePort = remote;
    }

    connect(target: Target, onConnect?: () => void): this {
      this.connecting = true;
      if (onConnect !== undefined) this.once('connect', onConnect);
      if (target.timeout !== undefined) this.setTimeout(target.timeout);
      target.signal?.addEventListener('abort', () => this.destroy(new Error('The operation was aborted')), {
        once: true,
      });
      const port = target.port === undefined ? undefined : Number(target.port);
      let accept: Accept | undefined;
      if (typeof target.path === 'string') {
        const { disk, name } = process.machine;
        const node = disk.find(target.path);
        if (node === undefined) {
          const error = new SystemError('ENOENT', 'connect', target.path);
          process.after(0, () => this.destroy(error));
          return this;
        }
        accept = ports.byInode.get(`${name}:${node.ino}`);
      } else if (port !== undefined) accept = ports.byPort.get(port);
      this.#addresses(ports.free(), port);
      this.#end = network.connect(process, this, accept);
      return this;
    }

    onConnected(): void {
      if (this.destroyed) return;
      this.connecting = false;
      this.#active();
      this.emit('connect');
      this.emit('ready');
      const pending = this.#pendingWrite;
      this.#pendingWrite = undefined;
      pending?.();
    }

    onData(bytes: Buffer): void {
      this.#active();
      this.bytesRead += bytes.length;
      this.#arrived.push(bytes);
      this.#pass();
    }

    onEnd(): void {
      this.#arrived.push(null);
      this.#pass();
    }

    onError(code: string): void {
      if (!this.destroyed) this.destroy(new SystemError(code, this.connecting ? 'connect' : 'read'));
    }

    onRoom(): void {
      const wanted = this.#roomWanted;
      this.#roomWanted = undefined;
      wanted?.();
    }

    #pass(): void {
      while (this.#wants && this.#arrived.length > 0 && !this.destroyed) {
        const piece = this.#arrived.shift() ?? null;
        if (piece !== null) this.#end?.peer?.consumed(piece.length);
        this.#wants = this.push(piece);
      }
    }

    override _read(): void {
      this.#wants = true;
      this.#pass();
    }

    override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
      if (this.connecting) {
        this.#pendingWrite = () => this._write(chunk, _encoding, done);
        return;
      }
      this.#active();
      this.bytesWritten += chunk.length;
      if (this.#end === undefined) done(new SystemError('EPIPE', 'write'));
      else if (this.#end.send(chunk)) done();
      else this.#roomWanted = () => done();
    }

    override _writev(
      chunks: { readonly chunk: Buffer; readonly encoding: BufferEncoding }[],
      done: (error?: Error) => void,
    ): void {
      const all = chunks.map(({ chunk, encoding }) =>
        typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk,
      );
      this._write(Buffer.concat(all), 'utf8', done);
    }

    override _final(done: (error?: Error) => void): void {
      if (this.connecting) {
        this.once('connect', () => this._final(done));
        return;
      }
      this.#end?.sendEnd();
      done();
    }

    override _destroy(error: Error | null, done: (error: Error | null) => void): void {
      this.connecting = false;
      this.#end?.close();
      this.#pendingWrite = undefined;
      this.#roomWanted = undefined;
      if (this.#idle !== undefined) this.#idle.cancelled = true;
      done(error);
    }

    destroySoon(): void {
      if (this.writable) this.end();
      if (this.writableFinished) this.destroy();
      else this.once('finish', () => this.destroy());
    }

    resetAndDestroy(): this {
      return this.destroy(new SystemError('ECONNRESET', 'read'));
    }

    setTimeout(ms: number, onTimeout?: () => void): this {
      this.timeout = ms;
      if (onTimeout !== undefined) {
        if (ms === 0) this.off('timeout', onTimeout);
        else this.once('timeout', onTimeout);
      }
      this.#active();
      return this;
    }

    #active(): void {
      if (this.#idle !== undefined) this.#idle.cancelled = true;
      this.#idle = undefined;
      if (this.timeout > 0 && !this.destroyed)
        this.#idle = process.after(this.timeout, () => this.emit('timeout'));
    }

    address() {
      return { address: this.localAddress, port: this.localPort, family: 'IPv4' };
    }

    setNoDelay(): this {
      return this;
    }

    setKeepAlive(): this {
      return this;
    }

    ref(): this {
      return this;
    }

    unref(): this {
      return this;
    }
  }

  class Server extends EventEmitter {
    listening = false;
    maxConnections: number | undefined;
    readonly #allowHalfOpen: boolean;
    #port: number | undefined;
    #path: string | undefined;
    #stop: (() => void) | undefined;
    readonly #sockets = new Set<Socket>();
    #onClosed: (() => void) | undefined;

    constructor(options: { readonly allowHalfOpen?: boolean } = {}, onConnection?: (socket: Socket) => void) {
      super();
      this.#allowHalfOpen = options.allowHalfOpen ?? false;
      if (onConnection !== undefined) this.on('connection', onConnection);
    }

    listen(where: number | string | Target, ...rest: unknown[]): this {
      const target =
        typeof where === 'object' ? where : typeof where === 'string' ? { path: where } : { port: where };
      const callback = rest.find((one) => typeof one === 'function');
      if (callback !== undefined) this.once('listening', callback as () => void);
      let problem: unknown;
      // The socket file is created before `listen` returns.
      try {
        this.#open(target);
        this.listening = true;
      } catch (error) {
        problem = error;
      }
      process.after(0, () => {
        if (problem !== undefined) this.emit('error', problem);
        else if (this.listening) this.emit('listening');
      });
      return this;
    }

    #open(target: Target): void {
      const accept: Accept = { process, accept: (end) => this.#accept(end) };
      const stops: (() => void)[] = [];
      if (typeof target.path === 'string') {
        const { path } = target;
        const { disk, name } = process.machine;
        if (disk.find(path) !== undefined) throw new SystemError('EADDRINUSE', 'listen', path);
        disk.socket(path, 0o777 & ~process.umask);
        const key = `${name}:${disk.get(path, 'listen').ino}`;
        ports.byInode.set(key, accept);
        this.#path = path;
        stops.push(() => ports.byInode.delete(key));
      } else {
        const port = Number(target.port) || ports.free();
        if (ports.byPort.has(port)) throw new SystemError('EADDRINUSE', 'listen');
        ports.byPort.set(port, accept);
        this.#port = port;
        stops.push(() => ports.byPort.delete(port));
      }
      const stop = () => {
        for (const one of stops) one();
      };
      const forget = process.own(stop);
      this.#stop = () => {
        forget();
        stop();
      };
    }

    #accept(end: End): Receiver {
      const socket = new Socket({ allowHalfOpen: this.#allowHalfOpen }).accepted(end, this.#port);
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#closedWhenEmpty();
      });
      process.after(0, () => {
        if (!socket.destroyed) this.emit('connection', socket);
      });
      return socket;
    }

    address() {
      if (!this.listening) return null;
      return this.#path ?? { address: '127.0.0.1', port: this.#port, family: 'IPv4' };
    }

    close(onClosed?: (error?: Error) => void): this {
      if (this.#stop === undefined) {
        if (onClosed !== undefined) process.after(0, () => onClosed(new Error('Server is not running.')));
        return this;
      }
      if (onClosed !== undefined) this.once('close', onClosed);
      this.#stop();
      this.#stop = undefined;
      this.listening = false;
      if (this.#path !== undefined && process.machine.disk.find(this.#path)?.kind === 'socket')
        process.machine.disk.unlink(this.#path);
      this.#onClosed = () => process.after(0, () => this.emit('close'));
      this.#closedWhenEmpty();
      return this;
    }

    #closedWhenEmpty(): void {
      if (this.#sockets.size > 0) return;
      this.#onClosed?.();
      this.#onClosed = undefined;
    }

    destroyAll(): void {
      for (const socket of this.#sockets) socket.destroy();
    }

    getConnections(callback: (error: null, count: number) => void): void {
      callback(null, this.#sockets.size);
    }

    ref(): this {
      return this;
    }

    unref(): this {
      return this;
    }

    async [Symbol.asyncDispose](): Promise<void> {
      await new Promise((resolve) => this.close(resolve));
    }
  }

  const connect = (target: Target | number | string, ...rest: unknown[]): Socket => {
    const options =
      typeof target === 'number' ? { port: target } : typeof target === 'string' ? { path: target } : target;
    const callback = rest.find((one) => typeof one === 'function') as (() => void) | undefined;
    return new Socket(options as { allowHalfOpen?: boolean }).connect(options, callback);
  };

  return {
    Socket,
    Server,
    connect,
    createConnection: connect,
    createServer: (
      options?: { readonly allowHalfOpen?: boolean } | ((socket: Socket) => void),
      onConnection?: (socket: Socket) => void,
    ) => (typeof options === 'function' ? new Server({}, options) : new Server(options, onConnection)),
    isIP: realNet.isIP,
    isIPv4: realNet.isIPv4,
    isIPv6: realNet.isIPv6,
    BlockList: realNet.BlockList,
    getDefaultAutoSelectFamily: () => false,
    setDefaultAutoSelectFamily: () => {},
  };
}

export type SimNet = ReturnType<typeof createNet>;
