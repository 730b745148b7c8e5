/** Which situations of the engine count as one. What is left out here, the search does not distinguish. */
import { readByGuards } from '../charts/remote-control.js';
import type { EngineNode, RemoteControlSnapshot } from './engine-world.js';
import { orderOfDelays } from './order-of-delays.js';

/** Parts of a context that no guard reads, or that grow without end: clocks, words for people, limits, secrets. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  ...['env', 'timing', 'decision', 'at', 'message', 'detail', 'failure', 'lastFailure', 'refusal', 'cause'],
  ...['expiresAt', 'tokenExpiresAt', 'pairingCode', 'ticket', 'workspaceFailure', 'policy'],
]);

/** Server ids and generations of tokens are names: only which of them are the same counts. */
const NAMES = /(?<=\b[SE])\d+|\b1\d{3}\b/g;

export function engineKey(node: EngineNode): string {
  const { situation, world } = node;
  const charts = [...situation.positions].map(([name, { snapshot }]) => [
    name,
    snapshot.status,
    snapshot.value,
    name === 'remoteControl'
      ? readByGuards(snapshot as RemoteControlSnapshot)
      : JSON.stringify(snapshot.context, leaveOut),
  ]);
  const remote = situation.positions.get('remoteControl')?.snapshot as RemoteControlSnapshot | undefined;
  const enrollment = remote?.context.enrollment;
  const notes = [...situation.notes].filter(([name]) => !name.startsWith('follows ')).sort();
  const { store, gone, wanted, eventsLeft } = world;
  const identity = typeof enrollment === 'object' ? enrollment.serverId : enrollment;
  const token = remote?.context.token?.secret.reveal() ?? null;
  const text = JSON.stringify([
    ...[charts, identity, token, remote?.context.persistedServerId, orderOfDelays(situation), notes],
    ...[Object.entries(store).map(([id, { serverId }]) => [id, serverId]), wanted, eventsLeft],
    // An identity that nobody knows any more does not matter.
    gone.filter((id) => id === identity || Object.values(store).some(({ serverId }) => serverId === id)),
  ]);
  const names = new Map<string, string>();
  return text.replaceAll(NAMES, (name) => {
    const known = names.get(name) ?? `#${names.size}`;
    names.set(name, known);
    return known;
  });
}

function leaveOut(key: string, value: unknown): unknown {
  return LEFT_OUT.has(key) ? undefined : value;
}
