import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listenControlSocket } from '../../src/home/control-socket.js';
import { tmpFolder } from '../support/tmp.js';
import { unixOnly } from '../support/unix-only.js';

unixOnly(describe, 'a socket in a directory')('RC-194: the directory of the control socket', () => {
  const said = {
    code: 'homeUnusable',
    message: expect.stringMatching(
      /^The control socket .*control\.sock cannot be opened: its directory was deleted/,
    ),
    remediation: expect.stringMatching(/^Start the engine again/),
  };

  it('is deleted before the socket is opened', async () => {
    const home = join(await tmpFolder(), 'home');
    const server = net.createServer();
    await expect(listenControlSocket(server, join(home, 'control.sock'), home)).rejects.toMatchObject(said);
    expect(server.listening).toBe(false);
  });

  it('is deleted in the moment in which the socket is open and not yet checked', async () => {
    const home = join(await tmpFolder(), 'home');
    await mkdir(home, { mode: 0o700 });
    const server = net.createServer();
    server.once('listening', () => rmSync(home, { recursive: true }));
    await expect(listenControlSocket(server, join(home, 'control.sock'), home)).rejects.toMatchObject(said);
    expect(server.listening).toBe(false);
  });
});
