import { describe, expect, it } from 'vitest';
import { AuditRing } from '../../src/observe/audit.js';

const fill = (ring: AuditRing, count: number) => {
  for (let n = 0; n < count; n += 1) {
    ring.addDecision('remoteControl', `state ${n}`, { reason: 'retrying', detail: null, at: n });
  }
};
const decisions = (ring: AuditRing, limit?: number) => ring.read(limit).map(({ decision }) => decision);

describe('AuditRing', () => {
  it('keeps the newest records, oldest first, within its bound', () => {
    const ring = new AuditRing(3);
    expect(ring.read()).toEqual([]);
    fill(ring, 2);
    expect(decisions(ring)).toEqual(['state 0', 'state 1']);
    fill(ring, 8);
    expect(decisions(ring)).toEqual(['state 5', 'state 6', 'state 7']);
    expect(decisions(ring, 2)).toEqual(['state 6', 'state 7']);
    expect(decisions(ring, 99)).toHaveLength(3);
  });

  it('a record says when, who, what and why', () => {
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

  it('tells each record to those who listen, until they stop', () => {
    const ring = new AuditRing();
    const heard: string[] = [];
    const stop = ring.onRecord(({ decision }) => heard.push(decision));
    fill(ring, 2);
    stop();
    fill(ring, 2);
    expect(heard).toEqual(['state 0', 'state 1']);
  });
});
