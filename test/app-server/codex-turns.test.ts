/** Turns of the real Codex CLI behind the engine, against a scripted model server. CODEX_BIN names its executable. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { claim, controllerUrl } from '../../src/controller/claim.js';
import { Secret } from '../../src/protocol/secret.js';
import { Client, until } from '../listener/rig.js';
import {
  appServerPids,
  CODEX_BIN,
  codex,
  codexEnvironment,
  codexHome,
  codexSkipped,
  hasTmux,
  modelServer,
  startedWithCodex as started,
} from '../support/codex.js';
import { granted, LoopbackIssuer, signIn, token } from '../support/issuer.js';
import { it, type Json, type Lab } from '../support/lab.js';

const LIMIT = 20_000;

const OFFLINE = ['--no-remote-control'];

/** Opens connections of the same client, one after the other. */
type Open = () => Promise<Client>;

async function initialized(client: Client): Promise<Client> {
  expect(await client.initialize()).toHaveProperty('result');
  return client;
}

async function localClient(lab: Lab): Promise<Open> {
  const { connectUrl } = await started(lab, OFFLINE);
  return async () => initialized(await Client.open(connectUrl));
}

/** A paired controller of the backend. */
async function controller(lab: Lab): Promise<Open> {
  const { url: baseUrl } = await lab.backend();
  const { manualPairingCode } = await lab.ask('remoteControl/pairing/start', { manualCode: true });
  const { token } = await claim({ baseUrl }, { kind: 'manual', code: new Secret(String(manualPairingCode)) });
  const url = controllerUrl(baseUrl, 'client');
  url.protocol = 'ws:';
  return async () => initialized(await Client.open(url.href, { authorization: `Bearer ${token.reveal()}` }));
}

async function remoteClient(lab: Lab): Promise<Open> {
  await lab.signIn();
  const { run } = await started(lab);
  await run.connected();
  return controller(lab);
}

async function result(client: Client, method: string, params: object): Promise<Json> {
  const response = await client.request(method, params, LIMIT);
  expect(response).not.toHaveProperty('error');
  return response.result as Json;
}

async function startThread(client: Client, lab: Lab): Promise<string> {
  const { thread } = await result(client, 'thread/start', { cwd: lab.folder });
  return String((thread as Json).id);
}

const startTurn = (client: Client, threadId: string, text: string): Promise<Json> =>
  result(client, 'turn/start', { threadId, input: [{ type: 'text', text }] });

interface Thread {
  readonly status: { readonly type: string };
  readonly turns: readonly { readonly status: string; readonly items: readonly Json[] }[];
}

const resume = async (client: Client, threadId: string): Promise<Thread> =>
  (await result(client, 'thread/resume', { threadId })).thread as Thread;

const answersOf = ({ turns }: Thread): unknown[] =>
  turns.flatMap(({ items }) => items.filter(({ type }) => type === 'agentMessage').map(({ text }) => text));

function turnEnd(client: Client, n = 1): Promise<Json> {
  return client.until(
    () => client.messages.filter(({ method }) => method === 'turn/completed')[n - 1],
    `end of turn ${n}`,
    LIMIT,
  );
}

/** Texts of the items that a client saw complete. */
function itemsOf(client: Client, type: string): unknown[] {
  return client.messages
    .filter(({ method }) => method === 'item/completed')
    .map(({ params }) => (params as { item: Json }).item)
    .filter((item) => item.type === type)
    .map(({ text, content }) => text ?? (content as Json[])[0]?.text);
}

