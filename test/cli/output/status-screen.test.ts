import { describe, expect, it } from 'vitest';
import { columnsOf, layOut } from '../../../src/cli/output/layout.js';
import { statusSections } from '../../../src/cli/output/status-screen.js';
import { type Paint, text } from '../../../src/cli/output/terminal.js';
import { program } from '../../../src/cli/suggested.js';
import type { EngineStatus } from '../../../src/engine/status.js';
import type { Controller } from '../../../src/protocol/outcomes.js';

const plain: Paint = (_style, words) => text`${words}`;
const DAY = 86_400_000;
const NOW = 40 * DAY;

const link = {
  status: 'connected',
  state: 'active.connected',
  reason: 'connected',
  since: NOW - 3 * DAY,
  openedAt: NOW - 3 * DAY,
  nextAttemptAt: null,
  lastFailure: null,
  replacedIdentity: null,
  environmentId: 'env_1',
  serverName: 'workstation',
} as const;
const account = {
  mode: 'chatgpt',
  login: null,
  email: 'me@example.com',
  plan: 'plus',
  source: 'file',
  file: '/h/auth.json',
  problem: null,
} as const;
const health = {
  mode: 'shared',
  state: 'serving',
  ready: true,
  reason: 'appServerServing',
  detail: null,
  since: 0,
  failures: 0,
} as const;

interface Changes {
  readonly link?: object;
  readonly account?: object;
  readonly health?: object;
  readonly more?: object;
}

const statusOf = (changes: Changes = {}): EngineStatus =>
  ({
    ...{ version: '1.0.0', pid: 7, home: '/h', now: NOW, startedAt: NOW - 30 * DAY },
    remoteControl: { ...link, ...changes.link },
    account: { ...account, ...changes.account },
    ...{ appServer: 'codex app-server', appServerHealth: { ...health, ...changes.health } },
    ...{ connections: [], remoteClients: [], listener: null, policy: {} },
    ...changes.more,
  }) as unknown as EngineStatus;

function screen(changes: Changes = {}, devices?: readonly Controller[], width = 80): string[] {
  const lines = layOut(statusSections(statusOf(changes), plain, devices), width, plain).map(String);
  for (const line of lines) expect(columnsOf(line), line).toBeLessThanOrEqual(width);
  return lines;
}

/** The sentences without line breaks. */
/** As one line; a command that continues on the next line ends with a backslash. */
const words = (lines: readonly string[]): string =>
  lines.join(' ').replaceAll(' \\ ', ' ').replace(/\s+/g, ' ');

