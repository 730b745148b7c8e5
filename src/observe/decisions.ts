import { type Decision, statePath } from '../protocol/decision.js';
import { REASONS } from '../protocol/reasons.js';
import type { AuditRing } from './audit.js';

/** The snapshot of a chart that records why it is in its state. */
interface DecidedSnapshot {
  readonly value: unknown;
  readonly context: { readonly decision: Decision };
}

/**
 * A `next` observer for an actor that calls `report` once per decision, however many snapshots share it.
 * @param last a decision that is known already and not reported, for example that of the initial snapshot.
 */
export function onDecision<S extends DecidedSnapshot>(
  report: (snapshot: S, decision: Decision) => void,
  last?: Decision,
): (snapshot: S) => void {
  let known = last;
  return (snapshot) => {
    const { decision } = snapshot.context;
    if (decision === known) return;
    known = decision;
    report(snapshot, decision);
  };
}

/** A decision in words: its detail, else the meaning of its reason. */
export const decisionText = ({ detail, reason }: Decision): string => detail ?? REASONS[reason].means;

/** A `next` observer for an actor that adds each new decision to the audit, with the path of the state. */
export function auditDecisions(audit: AuditRing, subject: string): (snapshot: DecidedSnapshot) => void {
  return onDecision((snapshot: DecidedSnapshot, decision) =>
    audit.addDecision(subject, statePath(snapshot.value), decision),
  );
}
