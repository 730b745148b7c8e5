/** What another user of the machine can do with a unix listener of the authority `filesystem`. Needs two users: root. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { it, type Lab } from '../support/lab.js';

const STRANGER = 65_534;
const isRoot = process.getuid?.() === 0;

/** How another user gets on: the first line of the response to an upgrade, or the error code. */
function connectAsStranger(path: string): string {
  const program = `
    const socket = require('net').connect(${JSON.stringify(path)}, () => socket.write([
      'GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', ''].join('\\r\\n')));
    socket.on('error', ({ code }) => console.log(code));
    socket.on('data', (data) => { console.log(String(data).split('\\r\\n')[0]); socket.destroy(); });`;
  const { stdout } = spawnSync(process.execPath, ['-e', program], {
    uid: STRANGER,
    gid: STRANGER,
    cwd: '/',
    encoding: 'utf8',
  });
  return stdout.trim();
}

/** A directory on a path that everybody can enter. */
function directoryOf(lab: Lab): string {
  chmodSync(lab.folder, 0o755);
  const directory = join(lab.folder, 'd');
  mkdirSync(directory, { mode: 0o700 });
  return directory;
}

const listenOn = (path: string) => ['--no-remote-control', '--listen', `unix://${path}`];

describe('a unix listener and another user', () => {
  it('WSA-50: the other user cannot reach the socket, with any mode of the socket', async ({ lab, skip }) => {
    if (!isRoot) skip('needs root, to act as two users');
    const path = join(directoryOf(lab), 'l.sock');
    const engine = await lab.start(listenOn(path));
    await engine.line(({ type }) => type === 'listening', 'listening');
    expect(connectAsStranger(path)).toBe('EACCES');
    chmodSync(path, 0o666);
    expect(connectAsStranger(path)).toBe('EACCES');
  });

  it('WSA-51: a directory that is opened, and the socket too, lets the other user get 403 only', async ({
    lab,
    skip,
  }) => {
    if (!isRoot) skip('needs root, to act as two users');
    const directory = directoryOf(lab);
    const path = join(directory, 'l.sock');
    const engine = await lab.start(listenOn(path));
    await engine.line(({ type }) => type === 'listening', 'listening');
    chmodSync(directory, 0o755);
    chmodSync(path, 0o666);
    expect(connectAsStranger(path)).toBe('HTTP/1.1 403 Forbidden');
  });

  it('WSA-51: a private directory of the other user is refused, and one that changes hands lets nobody in', async ({
    lab,
    skip,
  }) => {
    if (!isRoot) skip('needs root, to act as two users');
    const directory = directoryOf(lab);
    const path = join(directory, 'l.sock');
    chownSync(directory, STRANGER, STRANGER);
    const args = ['start', '--home', lab.home, ...listenOn(path)];
    const { code, stderr } = await lab.cli(args);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `The directory ${directory} of the socket belongs to another user (uid ${STRANGER})`,
    );
    chownSync(directory, 0, 0);
    const engine = await lab.start(listenOn(path));
    await engine.line(({ type }) => type === 'listening', 'listening');
    chownSync(directory, STRANGER, STRANGER);
    chmodSync(path, 0o666);
    expect(connectAsStranger(path)).toBe('HTTP/1.1 403 Forbidden');
  });
});
