/** Messages that are too large for one frame: joins incoming chunks (RC-39) and splits outgoing messages (RC-38). */
import { isAscii, isUtf8 } from 'node:buffer';
import {
  CHUNK_BYTES,
  type ChunkFields,
  MAX_CHUNKED_MESSAGE_BYTES,
  MAX_CHUNKS,
  MAX_FRAME_BYTES,
} from './frames.js';

/** Unfinished messages at a time; above it the least recently fed one is dropped. RC-39 */
const MAX_ASSEMBLIES = 128;
/** Decoded bytes of all unfinished messages; above it the least recently fed ones are dropped. RC-39 */
const MAX_ASSEMBLY_BYTES = 256 * 1024 * 1024;
/** Streams whose last finished seq is remembered; above it the least recent one is dropped. */
const MAX_REMEMBERED_STREAMS = 4_096;

/** Why a chunk was dropped, with the unfinished message of its stream unless noted. Contains nothing of the chunk. */
export type ChunkError =
  | 'noStream'
  | 'noSeq'
  | 'frameTooLarge'
  | 'badCount'
  | 'badSize'
  | 'outOfOrder'
  | 'mismatch'
  | 'badBase64'
  | 'sizeMismatch'
  | 'badUtf8'
  /** The message was completed or dropped before. Only this chunk is dropped. */
  | 'closedSeq'
  /** A repetition: received before, or of an older message than the unfinished one. Only this chunk is dropped. */
  | 'stale';

type ChunkResult =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'complete'; readonly text: string }
  | { readonly kind: 'dropped'; readonly why: ChunkError };

interface AssemblyLimits {
  readonly assemblies: number;
  readonly bytes: number;
}

interface Assembly {
  readonly seqId: number;
  readonly segmentCount: number;
  readonly messageSizeBytes: number;
  readonly parts: Buffer[];
  heldBytes: number;
}

const INCOMPLETE: ChunkResult = { kind: 'incomplete' };
const dropped = (why: ChunkError): ChunkResult => ({ kind: 'dropped', why });

/**
 * Joins chunked messages, one at a time per stream. A chunk that breaks the rules drops only the unfinished message of
 * its own stream. RC-39
 */
export class ChunkAssembler {
  /** Ordered by the last feed: the first one is the least recently fed. */
  readonly #assemblies = new Map<string, Assembly>();
  /** The last completed or dropped seq of each stream. */
  readonly #closed = new Map<string, number>();
  readonly #limits: AssemblyLimits;
  #heldBytes = 0;

  constructor(limits: Partial<AssemblyLimits> = {}) {
    this.#limits = { assemblies: MAX_ASSEMBLIES, bytes: MAX_ASSEMBLY_BYTES, ...limits };
  }

  get assemblies(): number {
    return this.#assemblies.size;
  }

