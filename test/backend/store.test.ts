import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { connectController, enroll, event, pair, refreshCall, ServerPeer } from './peers.js';

let dir: string;
let stateFile: string;
const open: Backend[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rc-backend-'));
  stateFile = join(dir, 'state.json');
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.close()));
  await rm(dir, { recursive: true, force: true });
});
async function start(file = stateFile): Promise<Backend> {
  const backend = await createBackend({ stateFile: file });
  open.push(backend);
  return backend;
}

describe('state file', () => {
  it('RC-15, RC-16: identities, tokens and controllers survive a restart', async () => {
    const first = await start();
    const identity = await enroll(first);
    const claimed = await pair(first, identity);
    await first.close();

    const second = await start();
    const server = await ServerPeer.open(second, identity);
    const controller = await connectController(second, claimed);
    controller.notify('hello');
    await server.request('hello');
    expect((await refreshCall(second, identity.serverId)).status).toBe(200);
  });

  it('RC-5: has mode 0600 and holds hashes of tokens instead of tokens', async () => {
    const backend = await start();
    const identity = await enroll(backend);
    const claimed = await pair(backend, identity);
    await event(backend, 'stateSaved');
    await backend.close();
    expect((await stat(stateFile)).mode & 0o777).toBe(0o600);
    const text = await readFile(stateFile, 'utf8');
    expect(text).toContain(identity.serverId);
    expect(text).toContain(claimed.clientId);
    expect(text).not.toContain(identity.token);
    expect(text).not.toContain(claimed.token.reveal());
    expect(await readdir(dir)).toEqual(['state.json']);
  });

  it('is replaced atomically: many changes at once leave one complete file', async () => {
    const backend = await start();
    const identities = await Promise.all(Array.from({ length: 40 }, () => enroll(backend)));
    await backend.close();
    const again = await start();
    expect(again.servers.map(({ serverId }) => serverId).sort()).toEqual(
      identities.map(({ serverId }) => serverId).sort(),
    );
  });

  it('a file that is not valid is an error, and is left unchanged', async () => {
    for (const text of [
      '{',
      '[]',
      '{"version":2,"servers":[],"clients":[]}',
      '{"version":1,"servers":[{}],"clients":[]}',
    ]) {
      await writeFile(stateFile, text);
      await expect(start()).rejects.toMatchObject({ code: 'storeUnavailable' });
      expect(await readFile(stateFile, 'utf8')).toBe(text);
    }
  });

  it('a file that cannot be written is reported, and the backend continues', async () => {
    const backend = await start(join(dir, 'missing', 'state.json'));
    await enroll(backend);
    await event(backend, 'stateFailed');
    expect((await enroll(backend)).serverId).toMatch(/^srv_/);
  });
});
