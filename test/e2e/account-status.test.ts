/** Each failure of the account, as `rc-engine status` shows it: the reason and the next step. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { REASONS, type Reason } from '../../src/protocol/reasons.js';
import { CliProcess, cli } from '../support/cli.js';
import { LoopbackIssuer, oauthError, type Scripted, signIn, token } from '../support/issuer.js';
import { tmpFolder } from '../support/tmp.js';

const REFUSED: Scripted = { status: 401 };

interface Case {
  readonly auth?: unknown;
  readonly args?: readonly string[];
  readonly refresh?: Scripted;
}

const CASES: Readonly<Partial<Record<Reason, Case>>> = {
  authMissing: {},
  authApiKeyOnly: { auth: { auth_mode: 'apikey', OPENAI_API_KEY: 'sk-1' } },
  authUnreadable: { auth: '{oops' },
  authNoAccountId: { auth: signIn(token({ account: null }), { account: null }) },
  authWrongWorkspace: { auth: signIn(token()), args: ['--forced-workspace', 'ws-9'] },
  authMethodForbidden: { auth: signIn(token()), args: ['--forced-login-method', 'api'] },
  refreshTokenExpired: { auth: signIn(token()), refresh: oauthError(400, 'refresh_token_expired') },
  refreshTokenReused: { auth: signIn(token()), refresh: oauthError(400, 'refresh_token_reused') },
  refreshTokenRevoked: { auth: signIn(token()), refresh: oauthError(400, 'refresh_token_invalidated') },
  refreshTokenRefused: { auth: signIn(token()), refresh: { status: 401 } },
  refreshTokenMissing: { auth: signIn(token(), { refresh: null }) },
  issuerUnreachable: { auth: signIn(token()), refresh: { fate: 'drop' } },
  issuerFailed: { auth: signIn(token()), refresh: { status: 500 } },
};

/** Starts an engine on a new home. Its backend refuses every account token. */
async function world({ auth, args = [], refresh = {} }: Case, listen = 'off') {
  const home = join(await tmpFolder(), 'home');
  mkdirSync(home, { mode: 0o700 });
  if (auth !== undefined) {
    writeFileSync(join(home, 'auth.json'), typeof auth === 'string' ? auth : JSON.stringify(auth));
  }
  const at = await LoopbackIssuer.start();
  at.always('enroll', REFUSED);
  at.always('refresh', refresh);
  const engine = new CliProcess(
    ['start', '--json', '--listen', listen, '--auth-startup', 'recoverable', '--home', home].concat(
      ['--issuer', at.origin, '--base-url', `${at.origin}/backend-api`],
      args,
    ),
  );
  return { home, at, engine };
}

/** The output of `rc-engine status`, once it names the reason. */
async function statusWith(reason: Reason, home: string): Promise<string> {
  const limit = performance.now() + 10_000;
  for (;;) {
    const { stdout } = await cli(['status', '--verbose', '--home', home]);
    if (stdout.includes(`${reason}: `)) return stdout;
    if (performance.now() > limit) throw new Error(`status does not name ${reason}:\n${stdout}`);
  }
}

function expectNextStep(reason: Reason, status: string): void {
  expect(status).toMatch(new RegExp(`^(reason|sign-in|last failure) +${reason}[:,] .+`, 'm'));
  expect(status.replace(/ --home \S+?(?=[;,.:]?\s)/g, '').replace(/\s+/g, ' ')).toContain(
    `next step ${REASONS[reason].todo}`,
  );
}

describe('rc-engine status', () => {
  it.each(Object.entries(CASES) as [Reason, Case][])(
    'RC-26, ACC-53: shows %s and the next step',
    async (reason, one) => {
      const { home, engine } = await world(one);
      await engine.line((line) => line.type === 'started', 'the start');
      expectNextStep(reason, await statusWith(reason, home));
      await engine.stop();
    },
    30_000,
  );

  it('ACC-45, ACC-47: shows parentRefused with the message of the parent app, and the next step', async () => {
    const { home, engine } = await world({}, 'stdio://');
    const say = (message: object): boolean => engine.child.stdin.write(`${JSON.stringify(message)}\n`);
    const clientInfo = { name: 'parent', version: '1' };
    say({ id: 1, method: 'initialize', params: { clientInfo, capabilities: { experimentalApi: true } } });
    const tokens = { type: 'chatgptAuthTokens', accessToken: token(), chatgptAccountId: 'org-1' };
    say({ id: 2, method: 'account/login/start', params: tokens });
    // The engine asks again after each pause, so each request is answered.
    createInterface({ input: engine.child.stdout }).on('line', (line) => {
      const { id, method } = JSON.parse(line);
      if (method !== 'account/chatgptAuthTokens/refresh') return;
      say({ id, error: { code: 7, message: 'signed out on Tuesday' } });
    });
    const status = await statusWith('parentRefused', home);
    expectNextStep('parentRefused', status);
    expect(status).toContain('signed out on Tuesday');
    await engine.stop();
  }, 30_000);
});
