/** Programs that the documents name and that a test machine does not have, and an issuer that lets everybody sign in. */
import { chmod, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { granted, LoopbackIssuer, token } from './issuer.js';

/** Stands in for Codex CLI and other agents: answers each request over stdio; `--remote` only connects. */
export const AGENT = `#!/usr/bin/env node
const url = process.argv[process.argv.indexOf('--remote') + 1];
if (process.argv.includes('--remote')) {
  const { hostname, port, pathname, protocol } = new URL(url);
  const place = protocol === 'unix:' ? { path: pathname } : { host: hostname, port: Number(port) };
  const socket = require('node:net').connect(place, () => process.exit(0));
  socket.on('error', ({ message }) => { console.error(message); process.exit(1); });
} else if (process.argv.includes('--listen') || process.argv.includes('--serve')) process.exit(2);
else require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line);
  const result = method === 'initialize' ? { userAgent: 'agent' } : { method };
  if (id !== undefined) console.log(JSON.stringify({ id, result }));
});
`;

/** `npx wscat` connects, sends what -x says, and shows the answer; any other package is an agent. */
const NPX = `${AGENT.split('\n')[0]}
const words = process.argv.slice(2);
const after = (flag) => words[words.indexOf(flag) + 1];
if (words[0] === 'wscat') {
  const { WebSocket } = require(${JSON.stringify(createRequire(import.meta.url).resolve('ws'))});
  const header = words.includes('-H') ? after('-H').split(': ') : undefined;
  const socket = new WebSocket(after('-c'), { headers: header === undefined ? {} : { [header[0]]: header[1] } });
  const done = (code, text) => { console.log(text); process.exit(code); };
  socket.on('open', () => words.includes('-x') ? socket.send(after('-x')) : done(0, 'connected'));
  socket.on('message', (data) => done(String(data).includes('"id":1') ? 0 : 1, String(data)));
  socket.on('error', ({ message }) => done(1, message));
} else {
${AGENT.split('\n').slice(1).join('\n')}
}
`;

/** A service manager that says that everything runs. */
const SYSTEMCTL = `#!/bin/sh
case "$*" in *show*) printf 'ActiveState=active\\nSubState=running\\nMainPID=1\\nUnitFileState=enabled\\nResult=success\\n';; esac
`;

/** A browser that follows the sign-in to its end, or a file of ours to the page that it leads to; its log has each status. */
const BROWSER = `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require('node:fs');
const [, , address] = process.argv;
const url = address.startsWith('file:') ? /url=([^"]+)/.exec(readFileSync(new URL(address), 'utf8'))[1] : address;
const open = (address) => require('node:http').get(address, (response) => {
  response.resume();
  appendFileSync('browser.log', response.statusCode + '\\n');
  const { location } = response.headers;
  if (location !== undefined) open(new URL(location, address));
});
open(url);
`;

const PROGRAMS: Readonly<Record<string, string>> = {
  codex: AGENT,
  'my-server': AGENT,
  npx: NPX,
  systemctl: SYSTEMCTL,
  journalctl: '#!/bin/sh\n',
  loginctl: '#!/bin/sh\necho yes\n',
  tmux: '#!/bin/sh\n',
  browser: BROWSER,
};

/** Writes them into a directory for the PATH. */
export async function writePrograms(directory: string): Promise<void> {
  for (const [name, text] of Object.entries(PROGRAMS)) {
    await writeFile(path.join(directory, name), text);
    await chmod(path.join(directory, name), 0o755);
  }
}

/** Every sign-in succeeds at once. */
export async function openIssuer(): Promise<LoopbackIssuer> {
  const issuer = await LoopbackIssuer.start();
  issuer.always('authorize', ({ url }) => {
    const back = new URL(url.searchParams.get('redirect_uri') ?? '');
    back.searchParams.set('code', 'code-1');
    back.searchParams.set('state', url.searchParams.get('state') ?? '');
    return { status: 302, headers: { location: back.href } };
  });
  issuer.always('usercode', { json: { device_auth_id: 'device-1', user_code: 'ABCD-1234', interval: '1' } });
  issuer.always('devicePoll', {
    json: { authorization_code: 'code-1', code_challenge: 'challenge', code_verifier: 'verifier' },
  });
  issuer.always('exchange', granted(token()));
  issuer.always('keyExchange', { json: { access_token: 'sk-1' } });
  return issuer;
}
