/**
 * The frames of the remote-control link, from the backend's side. Written by hand: the generator must be much
 * faster than what it measures, so it never parses a whole frame of a run.
 */
import { frameOf } from './wire.mjs';

/** Bytes of a message in one frame from the backend, and of one raw chunk. */
const LARGEST_WHOLE = 140 * 1024;
const CHUNK_BYTES = 100 * 1024;
/** Numbers of ten digits keep every frame of a run at one length. */
export const FIRST_NUMBER = 1_000_000_000;
/** All members that tell where a frame belongs are within so many bytes of one end of it. */
const EDGE = 320;
const QUOTE = 0x22;
const ANSWER_HEAD = '{"type":"server_message","message":{"id":';

const uuidOf = (kind, index) => `${kind}0000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

/** One (client, stream): its ids, and how its frames begin and end. */
export class StreamFrames {
  constructor(index) {
    this.index = index;
    this.clientId = uuidOf('c', index);
    this.streamId = uuidOf('5', index);
    this.ids = `"client_id":"${this.clientId}","stream_id":"${this.streamId}"`;
    this.head = `{"type":"client_message",${this.ids},"seq_id":`;
    this.ackHead = `{"type":"ack",${this.ids},"seq_id":`;
  }

  message(seqId, messageText) {
    return `${this.head}${seqId},"message":${messageText}}`;
  }

  ack(seqId, segmentId) {
    return segmentId === undefined
      ? `${this.ackHead}${seqId}}`
      : `${this.ackHead}${seqId},"segment_id":${segmentId}}`;
  }

  closed() {
    return `{"type":"client_closed",${this.ids}}`;
  }

  /** The frames of a message too big for one, with the places of their seq ids. */
  chunked(messageText) {
    const raw = Buffer.from(messageText, 'latin1');
    const count = Math.ceil(raw.length / CHUNK_BYTES);
    const frames = [];
    for (let id = 0; id < count; id += 1) {
      const part = raw.subarray(id * CHUNK_BYTES, (id + 1) * CHUNK_BYTES).toString('base64');
      frames.push(
        frameOf(
          `{"type":"client_message_chunk","seq_id":${FIRST_NUMBER},${this.ids},"segment_id":${id},` +
            `"segment_count":${count},"message_size_bytes":${raw.length},"message_chunk_base64":"${part}"}`,
        ),
      );
    }
    return frames;
  }
}

export const needsChunks = (messageText) => messageText.length > LARGEST_WHOLE;

/** Gives chunk frames another seq id. */
export function renumber(frames, seqId) {
  for (const frame of frames) frame.latin1Write(String(seqId), frame.indexOf('"seq_id":') + 9);
}

function digitsAt(text, at) {
  let value = 0;
  for (let i = at; ; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return i === at ? -1 : value;
    value = value * 10 + digit;
  }
}

/** An id of a run is a number, or a string that begins with one. */
function idAt(text, at) {
  return digitsAt(text, text.charCodeAt(at) === QUOTE ? at + 1 : at);
}

function idAfter(data, at) {
  return at < 0 ? -1 : idAt(data.latin1Slice(at + 5, at + 20), 0);
}

/** A number member within the first or last bytes of a frame; -1 when it is not there. */
function numberIn(head, tail, name) {
  let at = tail.lastIndexOf(name);
  if (at >= 0) return digitsAt(tail, at + name.length);
  at = head.indexOf(name);
  return at < 0 ? -1 : digitsAt(head, at + name.length);
}

/**
 * Where a server frame belongs, in one object that the next call fills anew: `index` of the stream, `seqId`,
 * `answer` (id of the request that it answers, -1 for none), and for a chunk `segmentId` and `segmentCount`.
 * Undefined for frames that are not about a stream of ours.
 */
export function readServerFrame(data) {
  const tail = data.latin1Slice(Math.max(0, data.length - EDGE));
  const stream = tail.lastIndexOf('"stream_id":"');
  if (stream < 0) return undefined;
  const head = data.length <= EDGE ? tail : data.latin1Slice(0, EDGE);
  // The last twelve of the 36 characters of the id.
  READ.index = digitsAt(tail, stream + 13 + 24);
  READ.seqId = numberIn(head, tail, '"seq_id":');
  READ.segmentId = -1;
  READ.answer = -1;
  READ.overloaded = false;
  if (head.startsWith('{"type":"server_message_chunk"')) {
    READ.segmentId = numberIn(head, tail, '"segment_id":');
    READ.segmentCount = numberIn(head, tail, '"segment_count":');
  } else if (head.startsWith(ANSWER_HEAD)) {
    READ.answer = idAt(head, ANSWER_HEAD.length);
    READ.overloaded = head.includes('"code":-32001');
  } else if (head.startsWith('{"type":"server_message"')) {
    // An error may come before the id of what it answers, and the id may be long.
    const at = tail.lastIndexOf('"id":');
    if (at >= 0) READ.answer = idAt(tail, at + 5);
    else READ.answer = idAfter(data, data.indexOf('"id":'));
    READ.overloaded = head.includes('"code":-32001');
  }
  return READ;
}
const READ = { index: -1, seqId: -1, segmentId: -1, segmentCount: -1, answer: -1, overloaded: false };
