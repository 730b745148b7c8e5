import http from 'node:http';
import net from 'node:net';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPlainUpgrade } from '../../../src/listener/handshake/plain-upgrade.js';
import type { RequestHead } from '../../../src/listener/handshake/upgrade-request.js';
import { bearer, CAPABILITY, capability, listening, rawInParts, upgradeText } from '../rig.js';

interface Read {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly version: string;
  readonly rawHeaders: readonly string[];
  readonly head: string;
}

const readOf = ({ method, url, httpVersion, rawHeaders }: RequestHead, head: Buffer): Read => ({
  ...{
    method,
    url,
    version: httpVersion,
    rawHeaders,
    head: head.toString('latin1'),
  },
});

/** What Node's own parser makes of the bytes, set up as the listener's; undefined: no upgrade. */
function nodeReads(bytes: Buffer): Promise<Read | undefined> {
  return new Promise((resolve) => {
    const server = http.createServer({
      ...{ maxHeaderSize: 16 * 1024, insecureHTTPParser: false, requireHostHeader: false },
    });
    server.maxHeadersCount = 0;
    const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
    server.on('upgrade', (request, _stream, head) => resolve(readOf(request, head)));
    for (const other of ['request', 'connect', 'clientError', 'checkExpectation', 'checkContinue']) {
      server.on(other, () => resolve(undefined));
    }
    stream.on('error', () => {}).on('close', () => resolve(undefined));
    server.emit('connection', stream);
    stream.push(bytes);
    stream.push(null);
  });
}

function plainReads(bytes: Buffer): Read | undefined {
  const found = readPlainUpgrade(bytes);
  return found === undefined ? undefined : readOf(found.request, found.head);
}

const HEADERS: readonly (readonly [string, string])[] = [
  ...upgradeText()
    .split('\r\n')
    .filter((line) => line.includes(': '))
    .map((line): [string, string] => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
];
const NAMES = [
  ...[
    'Authorization',
    'Origin',
    'Host',
    'Connection',
    'Upgrade',
    'Content-Length',
    'Transfer-Encoding',
    'Expect',
  ],
  ...[
    'Sec-WebSocket-Key',
    'Sec-WebSocket-Protocol',
    'Cookie',
    'Set-Cookie',
    'TE',
    'Trailer',
    'Keep-Alive',
    'HTTP2-Settings',
  ],
  ...['Proxy-Connection', 'X-A', '__proto__', 'constructor', 'toString', 'Age', 'ETag', 'a b', ''],
];
const VALUES = [
  ...[
    '',
    'x',
    '0',
    '5',
    'chunked',
    'close',
    'Upgrade',
    'keep-alive',
    'keep-alive, Upgrade',
    'Upgrade, close',
  ],
  ...[
    'websocket',
    'h2c',
    'websocket, h2c',
    '100-continue',
    ' padded ',
    '\ttabbed\t',
    'a\tb',
    'a\u0000b',
    'caf\u00e9',
    '"q"',
  ],
];
const TARGETS = [
  '/',
  '/?token=abc',
  '/a/b?c=%20&d',
  '*',
  'http://h/',
  '/#f',
  '//x',
  '/\u00e9',
  '/a b',
  '/?"',
  '',
];

const oddCase = fc
  .tuple(fc.constantFrom(...NAMES), fc.boolean())
  .map(([name, low]) => (low ? name.toLowerCase() : name));
const header = fc.tuple(
  oddCase,
  fc.oneof(fc.constantFrom(...VALUES), fc.string({ unit: 'binary-ascii', maxLength: 12 })),
);
/** Mostly what a client would write, with a thing or two beside it; then perhaps one byte of it is another. */
const requests = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'get'),
    target: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('/', '/?token=abc') },
      fc.constantFrom(...TARGETS),
    ),
    version: fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0'),
    usual: fc.shuffledSubarray([...HEADERS], { minLength: 4 }),
    more: fc.array(header, { maxLength: 2 }),
    tail: fc.constantFrom('', '', 'more', '\u0081\u0080'),
    colon: fc.constantFrom(': ', ': ', ':', ':  ', ' : '),
    wrong: fc.option(
      fc.record({
        at: fc.nat(400),
        byte: fc.constantFrom(0, 9, 10, 13, 32, 35, 44, 58, 65, 127, 128, 255),
        cut: fc.nat(1),
      }),
      { freq: 2 },
    ),
  })
  .map(({ method, target, version, usual, more, tail, colon, wrong }) => {
    const lines = [...usual, ...more].map(([name, value]) => `${name}${colon}${value}\r\n`);
    const bytes = Buffer.from(`${method} ${target} ${version}\r\n${lines.join('')}\r\n${tail}`, 'latin1');
    if (wrong === null) return bytes;
    const at = wrong.at % bytes.length;
    return Buffer.concat([bytes.subarray(0, at), Buffer.of(wrong.byte), bytes.subarray(at + wrong.cut)]);
  });

