// An app server over JSON lines that starts processes in sessions of their own; each names itself on stderr.
//   family.mjs KIND [--listen unix://PATH]
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';

const [kind = 'session'] = process.argv.slice(2);
const listen = process.argv.indexOf('--listen');
const answer = ({ id, method }) => {
  if (method === 'test/die') process.exit(7);
  return id === undefined ? undefined : JSON.stringify({ id, result: { pid: process.pid } });
};
const clean = { PATH: process.env.PATH };
/** Starts a shell in a session of its own. It writes its pid and waits. */
const start = (name, script, env = process.env) =>
  spawn('setsid', ['/bin/sh', '-c', `echo "${name} $$" >&2; ${script}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
  });

const WAIT = 'while :; do sleep 1; done';
switch (kind) {
  case 'session':
    start('terminal', WAIT);
    break;
  case 'stubborn':
    start('terminal', `trap "" TERM; ${WAIT}`);
    break;
  // Its parent has ended, as that of a server that a script puts into the background.
  case 'background':
    spawn('/bin/sh', ['-c', `setsid sh -c 'echo "terminal $$" >&2; ${WAIT}' & exit 0`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    break;
  // Without the mark, two levels below, and an app server that does not end with its input.
  case 'clean':
    start('shell', `setsid sh -c 'echo "terminal $$" >&2; ${WAIT}'`, clean);
    break;
  case 'survivor':
    start('survivor', WAIT, { ...process.env, RC_ENGINE_CHILD: '' });
    break;
}

if (listen > 0) {
  const http = createServer();
  new WebSocketServer({ server: http }).on('connection', (client) => {
    client.on('message', (data) => {
      const text = answer(JSON.parse(data.toString()));
      if (text !== undefined) client.send(text);
    });
  });
  http.listen(process.argv[listen + 1].slice('unix://'.length));
} else {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const text = answer(JSON.parse(line));
    if (text !== undefined) process.stdout.write(`${text}\n`);
  });
  if (kind !== 'clean') process.stdin.on('end', () => process.exit(0));
}