  /** Decoded bytes of all unfinished messages. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * @param stream a key that names client and stream, see `streamKey`; undefined when the frame has no stream id
   * @param frameBytes length of the whole frame on the wire, bytes
   */
  feed(
    stream: string | undefined,
    seqId: number | undefined,
    chunk: ChunkFields,
    frameBytes: number,
  ): ChunkResult {
    if (stream === undefined) return dropped('noStream');
    if (seqId === undefined) return this.#drop(stream, undefined, 'noSeq');
    if (this.#closed.get(stream) === seqId) return dropped('closedSeq');
    if (this.#isStale(stream, seqId, chunk)) return dropped('stale');
    const wrong = shapeFault(chunk, frameBytes);
    if (wrong !== undefined) return this.#drop(stream, seqId, wrong);

    const assembly = this.#assemblyFor(stream, seqId, chunk);
    if (typeof assembly === 'string') return this.#drop(stream, seqId, assembly);

    const bytes = decodeBase64(chunk.chunkBase64);
    if (bytes === undefined) return this.#drop(stream, seqId, 'badBase64');
    assembly.parts.push(bytes);
    assembly.heldBytes += bytes.length;
    this.#heldBytes += bytes.length;
    if (assembly.heldBytes > assembly.messageSizeBytes) return this.#drop(stream, seqId, 'sizeMismatch');
    if (assembly.parts.length < assembly.segmentCount) {
      this.#evict();
      return INCOMPLETE;
    }

    const { parts } = assembly;
    if (assembly.heldBytes !== assembly.messageSizeBytes) return this.#drop(stream, seqId, 'sizeMismatch');
    this.#close(stream, seqId);
    const whole = parts.length === 1 ? bytes : Buffer.concat(parts, assembly.messageSizeBytes);
    // Most messages are ASCII, which is cheaper to decode.
    if (isAscii(whole)) return { kind: 'complete', text: whole.toString('latin1') };
    return isUtf8(whole) ? { kind: 'complete', text: whole.toString('utf8') } : dropped('badUtf8');
  }

  /** Call it when a stream has ended or its numbering starts over. */
  reset(stream: string): void {
    this.#remove(stream);
    this.#closed.delete(stream);
  }

  clear(): void {
    this.#assemblies.clear();
    this.#closed.clear();
    this.#heldBytes = 0;
  }

  #isStale(stream: string, seqId: number, chunk: ChunkFields): boolean {
    const current = this.#assemblies.get(stream);
    if (current === undefined || seqId > current.seqId) return false;
    if (seqId < current.seqId) return true;
    return isOf(current, chunk) && chunk.segmentId < current.parts.length;
  }

  /** The assembly that this chunk continues or starts, moved to the end of the order; or why it fits none. */
  #assemblyFor(stream: string, seqId: number, chunk: ChunkFields): Assembly | ChunkError {
    const current = this.#assemblies.get(stream);
    if (current?.seqId === seqId) {
      if (!isOf(current, chunk)) return 'mismatch';
      if (current.parts.length !== chunk.segmentId) return 'outOfOrder';
      this.#assemblies.delete(stream);
      this.#assemblies.set(stream, current);
      return current;
    }
    if (chunk.segmentId !== 0) return 'outOfOrder';
    this.#remove(stream);
    const fresh: Assembly = {
      seqId,
      segmentCount: chunk.segmentCount,
      messageSizeBytes: chunk.messageSizeBytes,
      parts: [],
      heldBytes: 0,
    };
    this.#assemblies.set(stream, fresh);
    return fresh;
  }

  #evict(): void {
    for (const stream of this.#assemblies.keys()) {
      if (this.#assemblies.size <= this.#limits.assemblies && this.#heldBytes <= this.#limits.bytes) return;
      this.#remove(stream);
    }
  }

  #drop(stream: string, seqId: number | undefined, why: ChunkError): ChunkResult {
    if (seqId === undefined) this.#remove(stream);
    else this.#close(stream, seqId);
    return dropped(why);
  }

  #close(stream: string, seqId: number): void {
    this.#remove(stream);
    this.#closed.delete(stream);
    this.#closed.set(stream, seqId);
    if (this.#closed.size > MAX_REMEMBERED_STREAMS) {
      for (const oldest of this.#closed.keys()) {
        this.#closed.delete(oldest);
        return;
      }
    }
  }

  #remove(stream: string): void {
    const assembly = this.#assemblies.get(stream);
    if (assembly === undefined) return;
    this.#heldBytes -= assembly.heldBytes;
    this.#assemblies.delete(stream);
  }
}

function isOf(assembly: Assembly, chunk: ChunkFields): boolean {
  return assembly.segmentCount === chunk.segmentCount && assembly.messageSizeBytes === chunk.messageSizeBytes;
}

function shapeFault(chunk: ChunkFields, frameBytes: number): ChunkError | undefined {
  const { segmentId, segmentCount, messageSizeBytes } = chunk;
  if (frameBytes > MAX_FRAME_BYTES) return 'frameTooLarge';
  if (segmentCount < 1 || segmentCount > MAX_CHUNKS || segmentId >= segmentCount) return 'badCount';
  if (messageSizeBytes < 1 || messageSizeBytes > MAX_CHUNKED_MESSAGE_BYTES) return 'badSize';
  return undefined;
}

