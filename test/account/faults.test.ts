import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { parseIssuer } from '../../src/account/issuer/address.js';
import { BuiltinAppServer } from '../../src/app-server/builtin.js';
import { locateHome } from '../../src/home/home.js';
import type { AppServer } from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import { granted, MARK, signIn, token } from '../support/issuer.js';
import { tmpFolder } from '../support/tmp.js';
import { Rig } from './rig.js';

/** A second client of the engine, over its control socket. */
async function secondClient(rig: Rig) {
  const socket = net.connect(locateHome(rig.home).controlSocket);
  const seen: Record<string, unknown>[] = [];
  const lookers = new Set<() => void>();
  createInterface({ input: socket }).on('line', (line) => {
    seen.push(JSON.parse(line) as Record<string, unknown>);
    for (const look of [...lookers]) look();
  });
  const until = (match: (one: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not seen: ${JSON.stringify(seen)}`)), 5_000);
      const look = (): void => {
        const found = seen.find(match);
        if (found === undefined) return;
        clearTimeout(timer);
        lookers.delete(look);
        resolve(found);
      };
      lookers.add(look);
      look();
    });
  const ask = (id: number, method: string, params: unknown) => {
    socket.write(`${JSON.stringify({ id, method, params })}\n`);
    return until((one) => one.id === id && one.method === undefined);
  };
  await ask(1, 'initialize', {
    clientInfo: { name: 'parent', version: '1' },
    capabilities: { experimentalApi: true },
  });
  return { ask, until, seen, end: () => socket.destroy() };
}

describe('whose tokens they are', () => {
  it('ACC-41: the client that signed in is asked, and no other; every client learns of the sign-in', async () => {
    const rig = await Rig.start();
    const parent = await secondClient(rig);
    rig.at.always('enroll', { status: 401 });
    await parent.ask(2, 'account/login/start', {
      type: 'chatgptAuthTokens',
      accessToken: token(),
      chatgptAccountId: 'org-1',
    });
    await rig.until(
      () => rig.log.find((one) => one.method === 'account/updated'),
      'updated on the other client',
    );
    const enabling = rig.ask('remoteControl/enable', {});
    const asked = await parent.until((one) => one.method === 'account/chatgptAuthTokens/refresh');
    expect(asked.params).toEqual({ reason: 'unauthorized', previousAccountId: 'org-1' });
    parent.end();
    // The parent that disconnects during the request ends it at once, and with its own reason.
    expect((await enabling).error?.code).toBe(-32600);
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('parentGone');
    expect(rig.asks()).toEqual([]);
    expect(await rig.account()).toMatchObject({ type: 'chatgpt' });
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('parentGone');
  });
});

describe('another app server behind the engine', () => {
  /** Sends a request of its own with id `id` as soon as it hears the method `poke`, and keeps what it is answered. */
  function other(id: () => number) {
    const heard: string[] = [];
    const builtin = new BuiltinAppServer({ version: '0', home: '/' });
    const server: AppServer = {
      name: 'other',
      close: async () => {},
      open: async (events, client) => {
        const inner = await builtin.open(events, client);
        return {
          ...inner,
          pause: () => inner.pause(),
          resume: () => inner.resume(),
          close: () => inner.close(),
          send: (message) => {
            heard.push(message.text);
            if (message.text.includes('"poke"')) {
              queueMicrotask(() =>
                events.onMessage(
                  Message.written(JSON.stringify({ id: id(), method: 'theirs/ask', params: {} })),
                ),
              );
              return true;
            }
            return inner.send(message);
          },
        };
      },
    };
    return { server, heard };
  }

  it('ACC-84: answers account methods itself, and passes answers to requests of the app server on', async () => {
    const { server, heard } = other(() => 7);
    const rig = await Rig.start({ appServer: server });
    expect(await rig.call('account/read')).toMatchObject({ account: null });
    rig.onAsk = () => ({ result: 'theirs' });
    rig.write({ method: 'poke' });
    await rig.until(() => rig.log.find((one) => one.method === 'theirs/ask'), 'their request');
    await rig.call('account/read');
    expect(heard.some((text) => text.includes('"theirs"'))).toBe(true);
    expect(heard.some((text) => text.includes('account/'))).toBe(false);
  });

  it('ACC-85: a request of the app server that is open since before ours keeps its own answer', async () => {
    const { server, heard } = other(() => 0);
    const rig = await Rig.start({ appServer: server });
    const renewed = token({ plan: 'team' });
    rig.at.always('enroll', { status: 401 });
    await rig.externalIn(token(), 'org-1');
    let answerTheirs: (reply: { result: string }) => void = () => {};
    rig.onAsk = (ask) => {
      if (ask.method === 'theirs/ask') {
        return new Promise((resolve) => {
          answerTheirs = resolve;
        });
      }
      expect(ask.id).not.toBe(0);
      return { result: { accessToken: renewed, chatgptAccountId: 'org-1', chatgptPlanType: 'team' } };
    };
    rig.write({ method: 'poke' });
    await rig.until(() => rig.log.find((one) => one.method === 'theirs/ask'), 'their request');
    await rig.refused('remoteControl/enable', {});
    expect(await rig.account()).toMatchObject({ planType: 'team' });
    expect(heard.filter((text) => text.includes('"result"'))).toEqual([]);
    answerTheirs({ result: 'theirs' });
    await rig.call('account/read');
    expect(heard.filter((text) => text.includes('"result"'))).toEqual(['{"id":0,"result":"theirs"}']);
  });

  it('ACC-85: a request of the app server with the id of ours waits until ours is answered', async () => {
    let ours = 0;
    const { server, heard } = other(() => ours);
    const rig = await Rig.start({ appServer: server });
    const renewed = token({ plan: 'team' });
    rig.at.always('enroll', { status: 401 });
    await rig.externalIn(token(), 'org-1');
    rig.onAsk = (ask) => {
      if (ask.method === 'theirs/ask') return { result: 'theirs' };
      ours = Number(ask.id);
      rig.write({ method: 'poke' });
      return new Promise((resolve) =>
        setTimeout(
          () =>
            resolve({ result: { accessToken: renewed, chatgptAccountId: 'org-1', chatgptPlanType: 'team' } }),
          100,
        ),
      );
    };
    await rig.refused('remoteControl/enable', {});
    expect(await rig.account()).toMatchObject({ planType: 'team' });
    await rig.until(() => rig.log.find((one) => one.method === 'theirs/ask'), 'their request');
    await rig.call('account/read');
    expect(heard.filter((text) => text.includes('"result"'))).toEqual([`{"id":${ours},"result":"theirs"}`]);
  });
});

describe('places that secrets go to', () => {
  it('ACC-51, ACC-55, ACC-72: issuer, refresh and revoke address come from settings and environment, and revoke follows refresh', () => {
    expect(parseIssuer({}, {})).toMatchObject({
      ok: true,
      address: {
        issuer: 'https://auth.openai.com',
        refreshUrl: 'https://auth.openai.com/oauth/token',
        revokeUrl: 'https://auth.openai.com/oauth/revoke',
      },
    });
    const env = {
      CODEX_APP_SERVER_LOGIN_ISSUER: 'http://127.0.0.1:1/',
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'http://localhost:2/token?x=1',
      CODEX_APP_SERVER_LOGIN_CLIENT_ID: 'app_env',
    };
    expect(parseIssuer({}, env)).toMatchObject({
      address: {
        issuer: 'http://127.0.0.1:1',
        clientId: 'app_env',
        refreshUrl: 'http://localhost:2/token?x=1',
        revokeUrl: 'http://localhost:2/oauth/revoke',
      },
    });
    expect(parseIssuer({ issuer: 'https://id.example', clientId: 'mine' }, env)).toMatchObject({
      address: { issuer: 'https://id.example', clientId: 'mine' },
    });
  });

  it.each([
    'http://id.example',
    'ftp://127.0.0.1',
    'nope',
    'https://u:p@id.example',
    'http://127.0.0.1.evil.com',
  ])('an issuer like %s is refused before anything is sent', async (issuer) => {
    const parsed = parseIssuer({ issuer }, {});
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain('u:p');
  });

  it('a folder in the place of the account file cannot be written: nothing is lost, and it says so', async () => {
    const home = await tmpFolder();
    await mkdir(join(home, 'auth.json'));
    const rig = await Rig.start({ home });
    const { error } = await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(error).toMatchObject({ code: -32603, data: { reason: 'authFileNotWritable' } });
    expect(await rig.account()).toBeNull();
    expect(await rig.leaks()).toEqual([]);
  });

  it('no file but auth.json holds a secret after sign-in, refresh and sign-out', async () => {
    const rig = await Rig.start({ store: `sqlite:${join(await tmpFolder(), 'store.sqlite')}` });
    writeFileSync(rig.authPath, JSON.stringify(signIn(token())));
    rig.at.always('refresh', granted(token()));
    await rig.account(true);
    await rig.call('remoteControl/enable', {});
    const { readdirSync, readFileSync, statSync } = await import('node:fs');
    const holding = readdirSync(rig.home)
      .filter((name) => statSync(join(rig.home, name)).isFile())
      .filter((name) => readFileSync(join(rig.home, name)).includes(MARK));
    expect(holding).toEqual(['auth.json']);
    expect(await rig.leaks()).toEqual([]);
  });
});
