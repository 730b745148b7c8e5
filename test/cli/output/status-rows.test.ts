import { describe, expect, it } from 'vitest';
import { statusRows } from '../../../src/cli/output/status-rows.js';
import { type Paint, text } from '../../../src/cli/output/terminal.js';
import type { EngineStatus } from '../../../src/engine/status.js';
import { REASONS, type Reason } from '../../../src/protocol/reasons.js';

const plain: Paint = (_style, words) => text`${words}`;

/** The next step that a person reads while the link is in this state. */
function nextStep(reason: Reason, failed: Reason | null): string {
  const status = {
    now: 1_000,
    startedAt: 0,
    charts: {},
    counters: {},
    remoteClients: [],
    connections: [],
    listener: null,
    policy: {},
    account: null,
    appServer: 'builtin',
    appServerHealth: null,
    appServerAccount: null,
    remoteControl: {
      status: 'connecting',
      state: 'active.connecting',
      reason,
      detail: null,
      since: 0,
      nextAttemptAt: null,
      lastFailure: failed === null ? null : { reason: failed, message: 'it failed', at: 0 },
      replacedIdentity: null,
      tokenExpiresAt: null,
      lastPongAt: null,
      environmentId: null,
      serverName: 'host',
      installationId: 'id',
      baseUrl: '',
      route: null,
    },
  } as unknown as EngineStatus;
  const row = statusRows(status, plain).find(([name]) => name === 'next step');
  return String(row?.[1] ?? '');
}

describe('the next step of status', () => {
  it('RC-42a: what the last failure needs from a person stays while the next attempt is under way', () => {
    expect(nextStep('retrying', 'tlsFailed')).toBe(REASONS.tlsFailed.todo);
    expect(nextStep('retrying', 'certificateTimeInvalid')).toContain('Check the clock');
  });

  it('is the one of the present reason when that needs a person, or when the failure needs none', () => {
    expect(nextStep('authMissing', 'tlsFailed')).toBe(REASONS.authMissing.todo);
    expect(nextStep('retrying', 'backendUnavailable')).toBe(REASONS.retrying.todo);
    expect(nextStep('retrying', null)).toBe(REASONS.retrying.todo);
  });
});
