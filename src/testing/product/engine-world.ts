/** The world outside the engine, as the search sees it. */
import type { SnapshotFrom } from 'xstate';
import type { accountMachine } from '../../../machines/account/machine.js';
import type { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import type { Enrollment } from '../../protocol/outcomes.js';
import type { Leg, Node, OutsideAct } from './search.js';

export type RemoteControlSnapshot = SnapshotFrom<typeof remoteControlMachine>;
export type AccountSnapshot = SnapshotFrom<typeof accountMachine>;

/** The world outside the engine. */
export interface EngineWorld {
  /** What the store holds, by account. */
  readonly store: Readonly<Record<string, Enrollment>>;
  /** Identities that were granted so far. */
  readonly granted: number;
  /** Token generations of accounts so far. */
  readonly generations: number;
  /** Server ids of which the backend said that it does not know them. */
  readonly gone: readonly string[];
  /** What the person wants last. */
  readonly wanted: 'on' | 'off';
  /** Spontaneous events that may still happen. */
  readonly eventsLeft: number;
}

export type EngineNode = Node<EngineWorld>;
export type EngineLeg = Leg<EngineWorld>;
export type EngineAct = OutsideAct<EngineWorld>;

export const remoteControlOf = ({ situation }: EngineNode): RemoteControlSnapshot | undefined =>
  situation.positions.get('remoteControl')?.snapshot as RemoteControlSnapshot | undefined;