describe('first bytes', () => {
  it('WSA-8: what is read without the parser is what the parser would have read', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(requests, async (bytes) => {
        const found = plainReads(bytes);
        if (found === undefined) return;
        taken += 1;
        expect(found).toEqual(await nodeReads(bytes));
      }),
      { numRuns: 20_000 },
    );
    // It would hold for a reader that takes nothing.
    expect(taken).toBeGreaterThan(100);
  });

  it.each([
    ['a usual one', upgradeText()],
    ['with credentials', upgradeText({ path: '/?token=abc', headers: [bearer('abc')] })],
    ['of a browser', upgradeText({ omit: ['Connection'], headers: [['Connection', 'keep-alive, Upgrade']] })],
    ['with two credentials', upgradeText({ headers: [bearer('a'), bearer('b')] })],
    ['with its first frame', upgradeText({ tail: '\u0081\u0080abcd' })],
  ])('a request for a WebSocket is read at once: %s', async (_, text) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(plainReads(bytes)).toEqual(await nodeReads(bytes));
    expect(plainReads(bytes)).toBeDefined();
  });

  it.each([
    ['half a request', upgradeText().slice(0, -1)],
    ['no upgrade', upgradeText({ omit: ['Upgrade'] })],
    ['another method', upgradeText({ method: 'POST' })],
    ['HTTP/1.0', upgradeText({ version: 'HTTP/1.0' })],
    ['two upgrades', upgradeText({ headers: [['upgrade', 'websocket']] })],
    ['a body', upgradeText({ headers: [['Content-Length', '5']], tail: 'hello' })],
    ['a chunked body', upgradeText({ headers: [['Transfer-Encoding', 'chunked']] })],
    ['a folded line', upgradeText({ headers: [['X-A', 'a\r\n b']] })],
    ['a bare line feed', upgradeText({ headers: [['X-A', 'a\nOrigin: http://evil']] })],
    ['a space before the colon', upgradeText().replace('Host:', 'Host :')],
    ['a byte above ASCII', upgradeText({ headers: [['X-A', '\u00e9']] })],
    ['a target with a fragment', upgradeText({ path: '/#a' })],
    ['an absolute target', upgradeText({ path: 'http://127.0.0.1/' })],
    ['much of it', upgradeText({ headers: [['X-Pad', 'p'.repeat(5_000)]] })],
  ])('what may be read in two ways is left to the parser: %s', (_, text) => {
    expect(plainReads(Buffer.from(text, 'latin1'))).toBeUndefined();
  });

  it('WSA-8: a request is the same in one piece and cut in two anywhere', async () => {
    const at = await listening({ authority: capability });
    const text = upgradeText({ headers: [bearer(CAPABILITY)] });
    const wrong = upgradeText({ headers: [bearer('wrong')] });
    const cuts = Array.from({ length: text.length - 1 }, (_, i) => i + 1);
    for (const cut of cuts.filter((n) => n % 3 === 1 || n > text.length - 5)) {
      const good = await rawInParts(at.port, [text.slice(0, cut), text.slice(cut)]);
      expect([cut, good.status]).toEqual([cut, 101]);
    }
    for (const cut of [1, 30, wrong.length - 1]) {
      expect((await rawInParts(at.port, [wrong.slice(0, cut), wrong.slice(cut)])).status).toBe(401);
    }
  });

  it('a client that hangs up before it has said a word is let go at once', async () => {
    const at = await listening({ authority: capability });
    const closed = new Promise<void>((resolve) => {
      const socket = net.connect({ port: at.port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        socket.end(),
      );
      socket.resume().on('close', () => resolve());
    });
    await closed;
    expect(at.engine.fullStatus.listener?.lastRejections).toEqual([]);
  });
});
