import { describe, expect, it } from 'vitest';
import { AuditRing } from '../../src/observe/audit.js';
import { auditDecisions, onDecision } from '../../src/observe/decisions.js';
import type { Decision } from '../../src/protocol/decision.js';

const fill = (ring: AuditRing, count: number) => {
  for (let n = 0; n < count; n += 1) {
    ring.addDecision('remoteControl', `state ${n}`, { reason: 'retrying', detail: null, at: n });
  }
};
const decisions = (ring: AuditRing, limit?: number) => ring.read(limit).map(({ decision }) => decision);

describe('AuditRing', () => {
  it('keeps the newest records, oldest first, up to its capacity', () => {
    const ring = new AuditRing(3);
    expect(ring.read()).toEqual([]);
    fill(ring, 2);
    expect(decisions(ring)).toEqual(['state 0', 'state 1']);
    fill(ring, 8);
    expect(decisions(ring)).toEqual(['state 5', 'state 6', 'state 7']);
    expect(decisions(ring, 2)).toEqual(['state 6', 'state 7']);
    expect(decisions(ring, 99)).toHaveLength(3);
  });

  it('a record has time, subject, decision and reason', () => {
    const ring = new AuditRing();
    ring.addDecision('client c/s', 'closed', { reason: 'clientIdle', detail: 'ten minutes', at: 0 });
    expect(ring.read()).toEqual([
      {
        time: '1970-01-01T00:00:00.000Z',
        subject: 'client c/s',
        decision: 'closed',
        reason: 'clientIdle',
        detail: 'ten minutes',
      },
    ]);
  });

  it('passes each record to its listeners until they unsubscribe', () => {
    const ring = new AuditRing();
    const heard: string[] = [];
    const stop = ring.onRecord(({ decision }) => heard.push(decision));
    fill(ring, 2);
    stop();
    fill(ring, 2);
    expect(heard).toEqual(['state 0', 'state 1']);
  });
});

describe('decision observers', () => {
  const first: Decision = { reason: 'starting', detail: null, at: 0 };
  const second: Decision = { reason: 'connected', detail: 'a new link', at: 1 };
  const at = (value: unknown, decision: Decision) => ({ value, context: { decision } });

  it('audits each decision once, with the path of the state', () => {
    const ring = new AuditRing();
    const next = auditDecisions(ring, 'remoteControl');
    next(at('idle', first));
    next(at('busy', first));
    next(at({ active: { connected: 'up' } }, second));
    expect(ring.read().map(({ subject, decision, reason }) => [subject, decision, reason])).toEqual([
      ['remoteControl', 'idle', 'starting'],
      ['remoteControl', 'active.connected.up', 'connected'],
    ]);
  });

  it('does not report the decision that is known already', () => {
    const reported: Decision[] = [];
    const next = onDecision((_, decision) => reported.push(decision), first);
    next(at('idle', first));
    next(at('busy', second));
    next(at('idle', first));
    expect(reported).toEqual([second, first]);
  });
});
