import { describe, expect, it } from 'vitest';
import { BuiltinAppServer } from '../../src/app-server/builtin.js';
import type { AppServer } from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import { token } from '../support/issuer.js';
import { Rig } from './rig.js';

describe('account methods with another app server', () => {
  /** Sends a request with the id `id` when it receives the method `poke`, and records what it receives. */
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
                  Message.from(JSON.stringify({ id: id(), method: 'theirs/ask', params: {} })),
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

  it('ACC-84: the engine answers account methods itself, and passes responses on to the app server', async () => {
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

  it('ACC-85: an open request of the app server gets its own response although the engine sends a request meanwhile', async () => {
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

  it('ACC-85: a request of the app server with the id of an engine request waits for the response to that', async () => {
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