describe('RC-131: status in one screen', () => {
  it('says what works, by name, in less than a screen', () => {
    const phone = { clientId: 'c1', displayName: 'phone', deviceModel: 'Pixel', lastSeenAt: NOW / 1000 - 5 };
    const tablet = {
      clientId: 'c2',
      displayName: 'tablet',
      deviceModel: null,
      lastSeenAt: (NOW - 20 * DAY) / 1000,
    };
    const lines = screen(
      {
        more: {
          remoteClients: [{ clientId: 'c1', name: 'Codex' }],
          connections: [
            { client: 'wscat', outcome: 'established' },
            { client: 'wscat', outcome: 'degraded' },
          ],
          listener: { url: 'ws://127.0.0.1:4500/', enforced: true, certificate: null },
        },
      },
      [phone, tablet] as unknown as Controller[],
      200,
    );
    expect(lines).toEqual([
      'status         connected as env_1, for 3 days',
      'account        ChatGPT, me@example.com, plan plus (/h/auth.json)',
      'app server     codex app-server: ready, one for all clients',
      'devices        phone (Pixel): connected',
      '               tablet: last seen 20 days ago',
      '               To remove one that is lost:',
      `    ${program()} devices revoke NAME --home /h`,
      'local clients  2: wscat (2), 1 of them without a token, on ws://127.0.0.1:4500/',
      'engine         1.0.0 on workstation, pid 7, up 30 days, home /h',
    ]);
  });

  it('RC-131: a connected device without a name of its own is shown by the name that its client gives itself', () => {
    const device = { clientId: 'c1', displayName: null, deviceModel: null, lastSeenAt: null };
    const lines = screen(
      { more: { remoteClients: [{ clientId: 'c1', name: 'Codex' }] } },
      [device] as unknown as Controller[],
      200,
    );
    expect(lines).toContain('devices        Codex: connected');
  });

  it.each([
    ['authMissing', 'Nobody is signed in.', 'login'],
    ['refreshTokenExpired', 'The sign-in expired', 'login'],
    ['connectionConflict', 'Another process holds the connection', 'repair'],
    ['storeWriteFailed', 'The enrollment store cannot be written.', undefined],
    ['certificateTimeInvalid', 'not valid at the time that the clock of this machine shows', undefined],
  ] as const)('not connected because of %s: the cause and the cure', (reason, cause, cure) => {
    const lastFailure = { reason, message: 'the details', at: NOW - 60_000 };
    const lines = screen({
      link: {
        status: 'errored',
        state: 'active.backingOff.waiting',
        reason: 'retrying',
        lastFailure,
        openedAt: null,
      },
    });
    expect(lines[0]).toMatch(/^status +not connected: /);
    expect(words(lines)).toContain(cause);
    expect(words(lines)).toContain('60 s ago: the details');
    expect(words(lines)).toMatch(/next step \S+/);
    if (cure !== undefined) expect(words(lines)).toContain(`${program()} ${cure}`);
  });

  it('RC-69: with a dead app server, connected alone is never said', () => {
    const lines = screen({
      health: {
        ready: false,
        state: 'failing',
        reason: 'appServerExited',
        detail: 'It exited with code 3.',
        failures: 4,
      },
    });
    expect(words(lines)).toContain('connected as env_1, for 3 days, but the app server does not work');
    expect(words(lines)).toContain(
      'codex app-server: failing, for 40 days. It exited with code 3. 4 failures since the start.',
    );
    expect(words(lines)).toContain('Read the log of the app server');
  });

  it('warns of a full disk', () => {
    const lines = (freeBytes: number, readOnly = false) =>
      layOut(statusSections(statusOf(), plain, [], { freeBytes, noEntries: false, readOnly }), 80, plain).map(
        String,
      );
    expect(words(lines(0))).toContain('disk Warning: The disk of /h is full');
    expect(words(lines(4096))).toContain('has only 4 KiB left');
    expect(words(lines(1e9))).not.toContain('disk');
    expect(words(lines(1e9, true))).toContain('disk Warning: The file system of /h is read-only');
  });

  it('says what a long attempt waits for, and how to find out what does not answer', () => {
    const link = {
      status: 'connecting',
      state: 'active.enrolling.requesting',
      reason: 'enabled',
      openedAt: null,
    };
    const soon = words(screen({ link: { ...link, since: NOW - 1_000 } }));
    expect(soon).toContain('connecting, for 1 s next step None is needed: the engine tries again.');
    const late = words(screen({ link: { ...link, since: NOW - 11_000 } }));
    expect(late).toContain('for 11 s: it waits for the backend to answer the enrollment request.');
    expect(late).toContain('doctor --home /h');
  });

  it('names an identity that was replaced, a sign-in that is about to fail, and remote control that is off', () => {
    const replacedIdentity = { from: 'env_0', to: 'env_1', at: NOW - DAY };
    expect(words(screen({ link: { replacedIdentity } }))).toMatch(/env_1 replaced env_0, 24 h ago.*/);
    expect(words(screen({ link: { replacedIdentity } }))).toContain(`${program()} pair --home /h`);
    const problem = { reason: 'authFileNotWritable', message: 'disk full' };
    expect(words(screen({ account: { problem } }))).toContain('The account file cannot be written');
    const off = screen({ link: { status: 'disabled', state: 'idle', reason: 'disabled', openedAt: null } });
    expect(off[0]).toMatch(/^status +off, for 3 days: Remote control is switched off\.$/);
  });
});