describe.skipIf(codexSkipped !== '')(
  `Codex CLI behind the engine${codexSkipped}`,
  { timeout: 90_000 },
  () => {
    describe.each([
      ['local', localClient],
      ['remote', remoteClient],
    ])('a %s client that drops in the middle of a turn', (_, opener) => {
      it('RC-60: finds the answer when it returns; the model server saw one request', async ({ lab }) => {
        const model = await modelServer(lab);
        const open = await opener(lab);
        const first = await open();
        const threadId = await startThread(first, lab);
        await startTurn(first, threadId, 'What is six times seven?');
        const request = await model.asked();
        first.ws.terminate();
        await first.closed;
        request.answer('It is 42.');
        const second = await open();
        await until(async () => (await resume(second, threadId)).status.type === 'idle', 'the end', LIMIT);
        expect(answersOf(await resume(second, threadId))).toEqual(['It is 42.']);
        expect(model.requests).toMatchObject([{ prompt: 'What is six times seven?', aborted: false }]);
      });

      it('RC-60: joins the turn again while it is under way', async ({ lab }) => {
        const model = await modelServer(lab);
        const open = await opener(lab);
        const first = await open();
        const threadId = await startThread(first, lab);
        await startTurn(first, threadId, 'Take your time.');
        const request = await model.asked();
        first.ws.terminate();
        await first.closed;
        const second = await open();
        expect(await resume(second, threadId)).toMatchObject({
          status: { type: 'active' },
          turns: [{ status: 'inProgress' }],
        });
        request.answer('Here it is.');
        expect(await turnEnd(second)).toMatchObject({ params: { threadId, turn: { status: 'completed' } } });
        expect(itemsOf(second, 'agentMessage')).toEqual(['Here it is.']);
        expect(model.requests).toHaveLength(1);
      });
    });

    it('RC-36, RC-60: a controller whose machine loses the link gets the rest of its turn', async ({
      lab,
    }) => {
      const model = await modelServer(lab);
      const client = await (await remoteClient(lab))();
      const threadId = await startThread(client, lab);
      await startTurn(client, threadId, 'Wait for me.');
      const request = await model.asked();
      (await lab.backend()).fault({ action: 'dropSockets', side: 'server' });
      request.answer('Still here.');
      await turnEnd(client);
      expect(itemsOf(client, 'agentMessage')).toEqual(['Still here.']);
      expect(model.requests).toHaveLength(1);
    });

    it('RC-60: a local client and a controller use one thread at the same time', async ({ lab }) => {
      const model = await modelServer(lab);
      model.always((prompt) => `answer to ${prompt}`);
      await lab.signIn();
      const { run, connectUrl } = await started(lab);
      await run.connected();
      const near = await initialized(await Client.open(connectUrl));
      const far = await (await controller(lab))();
      const threadId = await startThread(near, lab);
      // Codex CLI resumes a thread only after its first turn.
      await startTurn(near, threadId, 'one');
      await turnEnd(near);
      expect(answersOf(await resume(far, threadId))).toEqual(['answer to one']);
      await startTurn(far, threadId, 'two');
      await Promise.all([turnEnd(near, 2), turnEnd(far)]);
      await startTurn(near, threadId, 'three');
      await Promise.all([turnEnd(near, 3), turnEnd(far, 2)]);
      expect(itemsOf(near, 'userMessage')).toEqual(['one', 'two', 'three']);
      expect(itemsOf(near, 'agentMessage')).toEqual(['answer to one', 'answer to two', 'answer to three']);
      expect(itemsOf(far, 'userMessage')).toEqual(['two', 'three']);
      expect(itemsOf(far, 'agentMessage')).toEqual(['answer to two', 'answer to three']);
      expect([...near.texts, ...far.texts].join('\n')).not.toContain('active writer');
    });

    it('RC-60: a request for an approval reaches both, and a client that returns; one response is enough', async ({
      lab,
    }) => {
      const model = await modelServer(lab);
      const { connectUrl } = await started(lab, OFFLINE);
      const open = async () => initialized(await Client.open(connectUrl));
      const [first, other] = [await open(), await open()];
      const { thread } = await result(first, 'thread/start', {
        cwd: lab.folder,
        approvalPolicy: 'untrusted',
      });
      const threadId = String((thread as Json).id);
      await startTurn(first, threadId, 'Touch a file.');
      const asked = (client: Client) =>
        client.until(
          () => client.messages.find(({ method }) => method === 'item/commandExecution/requestApproval'),
          'request for an approval',
          LIMIT,
        );
      (await model.asked()).call('exec_command', { cmd: 'touch approved' });
      await asked(first);
      first.ws.terminate();
      await resume(other, threadId);
      const { id } = await asked(other);
      const back = await open();
      await resume(back, threadId);
      await asked(back);
      other.send({ id, result: { decision: 'decline' } });
      (await model.asked(2)).answer('It was declined.');
      await Promise.all([turnEnd(other), turnEnd(back)]);
      expect(itemsOf(back, 'agentMessage')).toEqual(['It was declined.']);
      expect(back.messages.map(({ method }) => method)).toContain('serverRequest/resolved');
    });

    it('RC-63, RC-80: its death in a turn ends requests with -32002, and the next initialize works', async ({
      lab,
    }) => {
      const model = await modelServer(lab);
      await lab.signIn();
      const { run, connectUrl } = await started(lab);
      await run.connected();
      const near = await initialized(await Client.open(connectUrl));
      const open = await controller(lab);
      const far = await open();
      const threadId = await startThread(far, lab);
      await startTurn(far, threadId, 'Never answered.');
      await model.asked();
      // Stopped, it cannot answer before it dies.
      const pids = appServerPids(lab);
      expect(pids).not.toEqual([]);
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      const open1 = near.request('thread/list', {}, LIMIT);
      const open2 = far.request('thread/list', {}, LIMIT);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      const error = { code: -32002, data: { reason: 'appServerExited' } };
      expect(await open1).toMatchObject({ error });
      expect(await open2).toMatchObject({ error });
      expect(await near.closed).toBeDefined();
      // The stream of a controller stays open at the backend.
      expect(await far.request('thread/list', {}, LIMIT)).toMatchObject({ error });
      await initialized(far);
      expect(await resume(far, threadId)).toMatchObject({ turns: [{ status: 'interrupted' }] });
      model.always(() => 'Answered.');
      await startTurn(far, threadId, 'Once more.');
      await turnEnd(far);
      expect(itemsOf(far, 'agentMessage')).toEqual(['Answered.']);
      const again = await initialized(await Client.open(connectUrl));
      expect(answersOf(await resume(again, threadId))).toEqual(['Answered.']);
      expect(run.stderr).toContain('appServerExited');
    });

    describe('one account', () => {
      async function signedIn(lab: Lab) {
        const model = await modelServer(lab, { chatgpt: true });
        const at = await LoopbackIssuer.start();
        const access = token();
        await lab.writeAuth(signIn(access));
        const running = await started(lab, [...OFFLINE, '--issuer', at.origin]);
        const client = await initialized(await Client.open(running.connectUrl));
        return { model, at, access, client, ...running };
      }

      it('ACC-102: after a sign-out no request with the old bearer reaches the model server', async ({
        lab,
      }) => {
        const { model, access, client, connectUrl } = await signedIn(lab);
        const threadId = await startThread(client, lab);
        await startTurn(client, threadId, 'Work on it.');
        const request = await model.asked();
        expect(request.bearer).toBe(access);
        await result(client, 'account/logout', {});
        await until(() => request.aborted, 'the end of the request', LIMIT);
        await client.closed;
        const before = model.bearers.length;
        model.always(() => 'Unauthenticated.');
        const next = await initialized(await Client.open(connectUrl));
        expect(await resume(next, threadId)).toMatchObject({ turns: [{ status: 'interrupted' }] });
        await startTurn(next, threadId, 'Go on.');
        await turnEnd(next);
        expect(model.requests.at(-1)).toMatchObject({ prompt: 'Go on.', bearer: undefined });
        expect(model.bearers.slice(before)).not.toContain(access);
        expect(existsSync(join(codexHome(lab), 'auth.json'))).toBe(false);
      });

      it('ACC-102: an API key is used by the app server until the sign-out, and not stored there after it', async ({
        lab,
      }) => {
        const { model, connectUrl } = await signedIn(lab);
        model.always(() => 'done');
        const apiKey = 'sk-of-this-test';
        const before = await initialized(await Client.open(connectUrl));
        await result(before, 'account/login/start', { type: 'apiKey', apiKey });
        const client = await initialized(await Client.open(connectUrl));
        await startTurn(client, await startThread(client, lab), 'one');
        await turnEnd(client);
        expect(model.requests.at(-1)).toMatchObject({ bearer: apiKey });
        await result(client, 'account/logout', {});
        const next = await initialized(await Client.open(connectUrl));
        await startTurn(next, await startThread(next, lab), 'two');
        await turnEnd(next);
        expect(model.requests.at(-1)).toMatchObject({ prompt: 'two', bearer: undefined });
        expect(existsSync(join(codexHome(lab), 'auth.json'))).toBe(false);
      });

      it('ACC-103: another sign-in reaches the app server, too', async ({ lab }) => {
        const { model, access, client, connectUrl } = await signedIn(lab);
        model.always(() => 'done');
        await startTurn(client, await startThread(client, lab), 'one');
        await turnEnd(client);
        const other = token({ account: 'acct-2', user: 'user-2', email: 'other@example.com' });
        await result(client, 'account/login/start', {
          type: 'chatgptAuthTokens',
          accessToken: other,
          chatgptAccountId: 'acct-2',
          chatgptPlanType: 'pro',
        });
        const next = await initialized(await Client.open(connectUrl));
        await startTurn(next, await startThread(next, lab), 'two');
        await turnEnd(next);
        expect(model.requests.map(({ bearer }) => bearer)).toEqual([access, other]);
      });

      it('ACC-104: a model server that refuses the bearer gets the one that the engine renewed', async ({
        lab,
      }) => {
        const { model, at, access, client } = await signedIn(lab);
        model.always(() => 'done');
        model.refuse(access);
        const renewed = token({ plan: 'plus' });
        at.always('refresh', () => granted(renewed));
        await startTurn(client, await startThread(client, lab), 'one');
        expect(await turnEnd(client)).toMatchObject({ params: { turn: { status: 'completed' } } });
        expect(model.requests.map(({ bearer }) => bearer)).toEqual([renewed]);
        expect(at.of('refresh')).toHaveLength(1);
      });
    });

    describe('its own programs', () => {
      it('WSA-57: codex exec over ws:// with a capability token', async ({ lab }) => {
        const model = await modelServer(lab);
        model.always(() => 'Hello from afar.');
        const file = join(lab.folder, 'capability');
        await writeFile(file, 'capability-of-this-test\n', { mode: 0o600 });
        const auth = ['--ws-auth', 'capability-token', '--ws-token-file', file];
        const { url } = await started(lab, [...OFFLINE, ...auth]);
        const remote = ['exec', '--skip-git-repo-check', '--remote', url.replace(/\/$/, '')];
        const authority = ['--remote-auth-token-env', 'RC_TOKEN'];
        const ran = await codex(lab, [...remote, ...authority, 'Say hello.'], {
          RC_TOKEN: 'capability-of-this-test',
        });
        expect(ran).toMatchObject({ code: 0, output: expect.stringContaining('Hello from afar.') });
        expect(model.requests).toMatchObject([{ prompt: 'Say hello.', bearer: 'key-of-the-model-server' }]);
        const refused = await codex(lab, [...remote, ...authority, 'Say hello.'], { RC_TOKEN: 'wrong' });
        expect(refused.code).not.toBe(0);
        expect(model.requests).toHaveLength(1);
      });

      it('WSA-56: codex exec over unix://PATH, and over the control socket', async ({ lab }) => {
        const model = await modelServer(lab);
        model.always((prompt) => `Heard: ${prompt}`);
        const socket = join(lab.folder, 'private', 'app.sock');
        await mkdir(join(lab.folder, 'private'), { mode: 0o700 });
        const { run } = await started(lab, [...OFFLINE, '--listen', `unix://${socket}`]);
        const exec = (remote: string, text: string) =>
          codex(lab, ['exec', '--skip-git-repo-check', '--remote', remote, text]);
        expect(await exec(`unix://${socket}`, 'first')).toMatchObject({
          code: 0,
          output: expect.stringContaining('Heard: first'),
        });
        await run.stop();
        await started(lab, [...OFFLINE, '--listen', 'codex']);
        expect(await exec('unix://', 'second')).toMatchObject({
          code: 0,
          output: expect.stringContaining('Heard: second'),
        });
        expect(model.requests).toHaveLength(2);
      });

      it.skipIf(!hasTmux).for(['unix', 'ws'])(
        `ACC-15, WSA-56: nobody is signed in, and the TUI shows the answer of a turn, over %s${hasTmux ? '' : ' (skipped: tmux is not installed)'}`,
        async (kind, { lab }) => {
          const model = await modelServer(lab);
          model.always((prompt) => `Heard: ${prompt}`);
          const digest = createHash('sha256').update('capability-of-this-test').digest('hex');
          const { url } = await started(lab, [
            ...OFFLINE,
            ...(kind === 'unix'
              ? ['--listen', `unix://${join(lab.home, 'tui.sock')}`]
              : ['--ws-auth', 'capability-token', '--ws-token-sha256', digest]),
          ]);
          const tmux = (...args: string[]) =>
            execFileSync('tmux', ['-S', join(lab.folder, 'tmux'), ...args], {
              env: { PATH: process.env.PATH, TERM: 'xterm', ...codexEnvironment(lab) },
            }).toString();
          const screen = () => tmux('capture-pane', '-p');
          const authority = kind === 'unix' ? '' : '--remote-auth-token-env RC_TOKEN';
          const command = `'${CODEX_BIN}' --remote ${url.replace(/\/$/, '')} ${authority} 'Say hello.'`;
          const size = ['-x', '120', '-y', '40'];
          tmux('new-session', '-d', ...size, `RC_TOKEN=capability-of-this-test ${command}; sleep 60`);
          try {
            await until(() => screen().includes('Heard: Say hello.'), 'the answer', 40_000);
          } catch (error) {
            throw new Error(screen(), { cause: error });
          } finally {
            tmux('kill-server');
          }
          expect(model.requests).toHaveLength(1);
        },
      );
    });
  },
);
