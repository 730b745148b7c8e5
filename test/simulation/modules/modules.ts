/**
 * What `require` gives to the code of a simulated process. Modules that only compute are those of Node. Modules that
 * reach the system are simulated. All others fail loudly.
 */
import assert from 'node:assert';
import buffer from 'node:buffer';
import crypto from 'node:crypto';
import events from 'node:events';
import os from 'node:os';
import path from 'node:path';
import querystring from 'node:querystring';
import stream from 'node:stream';
import streamPromises from 'node:stream/promises';
import streamWeb from 'node:stream/web';
import stringDecoder from 'node:string_decoder';
import url from 'node:url';
import util from 'node:util';
import zlib from 'node:zlib';
import type { SimProcess } from '../world/process.js';
import type { World } from '../world/world.js';
import { createChildProcess } from './child-process.js';
import { createFs, Descriptors } from './fs.js';
import { createGlobals, forbidden } from './globals.js';
import { createHttp } from './http.js';
import { createNet } from './net.js';
import { createTimers } from './timers.js';

/** They compute from what they are given, and nothing else. */
const PURE: Readonly<Record<string, unknown>> = {
  ...{ assert, buffer, events, querystring, stream, util },
  // Every machine of the world has the paths of Unix.
  path: path.posix,
  url: {
    ...url,
    pathToFileURL: (place: string) => url.pathToFileURL(place, { windows: false }),
    fileURLToPath: (place: string | URL) => url.fileURLToPath(place, { windows: false }),
  },
  'stream/promises': streamPromises,
  'stream/web': streamWeb,
  string_decoder: stringDecoder,
};

/** Native packages that `ws` uses where they are installed. */
const OPTIONAL: ReadonlySet<string> = new Set(['bufferutil', 'utf-8-validate']);

export interface Guest {
  readonly globals: ReturnType<typeof createGlobals>;
  readonly require: (name: string) => unknown;
}

export function createModules(process: SimProcess, world: World): Guest {
  const timers = createTimers(process);
  const globals = createGlobals(process, timers, world);
  const descriptors = new Descriptors();
  const fs = createFs(process, descriptors);
  const net = createNet(process, world.network, world.ports);
  const http = createHttp(process, net);
  const modules: Record<string, unknown> = {
    ...PURE,
    ...{ fs, 'fs/promises': fs.promises, net, http },
    crypto: createCrypto(process),
    os: createOs(process),
    process: globals.process,
    timers: timers.globals,
    'timers/promises': timers.promises,
    child_process: createChildProcess(process, world, descriptors),
    https: { ...http, Agent: http.Agent, request: forbidden('https.request') },
    tls: { TLSSocket: class TLSSocket {}, connect: forbidden('tls.connect'), rootCertificates: [] },
    dns: strict('dns'),
    zlib: strict('zlib', { constants: zlib.constants }),
    module: { createRequire: () => forbidden('createRequire') },
    perf_hooks: { performance: globals.performance },
    worker_threads: strict('worker_threads', { isMainThread: true }),
  };
  return {
    globals,
    require(name) {
      if (OPTIONAL.has(name)) throw new Error(`${name} is not installed`);
      const plain = name.replace(/^node:/, '');
      return plain in modules ? modules[plain] : strict(name);
    },
  };
}

/** A module whose functions must not be called. */
function strict(name: string, allowed: Readonly<Record<string, unknown>> = {}): unknown {
  return new Proxy(allowed, {
    get: (target, member) =>
      member in target || typeof member === 'symbol' || member === '__esModule' || member === 'default'
        ? Reflect.get(target, member)
        : forbidden(`${name}.${member}`),
  });
}

/** Hashes are those of Node. Random values come from the seed. */
function createCrypto(process: SimProcess) {
  const random = process.random.fork('crypto');
  const fill = <T extends Uint8Array>(bytes: T, offset = 0, size = bytes.length - offset): T => {
    random.fill(bytes.subarray(offset, offset + size));
    return bytes;
  };
  const randomBytes = (size: number): Buffer => fill(Buffer.alloc(size));
  const randomUUID = (): string => {
    const bytes = randomBytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  };
  const { createHash, createHmac, createSecretKey, hash, timingSafeEqual, X509Certificate, constants } =
    crypto;
  return {
    ...{ createHash, createHmac, createSecretKey, timingSafeEqual, X509Certificate, constants },
    // Node 20 has it since 20.12.
    hash,
    randomBytes,
    randomFillSync: fill,
    randomUUID,
    randomInt: (...given: number[]) => {
      const [least, most] = given.length > 1 ? given : [0, given[0]];
      return random.int(least ?? 0, (most ?? 1) - 1);
    },
    createPrivateKey: forbidden('createPrivateKey'),
    webcrypto: { getRandomValues: fill, randomUUID },
  };
}

function createOs(process: SimProcess) {
  const { machine } = process;
  return {
    EOL: os.EOL,
    constants: os.constants,
    hostname: () => machine.name,
    homedir: () => '/home/user',
    tmpdir: () => '/tmp',
    userInfo: () => ({ username: 'user', uid: 1000, gid: 1000, homedir: '/home/user', shell: '/bin/sh' }),
    platform: () => 'linux',
    type: () => 'Linux',
    release: () => '6.0.0',
    arch: () => 'x64',
    cpus: () => [],
    totalmem: () => 8e9,
    freemem: () => 4e9,
    uptime: () => machine.monotonic() / 1_000,
    networkInterfaces: () => ({
      eth0: [{ address: machine.address, family: 'IPv4', internal: false, mac: '00:00:00:00:00:00' }],
    }),
  };
}
