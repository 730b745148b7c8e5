// Writes cli-script.cache next to cli-script.cjs in the given directory: V8's code cache with every function that a start
// compiles. It is taken from a start that connects to a simulated backend and serves one virtual client.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import { WebSocketServer } from 'ws';

const TIMEOUT = 20_000;
const REQUESTS = 20;
const scriptFile = resolve(process.argv[2], 'cli-script.cjs');
const cacheFile = resolve(process.argv[2], 'cli-script.cache');

const home = mkdtempSync(join(tmpdir(), 'rc-build-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
setTimeout(() => process.exit(1), TIMEOUT).unref();

const http = createServer((request, response) => {
  request.resume();
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({
      server_id: 'server',
      environment_id: 'environment',
      remote_control_token: 'token',
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    }),
  );
});
const sockets = new WebSocketServer({ server: http });
sockets.on('connection', (socket) => {
  const send = (seqId, message) =>
    socket.send(
      JSON.stringify({ type: 'client_message', client_id: 'c', stream_id: 's', seq_id: seqId, message }),
    );
  send(1, {
    id: 1,
    method: 'initialize',
    params: { clientInfo: { name: 'build', version: '1' }, capabilities: { experimentalApi: true } },
  });
  for (let id = 2; id <= REQUESTS; id += 1) send(id, { id, method: id % 2 ? 'engine/echo' : 'unknown' });
  socket.on('message', (data) => {
    const { type, seq_id: seqId, message } = JSON.parse(String(data));
    if (type !== 'server_message') return;
    socket.send(JSON.stringify({ type: 'ack', client_id: 'c', stream_id: 's', seq_id: seqId }));
    // The work that follows the last response runs in the next turns of the event loop.
    if (message.id === REQUESTS) setTimeout(finish, 100);
  });
});

const source = readFileSync(scriptFile);
const script = new Script(source.latin1Slice(), { filename: scriptFile });

function finish() {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(crc32(source), 0);
  writeFileSync(cacheFile, Buffer.concat([header, script.createCachedData()]));
  process.exit(0);
}

http.listen(0, '127.0.0.1', () => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { exp: 4_000_000_000, 'https://api.openai.com/auth': { chatgpt_account_id: 'account' } };
  const token = `${part({ alg: 'none' })}.${part(claims)}.signature`;
  mkdirSync(join(home, 'engine'), { mode: 0o700 });
  writeFileSync(
    join(home, 'engine', 'auth.json'),
    JSON.stringify({
      auth_mode: 'chatgpt',
      tokens: { id_token: token, access_token: token, refresh_token: 'none', account_id: 'account' },
    }),
    { mode: 0o600 },
  );
  for (const name of Object.keys(process.env)) if (name.startsWith('RC_ENGINE_')) delete process.env[name];
  const url = `http://127.0.0.1:${http.address().port}/backend-api`;
  process.argv = [
    process.execPath,
    'rc-engine',
    'start',
    '--json',
    '--home',
    join(home, 'engine'),
    '--base-url',
    url,
    // A repeatable flag is left to the full parser, so that the cache holds that, too.
    '--allow-host',
    'build.test',
  ];
  const require = createRequire(scriptFile);
  script.runInThisContext()(require, require, { url: pathToFileURL(scriptFile).href });
});
