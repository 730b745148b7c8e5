/**
 * The frames of the remote-control link on the side of the backend. The generator must be much faster than the programs
 * it measures, so it never parses a whole frame during a run.
 */
import { frameOf } from './wire.mjs';

/** Largest message in one frame from the backend, and size of one raw chunk, bytes. */
const LARGEST_WHOLE = 140 * 1024;
const CHUNK_BYTES = 100 * 1024;
/** With numbers of ten digits all frames of a run have the same length. */
export const FIRST_NUMBER = 1_000_000_000;
/** The members that identify the stream of a frame are within this many bytes of its start or end. */
const EDGE = 320;
const QUOTE = 0x22;
const ANSWER_HEAD = '{"type":"server_message","message":{"id":';

const uuidOf = (kind, index) => `${kind}0000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

/** One (client, stream): its ids, and the start and end of its frames. */
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

  /** The frames of a message that needs several, with the positions of their seq ids. */
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

/** Writes another seq id into chunk frames. */
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

/** An id of a run is a number, or a string that starts with one. */
function idAt(text, at) {
  return digitsAt(text, text.charCodeAt(at) === QUOTE ? at + 1 : at);
}

function idAfter(data, at) {
  return at < 0 ? -1 : idAt(data.latin1Slice(at + 5, at + 20), 0);
}

/** A number member in the first or last bytes of a frame; -1 when it is missing. */
function numberIn(head, tail, name) {
  let at = tail.lastIndexOf(name);
  if (at >= 0) return digitsAt(tail, at + name.length);
  at = head.indexOf(name);
  return at < 0 ? -1 : digitsAt(head, at + name.length);
}

/**
 * Identifies a server frame, in one object that the next call overwrites: `index` of the stream, `seqId`, `answer` (id of
 * the request of a response, -1 for none), and for a chunk `segmentId` and `segmentCount`. Undefined for frames of other
 * streams.
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
    // In an error response the id may come last, and it may be long.
    const at = tail.lastIndexOf('"id":');
    if (at >= 0) READ.answer = idAt(tail, at + 5);
    else READ.answer = idAfter(data, data.indexOf('"id":'));
    READ.overloaded = head.includes('"code":-32001');
  }
  return READ;
}
const READ = { index: -1, seqId: -1, segmentId: -1, segmentCount: -1, answer: -1, overloaded: false };
