// An app server over JSON lines; the first argument selects how it misbehaves.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [kind = 'good'] = process.argv.slice(2);
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (kind === 'exits') {
  // With colors, as Codex CLI writes it.
  console.error('\u001b[31mnothing\u001b[0m works \u001b[2mhere\u001b[0m');
  process.exit(3);
}
if (kind === 'stubborn') process.on('SIGTERM', () => {});
if (kind === 'family') {
  // A grandchild that keeps the pipes open and survives its parent.
  const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM",()=>{});setInterval(()=>{},1000)'], {
    stdio: 'inherit',
  });
  console.error(`grandchild ${child.pid}`);
}
if (kind === 'garbage') {
  process.stdout.write('Listening somewhere\n{"half":\n[1,2]\n\n{"neither":"request nor answer"}\n');
}
if (kind === 'floodOut')
  for (let i = 0; i < 50_000; i += 1) process.stdout.write(`line ${i} ${'x'.repeat(50)}\n`);
if (kind === 'flood') for (let i = 0; i < 50_000; i += 1) console.error(`line ${i} ${'x'.repeat(50)}`);

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === undefined) {
    say({ method: 'test/answered', params: { line } });
    return;
  }
  if (id === undefined) {
    if (method !== 'initialized') say({ method: 'test/told', params: { line } });
    return;
  }
  switch (method) {
    case 'initialize':
      if (kind === 'mute') return;
      if (kind === 'diesAtInitialize') process.exit(7);
      say({ id, result: { userAgent: 'child', pid: process.pid } });
      return;
    case 'test/raw':
      process.stdout.write(
        `{"id":${JSON.stringify(id)},  "result":{"n":12345678901234567890,"line":${JSON.stringify(line)}}}\n`,
      );
      return;
    case 'test/ask':
      say({ id: 'from-server', method: 'test/question', params });
      say({ id, result: {} });
      return;
    case 'test/claim':
      say({ method: 'remoteControl/status/changed', params: { status: 'errored' } });
      say({ id, result: {} });
      return;
    case 'test/die':
      process.stdout.write('{"id":1,"resu', () => process.exit(7));
      return;
    case 'test/end':
      if (params.closeOutput) {
        process.stdout.end();
        setInterval(() => {}, 1_000);
      } else if (params.signal) process.kill(process.pid, params.signal);
      else process.exit(params.code);
      return;
    case 'test/hang':
      return;
    case 'test/big':
      say({ id, result: 'x'.repeat(params.size) });
      return;
    default:
      say({ id, result: { method, params: params ?? null } });
  }
});
if (kind !== 'stubborn' && kind !== 'family') process.stdin.on('end', () => process.exit(0));
else setInterval(() => {}, 1_000);
