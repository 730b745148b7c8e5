import type { EngineStatus } from '../../engine/status.js';
import { duration } from './output.js';

const MAX_SHOWN = 10;

/** The local part of `rc-engine status`: what is asked for, who is in and why, who was turned away. */
export function localRows({ listener, connections, now }: EngineStatus): [string, string][] {
  const rows: [string, string][] = [];
  if (listener !== null) {
    const { url, authMode, enforced } = listener;
    const how = enforced ? 'enforced' : 'NOT enforced: connections may be degraded';
    rows.push(['listener', `${url}, ${authMode}, ${how}`]);
  }
  const most = listener === null ? '' : ` of at most ${listener.maxConnections}`;
  if (listener !== null || connections.length > 0) {
    rows.push(['local clients', `${connections.length}${most}`]);
  }
  for (const one of connections.slice(0, MAX_SHOWN)) {
    const facts = [
      `${one.outcome} (${one.mode}: ${one.reason})`,
      one.held ? `${one.state}, held back by its app server` : one.state,
      `for ${duration(now - one.since)}`,
      `${one.bytesIn} bytes in, ${one.bytesOut} out`,
      `from ${one.peer}`,
      ...(one.client === null ? [] : [one.client]),
    ];
    rows.push([`  ${one.id}`, facts.join(', ')]);
  }
  if (connections.length > MAX_SHOWN) rows.push(['', `and ${connections.length - MAX_SHOWN} more`]);
  if (listener === null) return rows;
  const { decisions, lastRejections } = listener;
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