/** Characters decoded at a time, a multiple of four: small short-lived strings cost almost no memory. */
const DECODED_AT_ONCE = 32 * 1024;
const MINUS = 0x2d;
const UNDERSCORE = 0x5f;

/**
 * The bytes of canonical base64; undefined for anything else and for an empty string. Node decodes leniently: skipped
 * characters show in the length, but the URL alphabet and stray bits in the last character do not, so both are checked.
 * This is cheaper than encoding the result again.
 */
function decodeBase64(text: string | Buffer): Buffer | undefined {
  const source = typeof text === 'string' ? Buffer.from(text) : text;
  const end = source.toString('latin1', source.length - 4);
  const padding = end.endsWith('==') ? 2 : end.endsWith('=') ? 1 : 0;
  const length = (source.length / 4) * 3 - padding;
  if (source.length % 4 !== 0 || length <= 0) return undefined;
  if (source.includes(MINUS) || source.includes(UNDERSCORE)) return undefined;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (let from = 0; from < source.length; from += DECODED_AT_ONCE) {
    const part = source.toString('latin1', from, from + DECODED_AT_ONCE);
    at += bytes.write(part, at, 'base64');
    if (at !== Math.min(((from + DECODED_AT_ONCE) / 4) * 3, length)) return undefined;
  }
  return bytes.toString('base64', length - (3 - padding)) === end ? bytes : undefined;
}

/** A message split into chunks. Iterating makes them one by one. */
export interface SplitMessage extends Iterable<ChunkFields> {
  readonly segmentCount: number;
  readonly messageSizeBytes: number;
  /** The bytes of the chunks, before base64. */
  pieces(): Iterator<Buffer>;
}

/** Longest total of the numbers and member names of a chunk frame, without the ids of its stream. */
const CHUNK_FRAME_OVERHEAD = 256;

/**
 * Splits a message into chunks of at most 100 KiB. Undefined above 100 MiB or 1,024 chunks. RC-38
 * @param idBytes bytes of client id, stream id and the rest of the envelope in each frame
 */
export function splitMessage(text: string, idBytes: number): SplitMessage | undefined {
  const messageSizeBytes = Buffer.byteLength(text);
  if (messageSizeBytes > MAX_CHUNKED_MESSAGE_BYTES) return undefined;
  const room = Math.floor((MAX_FRAME_BYTES - CHUNK_FRAME_OVERHEAD - idBytes) / 4) * 3;
  const most = Math.min(CHUNK_BYTES, room);
  // Any character fits into four bytes, so every piece contains at least one.
  if (most < 4) return undefined;
  const segmentCount = Math.max(1, Math.ceil(messageSizeBytes / most));
  if (segmentCount > MAX_CHUNKS) return undefined;
  const isAsciiText = messageSizeBytes === text.length;
  const piecesOf = () => (isAsciiText ? asciiPieces(text, most) : pieces(text, most));
  return {
    segmentCount,
    messageSizeBytes,
    pieces: piecesOf,
    *[Symbol.iterator]() {
      let segmentId = 0;
      for (const bytes of piecesOf()) {
        yield { segmentId, segmentCount, messageSizeBytes, chunkBase64: bytes.toString('base64') };
        segmentId += 1;
      }
    },
  };
}

function* asciiPieces(text: string, size: number): Generator<Buffer> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size), 'latin1');
}

/** The UTF-8 bytes of a string in pieces of `size`, the last one shorter; never the whole string at once. */
function* pieces(text: string, size: number): Generator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  while (at < text.length || rest.length > 0) {
    while (rest.length < size && at < text.length) {
      let end = Math.min(at + size, text.length);
      if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
      const more = Buffer.from(text.slice(at, end), 'utf8');
      rest = rest.length === 0 ? more : Buffer.concat([rest, more]);
      at = end;
    }
    yield rest.subarray(0, size);
    rest = rest.subarray(size);
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
