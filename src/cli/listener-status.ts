import type { EngineStatus } from '../engine/engine-status.js';
import { duration } from './output.js';

const MAX_SHOWN = 10;

/** The listener's part of `rc-engine status`: what it asks for, who is in and why, who was turned away. */
export function listenerRows({ listener, now }: EngineStatus): [string, string][] {
  if (listener === null) return [];
  const { url, authMode, enforced, connections, maxConnections, decisions, lastRejections } = listener;
  const rows: [string, string][] = [
    [
      'listener',
      `${url}, ${authMode}, ${enforced ? 'enforced' : 'NOT enforced: connections may be degraded'}`,
    ],
    ['local clients', `${connections.length} of at most ${maxConnections}`],
  ];
  for (const one of connections.slice(0, MAX_SHOWN)) {
    const facts = [
      `${one.outcome} (${one.mode}: ${one.reason})`,
      one.state,
      `for ${duration(now - one.since)}`,
      `${one.bytesIn} bytes in, ${one.bytesOut} out`,
      `from ${one.peer}`,
      ...(one.client === null ? [] : [one.client]),
    ];
    rows.push([`  ${one.id}`, facts.join(', ')]);
  }
  if (connections.length > MAX_SHOWN) rows.push(['', `and ${connections.length - MAX_SHOWN} more`]);
  const rejected = decisions.filter(({ outcome }) => outcome === 'rejected');
  if (rejected.length > 0) {
    rows.push(['rejected', rejected.map(({ reason, count }) => `${reason} ${count}`).join(', ')]);
  }
  const last = lastRejections.at(-1);
  if (last !== undefined) {
    const detail = last.detail === null ? '' : `: ${last.detail}`;
    rows.push([
      'last rejection',
      `${last.reason}, ${duration(now - Date.parse(last.time))} ago, from ${last.peer}${detail}`,
    ]);
  }
  return rows;
}
