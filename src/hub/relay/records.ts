/** What the nodes of a hub send each other about the streams of an environment. Hot path: checked by hand, without a schema library. */

interface OfRoute {
  /** Of the owner, as the sender knows it. */
  readonly epoch: number;
  /** One attachment of a stream to an edge and an owner: `NODE.NUMBER`. A new one has a new id, and counts its frames from 1. */
  readonly route: string;
}

/** One frame on its way between owner and edge. */
export interface HopFrame {
  readonly seqId: number;
  /** Of a chunk; 0 for a whole message. */
  readonly segmentId: number;
  /** The end of a message: a whole message, or its last chunk. */
  readonly last: boolean;
  /** `auto`: nothing for the controller, confirmed with what is before it. `close`: the controller has closed the stream. */
  readonly use: 'message' | 'auto' | 'close';
  readonly body: string;
}

/** Edge to owner: this edge has the stream. */
interface OpenRecord extends OfRoute {
  readonly kind: 'open';
  readonly node: string;
  readonly clientId: string;
  readonly streamId: string;
  /** A stream of a session may be continued on another edge; a socket with a higher number is newer. Undefined: no session. */
  readonly session: number | undefined;
  /** The controller knows that the engine has opened the stream. */
  readonly started: boolean;
}
/** Edge to owner: the controller is not connected to this edge any more. */
interface DetachRecord extends OfRoute {
  readonly kind: 'detach';
}
/** Owner to edge: the response to `open`. `known`: the engine has received the message that opened the stream. */
interface OpenedRecord extends OfRoute {
  readonly kind: 'opened';
  readonly state: 'known' | 'new';
}
/** Codes of `ended` besides close codes. */
export const ENDED = {
  /** Another edge has the stream. */
  moved: 0,
  /** The owner does not know the route. */
  notOpen: 1,
} as const;

/** Owner to edge: the stream has ended, with a close code, or the route has, with one of `ENDED`. */
interface EndedRecord extends OfRoute {
  readonly kind: 'ended';
  readonly code: number;
  readonly reason: string;
}
/** Both directions. */
interface FrameRecord extends OfRoute {
  readonly kind: 'up' | 'down';
  readonly n: number;
  readonly frame: HopFrame;
}
/** Both directions: how far the receiver is, and what the sender has to do. */
interface StatusRecord extends OfRoute {
  readonly kind: 'upStatus' | 'downStatus';
  readonly received: number;
  readonly confirmed: number;
  readonly next: HopNext;
}
/** `again`: send what was not received. `pause`: send nothing until `again`. */
export type HopNext = 'go' | 'again' | 'pause';
/** Both directions: the sender waits; the receiver sends its status. */
interface ProbeRecord extends OfRoute {
  readonly kind: 'upProbe' | 'downProbe';
  readonly sent: number;
}
/** Owner to everybody with the environment: its engine is connected, or was. */
export interface OwnerReport {
  readonly kind: 'owner';
  readonly epoch: number;
  readonly node: string;
  readonly connected: boolean;
}

/** To the owner. */
export type UpRecord =
  | OpenRecord
  | DetachRecord
  | (FrameRecord & { readonly kind: 'up' })
  | (ProbeRecord & { readonly kind: 'upProbe' })
  | (StatusRecord & { readonly kind: 'downStatus' });
/** To an edge. */
export type DownRecord =
  | OpenedRecord
  | EndedRecord
  | (FrameRecord & { readonly kind: 'down' })
  | (ProbeRecord & { readonly kind: 'downProbe' })
  | (StatusRecord & { readonly kind: 'upStatus' });
export type HubRecord = UpRecord | DownRecord | OwnerReport;

type Field = string | number | boolean;

/** One line of JSON, then the frame as it is, so that a frame is not quoted once more. */
export function encodeRecord(record: HubRecord): string {
  switch (record.kind) {
    case 'up':
    case 'down': {
      const { seqId, segmentId, last, use, body } = record.frame;
      const { kind, epoch, route, n } = record;
      return `${line([kind, epoch, route, n, seqId, segmentId, last, use])}\n${body}`;
    }
    case 'open': {
      const { epoch, route, node, clientId, streamId, session, started } = record;
      return line(['open', epoch, route, node, clientId, streamId, session ?? 0, started]);
    }
    case 'detach':
      return line(['detach', record.epoch, record.route]);
    case 'opened':
      return line(['opened', record.epoch, record.route, record.state]);
    case 'ended':
      return line(['ended', record.epoch, record.route, record.code, record.reason]);
    case 'upStatus':
    case 'downStatus': {
      const { kind, epoch, route, received, confirmed, next } = record;
      return line([kind, epoch, route, received, confirmed, next]);
    }
    case 'upProbe':
    case 'downProbe':
      return line([record.kind, record.epoch, record.route, record.sent]);
    case 'owner':
      return line(['owner', record.epoch, '', record.node, record.connected]);
  }
}

const line = (fields: readonly Field[]): string => JSON.stringify(fields);

/** Undefined when the text is not a record, such as one of another version of the hub. */
export function decodeRecord(text: string): HubRecord | undefined {
  const end = text.indexOf('\n');
  let fields: unknown;
  try {
    fields = JSON.parse(end < 0 ? text : text.slice(0, end));
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields)) return undefined;
  const [kind, epoch, route, a, b, c, d, e]: unknown[] = fields;
  if (!isCount(epoch) || typeof route !== 'string') return undefined;
  switch (kind) {
    case 'up':
    case 'down': {
      const whole = isCount(a) && isCount(b) && isCount(c) && typeof d === 'boolean' && isUse(e) && end >= 0;
      if (!whole) return undefined;
      const frame = { seqId: b, segmentId: c, last: d, use: e, body: text.slice(end + 1) };
      return { kind, epoch, route, n: a, frame };
    }
    case 'open': {
      if (typeof a !== 'string' || typeof b !== 'string' || typeof c !== 'string') return undefined;
      if (!isCount(d) || typeof e !== 'boolean') return undefined;
      const session = d === 0 ? undefined : d;
      return { kind, epoch, route, node: a, clientId: b, streamId: c, session, started: e };
    }
    case 'detach':
      return { kind, epoch, route };
    case 'opened':
      return a === 'known' || a === 'new' ? { kind, epoch, route, state: a } : undefined;
    case 'ended':
      return isCount(a) && typeof b === 'string' ? { kind, epoch, route, code: a, reason: b } : undefined;
    case 'upStatus':
    case 'downStatus':
      return isCount(a) && isCount(b) && (c === 'go' || c === 'again' || c === 'pause')
        ? { kind, epoch, route, received: a, confirmed: b, next: c }
        : undefined;
    case 'upProbe':
    case 'downProbe':
      return isCount(a) ? { kind, epoch, route, sent: a } : undefined;
    case 'owner':
      return typeof a === 'string' && typeof b === 'boolean'
        ? { kind, epoch, node: a, connected: b }
        : undefined;
    default:
      return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isSafeInteger(value);
}

function isUse(value: unknown): value is HopFrame['use'] {
  return value === 'message' || value === 'auto' || value === 'close';
}
